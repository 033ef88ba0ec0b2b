"""Slices: what this process was granted of the limits that senders share, as moments of its own steady clock."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from schemas.destination import Destination
from schemas.limit import NO_LIMIT, Limit
from schemas.receipt import Accepted, Gone, Receipt, Refused, Throttled
from streams.sending.exchange import Answer, Report
from streams.sending.grants import LASTS, LATE, PACE
from streams.sending.pacing import IN_MEMORY

log = structlog.get_logger()

ON_ITS_OWN = 5.0
"""Seconds for which a process that reaches the database no more goes on as it was granted last."""
SAFE_PART = 0.1
"""Of that, from then on: others may have taken its share over."""
_HELD_SECONDS = 3.0
"""What leaves within so long is wanted in memory."""
_LONGEST_HELD = 60.0
_FIRST_CLOSED = 1.5
"""Seconds for which a destination is let alone that says so for the first time: until then all have heard of it."""
_AT_REST = 10.0
"""Seconds without a message after which a process asks for no share any more."""
_MOST_PLACES = 10_000


@dataclass(slots=True)
class Slice:
    """The part of one limit that this process has. Times are of the steady clock.

    `users`: the destinations, of one project or more, that it is for. `asked_at`: before its last grant was asked for;
    `gap` is between two of its turns. Since it reported last it heard: `accepted` and `throttled`, until when it is to
    be let alone, and whether somebody wants it tried now.
    """

    limit: Limit
    users: set[Destination] = field(default_factory=set)
    turns: list[float] = field(default_factory=list)
    last_turn: float = -math.inf
    rate: float | None = None
    gap: float = math.inf
    at_once: int | None = None
    asked_at: float = -math.inf
    used_at: float = -math.inf
    closed_until: float = -math.inf
    heard_until: float = -math.inf
    accepted: int = 0
    throttled: int = 0
    measured: float = 0.0
    is_hurried: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_known(self) -> bool:
        """True once something was granted."""
        return self.asked_at > -math.inf

    @property
    def is_paced(self) -> bool:
        """True where messages leave in turns that are handed out."""
        return self.limit.rate is not None or self.rate is not None

    @property
    def late(self) -> float:
        """The seconds by which a message may leave after its turn."""
        return LATE * (self.limit.rate.seconds if self.limit.rate else 1.0)

    @property
    def patience(self) -> float:
        """Seconds that a message waits for its turn in memory."""
        return IN_MEMORY if self.gap == math.inf else min(max(IN_MEMORY, LASTS + 1.5 * self.gap), _LONGEST_HELD)

    def most_at_once(self, now: float) -> int | None:
        """The number of messages that may be under way; None where nothing that is shared bounds it."""
        if not self.is_known:
            return None if self.limit.concurrency is None else 0
        if self.at_once and now > self.asked_at + LASTS + ON_ITS_OWN:
            return max(1, int(self.at_once * SAFE_PART))
        return self.at_once

    def next_turn(self, now: float, *, is_alone: bool = False) -> float | None:
        """Take the first turn that is not over; None where none is known. Without the database, made as before."""
        while self.turns:
            turn = self.turns.pop(0)
            if turn >= now - self.late:
                self.last_turn = max(self.last_turn, turn)
                return turn
        ends = self.asked_at + LASTS
        if not is_alone or now <= ends or self.gap == math.inf:
            return None
        gap = self.gap if now < ends + ON_ITS_OWN else self.gap / SAFE_PART
        self.last_turn = max(now, self.last_turn + gap)
        return self.last_turn

    def give_back(self, turn: float) -> None:
        """It was not used."""
        self.turns.insert(0, turn)

    def wait(self, now: float) -> float:
        """Seconds until a message may leave, as far as that is known."""
        first = next((turn for turn in self.turns if turn >= now - self.late), now)
        return max(0.0, self.closed_until - now, first - now)

    def capacity(self, most: int, now: float) -> int:
        """The number of messages that are wanted in memory, at most `most`."""
        if self.at_once == 0:
            return 0
        if self.closed_until > now:
            return min(1, most) if self.closed_until - now <= IN_MEMORY else 0
        if not self.is_paced:
            return most
        if self.gap < math.inf:
            return min(most, math.ceil(_HELD_SECONDS / self.gap))
        return min(most, math.ceil(self.limit.rate.per_second) if self.limit.rate else 1)

    def hear(self, receipt: Receipt | None, left_at: float, now: float, asked: float) -> bool:
        """Take in what came back for a message that left at a time; whether the destination wants to be let alone."""
        match receipt:
            case Accepted() | Refused() | Gone():
                self.accepted += 1
                return asked > 0 and self._close(now, now + asked)
            case Throttled():
                self.throttled += 1
                return self._close(now, now + (asked or (0.0 if self.is_known else _FIRST_CLOSED)))
            case None if self.is_paced:
                self.give_back(left_at)
            case _:
                pass
        return False

    def _close(self, now: float, until: float) -> bool:
        """Let it alone; whether it was open before."""
        is_closing = self.closed_until <= now < until
        self.closed_until = max(self.closed_until, until)
        self.heard_until = max(self.heard_until, until)
        return is_closing

    def report(self, owner: str, wanted: int, in_flight: int, now: float) -> Report:
        """Everything that it says of this destination."""
        return Report(
            owner, wanted, in_flight, self.limit, self.accepted, self.throttled, max(0.0, self.heard_until - now),
            self.measured, self.is_hurried,
        )  # fmt: skip

    def take_in(self, report: Report, answer: Answer, asked_at: float, ours: Callable[[float], float]) -> None:
        """The answer to a report of a moment; `ours` makes moments of the database's clock ours."""
        grant = answer.grant
        left = [turn for turn in self.turns if turn >= asked_at - self.late]
        self.turns = sorted((*left, *map(ours, grant.turns)))
        self.asked_at, self.rate, self.at_once, self.gap = asked_at, grant.rate, grant.at_once, _gap(answer)
        self.closed_until = ours(answer.closed_until)
        if self.heard_until > asked_at + report.closed_for:  # heard meanwhile
            self.closed_until = max(self.closed_until, self.heard_until)
        else:
            self.heard_until = -math.inf
        self.accepted -= report.accepted
        self.throttled -= report.throttled
        self.measured, self.is_hurried = 0.0, self.is_hurried and not report.is_hurried
        self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        self.changed.set()
        self.changed = asyncio.Event()


