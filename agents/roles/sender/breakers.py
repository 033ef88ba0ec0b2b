"""Breakers of destinations that fail: what this process heard is told to all senders, and what they know counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog

from agents.waiting import retry_until_available
from channels.contract import Policy
from schemas.closed import ChannelName
from schemas.destination import Destination
from schemas.receipt import Receipt
from store.sending.breakers import BreakerStore, KeptBreaker
from streams.sending.breaker import HEARD_FROM_ALL, LEAST, Answer, Breaker, Report, answer_of

log = structlog.get_logger()

_EVERY_SECONDS, _AT_MOST_EVERY = 1.0, 0.1
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
    """Nothing but a probe leaves for a destination whose breaker is open. Without a `store` none ever opens.

    `policies` say how long an attempt may take.
    """

    def __init__(
        self,
        store: BreakerStore | None = None,
        *,
        owner: str = "",
        policies: Mapping[ChannelName, Policy] | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._owner, self._policies = store, owner, policies or {}
        self._ticks = ticks
        self._heard: dict[Destination, _Heard] = {}
        self._known: dict[Destination, Breaker] = {}
        self._read_now = self._read_at = 0.0
        self._open: dict[Destination, str] = {}
        self._suspected_until: dict[Destination, float] = {}
        self._probes: dict[Destination, _Probe] = {}
        self._answers: dict[Destination, tuple[int, Answer]] = {}
        self._hurried: set[Destination] = set()
        self._news = asyncio.Event()

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
                self._news.set()

    def _suspect(self, destination: Destination, said: _Heard, answer: Answer) -> None:
        if answer != "failed":
            self._suspected_until.pop(destination, None)
        elif said.failed == LEAST and not said.took:
            self._suspected_until[destination] = self._ticks() + HEARD_FROM_ALL + _EVERY_SECONDS

    def _is_suspected(self, destination: Destination) -> bool:
        return self._ticks() < self._suspected_until.get(destination, 0.0)

    def hurry(self, destination: Destination) -> None:
        """Try it now."""
        if destination in self._open:
            self._hurried.add(destination)
            self._news.set()

    def is_gone(self, destination: Destination, attempts_take: float) -> bool:
        """True where it took nothing for as long as all attempts of one delivery take."""
        breaker = self._known.get(destination)
        return breaker is not None and breaker.is_gone(self._now(), attempts_take)

    async def run(self, may_leave: MayLeave) -> None:
        """Until cancelled: once a second, and at once where a probe was answered."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _EVERY_SECONDS)
            self._news.clear()
            await retry_until_available(partial(self.exchange, may_leave), what="Postgres")
            await asyncio.sleep(_AT_MOST_EVERY)

    async def exchange(self, may_leave: MayLeave = lambda _: True) -> bool:
        """Tell what there is to tell, and take in what is known; whether another one is open than before.

        `may_leave` says that a message would have its turn soon: only then is a probe asked for. Raises TryLater;
        counts of a time without Postgres say nothing later, and answers of probes are kept.
        """
        if self._store is None:
            return False
        asked, reports = self._ticks(), self._reports(may_leave)
        if reports:
            failing = [one for one, report in reports.items() if report.failed]
            await self._store.report(reports, failing, partial(self._judged, reports))
            self._hurried -= reports.keys()
            for destination, report in reports.items():
                if report.answer and self._answers.get(destination) == (report.probe, report.answer):
                    del self._answers[destination]
        found = await self._store.all()
        self._read_now, self._read_at = found.now, self._ticks()
        self._known = {one: Breaker.read(kept.state, found.now) for one, kept in found.kept.items()}
        self._take_probes(asked, reports)
        return self._take_open({one: found.kept[one].why for one, breaker in self._known.items() if breaker.is_open})

    def _judged(
        self, reports: Mapping[Destination, Report], destination: Destination, kept: KeptBreaker, now: float
    ) -> KeptBreaker | None:
        report = reports[destination]
        breaker = Breaker.read(kept.state, now).reported(report, self._owner, now)
        return None if breaker.is_over(now) else KeptBreaker(breaker.written, report.why or kept.why)

    def _reports(self, may_leave: MayLeave) -> dict[Destination, Report]:
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

    def _lease(self, destination: Destination) -> float:
        """The lease that is asked for: of a probe that is due and nobody's, or ours and has not left."""
        breaker, now, probe = self._known.get(destination), self._now(), self._probes.get(destination)
        if breaker is None or (probe and probe.delivery_id) or destination in self._answers:
            return 0.0
        if not (breaker.holds(self._owner, now) or breaker.may_ask(now)):
            return 0.0
        timeout = self._policies[destination.channel].timeout.total_seconds()
        return _BEGINS_WITHIN + timeout + _SPARE

    def _has_to_be_judged(self, destination: Destination) -> bool:
        breaker = self._known.get(destination)
        return breaker is not None and breaker.has_to_be_judged(self._now())

    def _take_probes(self, asked: float, reports: Mapping[Destination, Report]) -> None:
        for destination in [one for one, report in reports.items() if report.lease]:
            breaker, before = self._known.get(destination), self._probes.get(destination)
            if breaker is None or not breaker.holds(self._owner, self._read_now):
                continue
            is_unused = before is None or not before.delivery_id
            if is_unused and destination not in self._answers:  # else it has left meanwhile
                self._probes[destination] = _Probe(breaker.probe, asked + _BEGINS_WITHIN)

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

    def _now(self) -> float:
        """The database's clock."""
        return self._read_now + (self._ticks() - self._read_at)
