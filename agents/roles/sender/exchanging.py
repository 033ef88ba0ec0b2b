"""The exchange: once a second this process says what it sends to what is shared, and gets its slices of the limits."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from agents.roles.sender.capacity import Capacity
from agents.roles.sender.share import Share
from agents.roles.sender.slices import Slice, Slices
from agents.roles.sender.slots import Slots
from agents.roles.sender.turns import Turns
from agents.telemetry.metrics import Metrics
from schemas.destination import Destination
from schemas.errors import TryLater
from store.sending.exchanges import Exchanges, Kept
from streams.sending.exchange import Answer, Report, Shared, exchanged
from streams.sending.grants import LASTS

log = structlog.get_logger()

_EVERY = 1.0
_AT_LEAST = 0.2
"""Seconds between two, where a destination has just closed, or waits for its first turn."""
_FORGET_EVERY = 3600.0


class Exchanging:
    """One transaction a second for all that this process shares, however much it sends.

    The database's clock is ours but for an offset, which lies between what was read before and after it was asked.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        slices: Slices,
        slots: Slots,
        share: Share,
        capacity: Capacity,
        metrics: Metrics,
        *,
        owner: str,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchanges, self._slices, self._slots, self._capacity = exchanges, slices, slots, capacity
        self._share = share
        self._metrics, self._owner, self._ticks = metrics, owner, ticks
        self._offset: float | None = None
        self._is_away = False
        self._forgot_at = ticks()

    @classmethod
    def of(cls, turns: Turns, exchanges: Exchanges, metrics: Metrics, *, owner: str) -> Exchanging:
        """That of a process's turns."""
        return cls(exchanges, turns.paces.slices, turns.slots, turns.share, turns.capacity, metrics, owner=owner)

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
            await self._rest(began)

    async def exchange(self) -> None:
        """Report, and take in what is granted. Raises TryLater."""
        self._slices.is_wanted.clear()
        held, asked_at = self._capacity.held, self._ticks()
        asking = self._slices.asking(held)
        answers: dict[Destination, tuple[Report, Answer]] = {}

        def judge(row: Destination, state: str, now: float) -> Kept:
            self._read_clock(asked_at, now)
            report = self._report(asking[row], held)
            shared, answer = exchanged(Shared.read(state), report, now)
            answers[row] = report, answer
            return Kept(shared.written, shared.closed_until)

        await self._exchanges.exchange(asking, judge)
        for row, (report, answer) in answers.items():
            asking[row].take_in(report, answer, asked_at, self._offset or 0.0)
            for destination in asking[row].users:
                self._slots.changed(destination)
        for row, seconds in (await self._exchanges.closed()).items():
            self._slices.close(row, seconds)
        await self._divide()
        self._measure(answers)
        await self._forget()
        self._is_away = False

    async def leave(self) -> None:
        """Have the others take this process's share. Raises TryLater."""
        await self._exchanges.leave(self._owner)

    async def _divide(self) -> None:
        """Learn how many senders share what no limit bounds."""
        asked_at, before = self._ticks(), self._share.part
        place = await self._exchanges.seen(self._owner)
        self._share.heard(place.live, place.before, asked_at)
        if self._share.part != before or self._is_away:
            self._slots.all_changed()

    def _report(self, one: Slice, held: Mapping[Destination, int]) -> Report:
        wanted = sum(held.get(user, 0) for user in one.users)
        return one.report(self._owner, wanted, sum(map(self._slots.taken, one.users)), self._ticks())

    def _read_clock(self, asked_at: float, now: float) -> None:
        least, most = asked_at - now, self._ticks() - now
        self._offset = most if self._offset is None else min(max(self._offset, least), most)

    def _measure(self, answers: dict[Destination, tuple[Report, Answer]]) -> None:
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
            await asyncio.wait_for(self._slices.is_wanted.wait(), max(0.0, began + _EVERY - self._ticks()))
