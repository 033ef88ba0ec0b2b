"""The exchange: once a second this process tells what it sends and hears, and gets its part and what all know."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from agents.clock import SteadyTime
from agents.roles.sender.breakers import EVERY_SECONDS
from agents.roles.sender.slices import Slice
from agents.roles.sender.turns import Turns
from agents.telemetry.metrics import Metrics
from schemas.destination import Destination
from schemas.errors import TryLater
from store.sending.exchanges import Exchanges, JudgedBreakers, JudgedLimits, KeptBreaker, KeptLimit, Place
from streams.sending.exchange import Answer, Report, Shared, exchanged
from streams.sending.grants import LASTS

log = structlog.get_logger()

_AT_LEAST = 0.2
"""Seconds between two, where one has just closed, a probe was answered, or a message waits for its first turn."""
_FORGET_EVERY = 3600.0


class Exchanging:
    """One transaction a second for all that this process shares, however much it sends.

    `database` is the database's clock as every exchange reads it: what is granted by it begins no sooner here.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        turns: Turns,
        metrics: Metrics,
        *,
        owner: str,
        database: SteadyTime,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchanges, self._turns, self._metrics, self._owner = exchanges, turns, metrics, owner
        self._slices, self._domains = turns.paces.slices, turns.domains
        self._database, self._ticks = database, ticks
        self._is_away = False
        self._forgot_at = ticks()

    async def run(self) -> None:
        """Until cancelled. While the database is away, each process goes on by itself for a while."""
        while True:
            began = self._ticks()
            try:
                await self.exchange()
            except TryLater as error:
                if not self._is_away:
                    log.warning("limits_not_shared", why=str(error))
                self._is_away = True
                self._go_alone(is_alone=True)
            await self._rest(began)

    async def exchange(self) -> None:
        """Report, and take in what is granted and known. Raises TryLater."""
        self._slices.is_wanted.clear()
        breakers, asked_at = self._turns.breakers, self._ticks()
        held = {**self._turns.capacity.held, **self._domains.asking()}
        asking = self._slices.asking(held) | self._domains.slices.asking(held)
        reports = breakers.reports(self._turns.may_leave)
        answers: dict[Destination, tuple[Report, Answer]] = {}

        def judge_limit(row: Destination, state: str, now: float) -> KeptLimit:
            self._database.read(asked_at, now)
            report = self._report(asking[row], held)
            shared, answer = exchanged(Shared.read(state), report, now)
            answers[row] = report, answer
            return KeptLimit(shared.written, shared.closed_until)

        def judge_breaker(destination: Destination, kept: KeptBreaker, now: float) -> KeptBreaker | None:
            return breakers.judged(reports[destination], kept, now)

        failing = [one for one, report in reports.items() if report.failed]
        known = await self._exchanges.exchange(
            self._owner, JudgedLimits(asking, judge_limit), JudgedBreakers(reports, failing, judge_breaker)
        )
        self._database.read(asked_at, known.breakers.now)
        self._take_in(asking, answers, asked_at)
        for row, seconds in known.closed.items():
            self._turns.close(row, seconds)
        breakers.take_in(reports, known.breakers, asked_at)
        self._divide(known.place, asked_at)
        self._measure(answers)
        await self._forget()
        self._is_away = False
        self._go_alone(is_alone=False)

    def _go_alone(self, *, is_alone: bool) -> None:
        self._slices.alone(is_alone=is_alone)
        self._domains.slices.alone(is_alone=is_alone)

    async def leave(self) -> None:
        """Have the others take this process's share. Raises TryLater."""
        await self._exchanges.leave(self._owner)

    def _take_in(
        self, asking: Mapping[Destination, Slice], answers: Mapping[Destination, tuple[Report, Answer]], asked_at: float
    ) -> None:
        for row, (report, answer) in answers.items():
            asking[row].take_in(report, answer, asked_at, self._database.ours)
            for destination in asking[row].users:
                self._turns.slots.changed(destination)

    def _divide(self, place: Place, asked_at: float) -> None:
        """Take the part of what no limit bounds that this process has among those at work."""
        share = self._turns.share
        before = share.part
        share.heard(place.live, place.before, asked_at)
        if share.part != before or self._is_away:
            self._turns.slots.all_changed()

    def _report(self, one: Slice, held: Mapping[Destination, int]) -> Report:
        wanted = sum(held.get(user, 0) for user in one.users)
        return one.report(self._owner, wanted, sum(map(self._turns.slots.taken, one.users)), self._ticks())

    def _measure(self, answers: Mapping[Destination, tuple[Report, Answer]]) -> None:
        rates: defaultdict[str, float] = defaultdict(float)
        for row, (_, answer) in answers.items():
            rates[row.channel] += answer.grant.held / LASTS
        self._metrics.show_granted(rates)

    async def _forget(self) -> None:
        if self._ticks() - self._forgot_at >= _FORGET_EVERY:
            self._forgot_at = self._ticks()
            await self._exchanges.forget()

    async def _rest(self, began: float) -> None:
        await asyncio.sleep(_AT_LEAST)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._slices.is_wanted.wait(), max(0.0, began + EVERY_SECONDS - self._ticks()))