def _gap(answer: Answer) -> float:
    grant = answer.grant
    if grant.rate is None:
        return math.inf
    fair = grant.rate * PACE / grant.members
    return 1 / (max(fair, grant.held / LASTS) if grant.held > grant.members else fair)


class Slices:
    """One a destination that has a limit, or said that it was too much.

    `limit_of` is a destination's limit as this process knows it; `row_of` the destination under which it is shared: an
    account of all projects is one. `is_wanted` is set where an exchange is wanted at once.
    """

    def __init__(
        self,
        limit_of: Callable[[Destination], Limit] = lambda _: NO_LIMIT,
        row_of: Callable[[Destination], Destination] = lambda one: one,
        *,
        is_wanted: asyncio.Event | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_of, self.row_of, self._ticks = limit_of, row_of, ticks
        self._slices: dict[Destination, Slice] = {}
        self._places: dict[Destination, tuple[Destination, Limit]] = {}
        self.is_wanted = is_wanted or asyncio.Event()
        self._is_alone = False

    def of(self, destination: Destination) -> Slice | None:
        """The slice of a destination; None where nothing of it is shared."""
        row, limit = self._places.get(destination) or self._place(destination)
        found = self._slices.get(row)
        if found is None:
            if limit is NO_LIMIT:
                return None
            found = self._slices[row] = Slice(limit)
        found.limit = limit
        if destination.project_id:
            found.users.add(destination)
        return found

    def _place(self, destination: Destination) -> tuple[Destination, Limit]:
        """The place where its limit is shared, and the limit: remembered, since each message asks several times."""
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        limit = self._limit_of(destination)
        found = self._places[destination] = self.row_of(destination), NO_LIMIT if limit == NO_LIMIT else limit
        return found

    def look_up_again(self) -> None:
        """Accounts have changed, and with them what each destination's limit is."""
        self._places.clear()

    def paced(self, destination: Destination) -> Slice | None:
        """The slice of a destination to which messages leave in turns that are handed out, or that is closed."""
        found = self.of(destination)
        return found if found is not None and (found.is_paced or found.closed_until > self._ticks()) else None

    def learn(self, destination: Destination, measured: float) -> Slice:
        """Share a destination that wants to be let alone, at the messages a second that it took until then, if any."""
        made = self.of(destination) or self._slices.setdefault(self.row_of(destination), Slice(NO_LIMIT))
        made.users.add(destination)
        made.measured, made.used_at = made.measured or measured, self._ticks()
        return made

    def close(self, row: Destination, seconds: float) -> None:
        """Let a destination alone that said so to another process."""
        made = self.of(row) or self._slices.setdefault(row, Slice(NO_LIMIT))
        made.closed_until = max(made.closed_until, self._ticks() + seconds)

    def alone(self, *, is_alone: bool) -> None:
        """The database does not answer: go on as it granted last. Never by the clock alone, which runs on while this
        process stands still, and others have its share by then."""
        if is_alone and not self._is_alone:
            for one in self._slices.values():
                one.wake()
        self._is_alone = is_alone

    async def turn(self, one: Slice, patience: float | None = None) -> float | None:
        """Wait for a turn: the moment at which the message leaves, or None where that is not soon."""
        deadline = self._ticks() + (one.patience if patience is None else patience)
        while True:
            one.used_at = now = self._ticks()
            closed = one.closed_until - now
            turn = None
            if closed <= 0:
                turn = one.next_turn(now, is_alone=self._is_alone) if one.is_paced else now
            if closed > 0 or turn is None:
                if now >= deadline or now + closed >= deadline:
                    return None
                if not one.is_known:
                    self.is_wanted.set()
                await _change(one, closed if closed > 0 else deadline - now)
                continue
            if turn > deadline:
                one.give_back(turn)
                return None
            if await self._comes(one, turn):
                return self._ticks()

    async def _comes(self, one: Slice, turn: float) -> bool:
        """Wait for a turn; whether the message may leave then."""
        try:
            await asyncio.sleep(turn - self._ticks())
        except asyncio.CancelledError:
            one.give_back(turn)
            raise
        now = self._ticks()
        return one.closed_until <= now and (not one.is_paced or now <= turn + one.late)

    def heard(self, one: Slice, receipt: Receipt | None, left_at: float, asked: float) -> None:
        """Take in what came back for a message that left at a time."""
        if one.hear(receipt, left_at, self._ticks(), asked):
            users, is_told = [user.named for user in one.users], isinstance(receipt, Accepted)
            note = log.info if is_told else log.warning  # a provider that says when, and is listened to, is well
            note("destination_closed", users=users, seconds=round(one.closed_until - self._ticks(), 1))
            self.is_wanted.set()
            one.wake()

    def hurry(self, one: Slice) -> None:
        """Somebody wants it tried now."""
        one.closed_until = one.heard_until = -math.inf
        one.is_hurried = True
        self.is_wanted.set()
        one.wake()

    def asking(self, held: Mapping[Destination, int]) -> dict[Destination, Slice]:
        """Those to ask for: where something waits, or left a moment ago. Others that are over are forgotten."""
        now, found = self._ticks(), {}
        for row, one in list(self._slices.items()):
            if any(one.users & held.keys()) or now - one.used_at < _AT_REST or one.is_hurried:
                found[row] = one
            elif one.closed_until <= now:
                del self._slices[row]
        return found

    @property
    def count(self) -> int:
        """The number of those of which something is shared."""
        return len(self._slices)

    @property
    def users(self) -> set[Destination]:
        """The destinations of which something is shared."""
        return {user for one in self._slices.values() for user in one.users}

    @property
    def closed(self) -> int:
        """The number of those that want to be let alone."""
        now = self._ticks()
        return sum(one.closed_until > now for one in self._slices.values())

    def soonest(self) -> list[float]:
        """Seconds until each that is held back may be asked again."""
        now = self._ticks()
        return [wait for one in self._slices.values() if (wait := one.wait(now)) > 0]


async def _change(one: Slice, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(one.changed.wait(), seconds)
