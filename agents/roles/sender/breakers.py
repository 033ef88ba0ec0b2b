"""Breakers of destinations that fail: what this process heard is told to all senders, and what they know counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic

import structlog

from agents.clock import SteadyTime
from channels.contract import Policy
from schemas.closed import ChannelName
from schemas.destination import Destination
from schemas.receipt import Receipt
from store.sending.exchanges import KeptBreaker, KnownBreakers
from streams.sending.breaker import HEARD_FROM_ALL, LEAST, Answer, Breaker, Report, answer_of

log = structlog.get_logger()

EVERY_SECONDS = 1.0
"""Between two exchanges of all that senders share."""
_BEGINS_WITHIN = 5.0
"""Seconds from before a probe was asked for, within which it has to leave."""
_SPARE = 10.0
"""Seconds that its lease lasts beyond the time-out of its attempt: so it is over before another may leave."""


MayLeave = Callable[[Destination], bool]


@dataclass(slots=True)
class _Heard:
    took: int = 0
    failed: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Probe:
    """A probe of ours. `delivery_id` is the message that it is; empty before one has left."""

    number: int
    leaves_by: float
    delivery_id: str = ""


class Breakers:
    """Nothing but a probe leaves for a destination whose breaker is open. None opens before `take_in` says so.

    `policies` say how long an attempt may take. `news` is set where an exchange is wanted at once.
    """

    def __init__(
        self,
        *,
        owner: str = "",
        policies: Mapping[ChannelName, Policy] | None = None,
        database: SteadyTime | None = None,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._owner, self._policies = owner, policies or {}
        self._database, self._ticks = database or SteadyTime(ticks=ticks), ticks
        self._heard: dict[Destination, _Heard] = {}
        self._known: dict[Destination, Breaker] = {}
        self._open: dict[Destination, str] = {}
        self._suspected_until: dict[Destination, float] = {}
        self._probes: dict[Destination, _Probe] = {}
        self._answers: dict[Destination, tuple[int, Answer]] = {}
        self._hurried: set[Destination] = set()
        self.news = asyncio.Event()

    @property
    def open(self) -> Mapping[Destination, str]:
        """Those that nothing but a probe leaves for, each with its last failure."""
        return self._open

    @property
    def stopped(self) -> set[Destination]:
        """Those, and others that failed so often here that they wait until all senders have told what they hear."""
        return {*self._open, *filter(self._is_suspected, self._suspected_until)}

    def stops(self, destination: Destination) -> bool:
        """True where nothing leaves, but for a probe."""
        return destination in self._open or self._is_suspected(destination)

    def capacity(self, destination: Destination, most: int) -> int:
        """The number of messages that are wanted in memory, at most `most`."""
        return int(self._is_ready(destination)) if self.stops(destination) else most

    def leave(self, destination: Destination, delivery_id: str) -> bool:
        """True where a message may leave now; where the breaker is open, it is the probe."""
        if not self.stops(destination):
            return True
        if not self._is_ready(destination):
            return False
        self._probes[destination] = replace(self._probes[destination], delivery_id=delivery_id)
        log.info("destination_probed", **destination.named, delivery=delivery_id)
        return True

    def heard(self, destination: Destination, delivery_id: str, receipt: Receipt | None) -> None:
        """Take in what came back for a message; None where its destination was not asked after all."""
        probe = self._probes.get(destination)
        is_probe = probe is not None and probe.delivery_id == delivery_id
        if receipt is None:
            if probe is not None and is_probe:
                self._probes[destination] = replace(probe, delivery_id="")
            return
        answer = answer_of(receipt)
        if answer != "spoke" or is_probe:
            said = self._heard.setdefault(destination, _Heard())
            said.why = receipt.detail if answer == "failed" else said.why
            if probe is not None and is_probe:
                self._answers[destination] = probe.number, answer
                del self._probes[destination]
            else:
                said.took, said.failed = said.took + (answer == "took"), said.failed + (answer == "failed")
            self._suspect(destination, said, answer)
            if is_probe or said.failed == LEAST:
                self.news.set()

    def _suspect(self, destination: Destination, said: _Heard, answer: Answer) -> None:
        if answer != "failed":
            self._suspected_until.pop(destination, None)
        elif said.failed == LEAST and not said.took:
            self._suspected_until[destination] = self._ticks() + HEARD_FROM_ALL + EVERY_SECONDS

    def _is_suspected(self, destination: Destination) -> bool:
        return self._ticks() < self._suspected_until.get(destination, 0.0)

    def hurry(self, destination: Destination) -> None:
        """Try it now."""
        if destination in self._open:
            self._hurried.add(destination)
            self.news.set()

    def is_gone(self, destination: Destination, attempts_take: float) -> bool:
        """True where it took nothing for as long as all attempts of one delivery take."""
        breaker = self._known.get(destination)
        return breaker is not None and breaker.is_gone(self._database.now(), attempts_take)

    def reports(self, may_leave: MayLeave = lambda _: True) -> dict[Destination, Report]:
        """Everything that is to be told; counts that cannot be told say nothing later, and answers of probes are kept.

        `may_leave` says that a message would have its turn soon: only then is a probe asked for.
        """
        self.news.clear()
        heard, self._heard = self._heard, {}
        failing = {one for one, said in heard.items() if said.failed}
        reports = {}
        for destination in {*self._known, *failing, *self._answers}:
            said = heard.get(destination, _Heard())
            probe, answer = self._answers.get(destination, (0, None))
            lease = self._lease(destination) if may_leave(destination) else 0.0
            report = Report(said.took, said.failed, said.why, probe, answer, lease, destination in self._hurried)
            if report != Report() or self._has_to_be_judged(destination):
                reports[destination] = report
        return reports

    def judged(self, report: Report, kept: KeptBreaker, now: float) -> KeptBreaker | None:
        """A breaker after a report of ours; None where nothing is left to remember."""
        breaker = Breaker.read(kept.state, now).reported(report, self._owner, now)
        return None if breaker.is_over(now) else KeptBreaker(breaker.written, report.why or kept.why)

    def take_in(self, reports: Mapping[Destination, Report], found: KnownBreakers, asked_at: float) -> bool:
        """Take in what all know once they were told; whether another one is open than before."""
        self._hurried -= reports.keys()
        for destination, report in reports.items():
            if report.answer and self._answers.get(destination) == (report.probe, report.answer):
                del self._answers[destination]
        self._known = {one: Breaker.read(kept.state, found.now) for one, kept in found.kept.items()}
        self._take_probes(reports, found.now, asked_at)
        return self._take_open({one: found.kept[one].why for one, breaker in self._known.items() if breaker.is_open})

    def _lease(self, destination: Destination) -> float:
        """The lease that is asked for: of a probe that is due and nobody's, or ours and has not left."""
        breaker, now, probe = self._known.get(destination), self._database.now(), self._probes.get(destination)
        if breaker is None or (probe and probe.delivery_id) or destination in self._answers:
            return 0.0
        if not (breaker.holds(self._owner, now) or breaker.may_ask(now)):
            return 0.0
        timeout = self._policies[destination.channel].timeout.total_seconds()
        return _BEGINS_WITHIN + timeout + _SPARE

    def _has_to_be_judged(self, destination: Destination) -> bool:
        breaker = self._known.get(destination)
        return breaker is not None and breaker.has_to_be_judged(self._database.now())

    def _take_probes(self, reports: Mapping[Destination, Report], now: float, asked_at: float) -> None:
        for destination in [one for one, report in reports.items() if report.lease]:
            breaker, before = self._known.get(destination), self._probes.get(destination)
            if breaker is None or not breaker.holds(self._owner, now):
                continue
            is_unused = before is None or not before.delivery_id
            if is_unused and destination not in self._answers:  # else it has left meanwhile
                self._probes[destination] = _Probe(breaker.probe, asked_at + _BEGINS_WITHIN)

    def _take_open(self, now_open: dict[Destination, str]) -> bool:
        before, self._open = self._open, now_open
        self._suspected_until = {
            one: until
            for one, until in self._suspected_until.items()
            if one not in now_open and self._is_suspected(one)
        }
        for destination in self._open.keys() - before.keys():
            log.error("destination_failing", **destination.named, why=self._open[destination])
        for destination in (before.keys() - self._open.keys()) & self._known.keys():  # else it was paused
            log.info("destination_well_again", **destination.named)
        self._probes = {one: probe for one, probe in self._probes.items() if one in self._open or probe.delivery_id}
        return self._open.keys() != before.keys()

    def _is_ready(self, destination: Destination) -> bool:
        probe = self._probes.get(destination)
        return probe is not None and not probe.delivery_id and self._ticks() < probe.leaves_by
