"""Slices of a destination's limit, handed out to the senders that share it.

Time is divided into slots, evenly spaced a little below the limit, and each slot is handed out once at most: so the sum
over all senders cannot be more than the limit, whoever starts, stops or stands still in between. A sender asks once a
second and gets its slots of the next `LASTS` seconds. Slots go round among those that want some; what one does not need
goes to those that need more. Times are seconds of the database's clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

LASTS = 2.0
"""Seconds ahead for which slots are handed out: those of a sender that dies are lost for so long at most."""
PACE = 0.97
"""Of the limit, so that the provider's own window never sees more, though departures are late by up to `LATE`."""
LATE = 0.03
"""Of the time that a limit is for: by so much a message may leave after its turn; later, the turn is lost."""
_ALIVE = 2.5
"""Seconds after which a sender that did not ask is gone: longer than anything that it was given."""
_SHORTEST_SLOT = 0.02
"""Slots of many messages a second hold several, evenly spaced, so that a row stays small."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Slots of `length` seconds with `each` messages, from a length after `starts` until the next segment starts."""

    starts: float
    length: float
    each: int


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sender: the slots that it has and have not passed, and how many messages it may have under way.

    `wanted`: messages that wait with it. `is_hungry`: it got fewer turns than that. `rate` and `concurrency` are the
    limits as it knows them.
    """

    asked_at: float
    wanted: int = 0
    is_hungry: bool = False
    slots: tuple[float, ...] = ()
    at_once: int = 0
    rate: float | None = None
    concurrency: int | None = None


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True):
    """The slots of one destination, and who has them."""

    segments: tuple[Segment, ...] = ()
    members: dict[str, Member] = {}


class Wish(msgspec.Struct, frozen=True):
    """The wish of a sender. `rate` is in messages a second; None where only `concurrency` bounds it."""

    owner: str
    wanted: int
    in_flight: int = 0
    rate: float | None = None
    concurrency: int | None = None


class Grant(msgspec.Struct, frozen=True):
    """The answer: turns, one a message, in order; messages under way at once; None where that is not bounded.

    `held`: with those that it had, the messages that may leave within `LASTS`. `members`: so many share.
    """

    turns: tuple[float, ...] = ()
    held: int = 0
    at_once: int | None = None
    rate: float | None = None
    members: int = 1


def granted(schedule: Schedule, wish: Wish, now: float) -> tuple[Schedule, Grant]:
    """The schedule after a wish, and what it grants."""
    others = {name: one for name, one in _alive(schedule.members, now).items() if name != wish.owner}
    before = schedule.members.get(wish.owner, Member(now))
    rate = _least(wish.rate, *(one.rate for one in others.values()))
    at_once = _at_once(others, wish)
    held = tuple(one for one in before.slots if now <= one <= now + LASTS)
    segments: tuple[Segment, ...] = ()
    got: list[float] = []
    has = 0
    if rate is not None:
        segments = _continued(schedule.segments, rate, now)
        need = math.ceil(wish.wanted / segments[0].each) - len(held)
        got = _taken(_window(segments, now), others, wish, held, need)
        has = _messages(segments, (*held, *got))
    member = Member(
        now, wish.wanted, wish.wanted > has, (*held, *got), max(at_once or 0, wish.in_flight), wish.rate,
        wish.concurrency,
    )  # fmt: skip
    turns = tuple(turn for slot in got for turn in _turns(segments, slot))
    made = Schedule(segments, {**others, wish.owner: member})
    return made, Grant(turns, has, at_once, rate, len(made.members))


def fair_shares(total: int, wants: Sequence[int]) -> list[int]:
    """A number divided so that nobody gets more than it wants, nor less than another that wants as much.

    What does not divide goes to the first.
    """
    shares, left = [0] * len(wants), total
    while left > 0 and (open_ones := [rank for rank, want in enumerate(wants) if shares[rank] < want]):
        part, rest = divmod(left, len(open_ones))
        for place, rank in enumerate(open_ones):
            more = min(wants[rank] - shares[rank], part + (place < rest))
            shares[rank] += more
            left -= more
    return shares


def part_of(total: int, members: int, before: int) -> int:
    """The part of a number that one of its members has, with so many `before` it: all parts together are the number.

    Where there are more members than that, each has one.
    """
    part, rest = divmod(total, members)
    return max(1, part + (before < rest))


def _alive(members: Mapping[str, Member], now: float) -> dict[str, Member]:
    """Those that asked lately, by a clock that may have been set back."""
    return {
        name: msgspec.structs.replace(one, slots=tuple(slot for slot in one.slots if slot >= now))
        for name, one in members.items()
        if -1.0 < now - one.asked_at < _ALIVE
    }


def _least(*bounds: float | None) -> float | None:
    return min((one for one in bounds if one is not None), default=None)


def _continued(segments: tuple[Segment, ...], rate: float, now: float) -> tuple[Segment, ...]:
    """The segments from now on. Another rate counts from where nothing is handed out yet."""
    while len(segments) > 1 and segments[1].starts <= now:
        segments = segments[1:]
    gap = 1 / (rate * PACE)
    each = max(1, math.ceil(_SHORTEST_SLOT / gap))
    length = gap * each
    if not segments or segments[-1].starts > now + 2 * LASTS:  # none yet, or the clock was set back
        return (Segment(now - length, length, each),)
    last = segments[-1]
    if (last.length, last.each) == (length, each):
        return segments
    return (*segments, Segment(max(now + LASTS, last.starts), length, each))


def _window(segments: tuple[Segment, ...], now: float) -> list[tuple[float, int]]:
    """The slots that can be handed out, each with its number."""
    found = []
    ends = [one.starts for one in segments[1:]] + [math.inf]
    for segment, end in zip(segments, ends, strict=True):
        number = max(1, math.ceil((now - segment.starts) / segment.length))
        while (slot := segment.starts + number * segment.length) < min(end, now + LASTS):
            if slot >= now:
                found.append((slot, number))
            number += 1
    return found


def _taken(
    window: list[tuple[float, int]], others: Mapping[str, Member], wish: Wish, held: tuple[float, ...], need: int
) -> list[float]:
    """The slots that a sender takes: its own in the round, and those that their owners do not need."""
    gone = {slot for one in others.values() for slot in one.slots} | set(held)
    free = [(slot, number) for slot, number in window if slot not in gone]
    names = sorted([*others, wish.owner])
    own = [slot for slot, number in free if names[number % len(names)] == wish.owner]
    hungry = sorted([name for name, one in others.items() if one.is_hungry])
    if hungry and need < len(own):
        return own[: max(0, need)]
    eaters = sorted([*hungry, wish.owner])
    spare = [
        slot
        for slot, number in free
        if names[number % len(names)] not in eaters and eaters[number // len(names) % len(eaters)] == wish.owner
    ]
    return sorted(own + spare[: max(0, need - len(own))])


def _turns(segments: tuple[Segment, ...], slot: float) -> list[float]:
    segment = [one for one in segments if one.starts <= slot][-1]
    return [slot + place * segment.length / segment.each for place in range(segment.each)]


def _messages(segments: tuple[Segment, ...], slots: Sequence[float]) -> int:
    return sum(len(_turns(segments, slot)) for slot in slots if slot >= segments[0].starts)


def _at_once(others: Mapping[str, Member], wish: Wish) -> int | None:
    """A fair share of what may be under way, as far as others do not hold it yet."""
    bounds = [one for one in (wish.concurrency, *(one.concurrency for one in others.values())) if one is not None]
    if not bounds:
        return None
    limit = min(bounds)
    names = sorted([*others, wish.owner])
    wants = [max(1, wish.wanted if name == wish.owner else others[name].wanted) for name in names]
    shares = fair_shares(limit, wants)
    fair = shares[names.index(wish.owner)] + (limit - sum(shares)) // len(names)  # what nobody needs is there for all
    return max(0, min(fair, limit - sum(one.at_once for one in others.values())))
