"""The events that segments count: which behaviours an event is of, and what it adds to each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any

from schemas.events.triggers import TRIGGERS
from streams.conditions.answer import Run
from streams.conditions.behaviour import Event, hashed, in_microseconds
from streams.conditions.compile import Compiler
from streams.conditions.getter import Getter
from streams.conditions.language import All, AnyOf, Behaviour, Condition, Happened, Not
from streams.event_context import EventContext, reader

_TICK = timedelta(milliseconds=1)
"""In which Kafka says when a record was written: events of the same one keep their own time."""


def behaviours_of(condition: Condition | None) -> Iterator[Behaviour]:
    """The behaviours that a condition asks for."""
    match condition:
        case Happened(behaviour):
            yield behaviour
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from behaviours_of(part)
        case Not(part):
            yield from behaviours_of(part)


def topic_of(behaviour: Behaviour) -> str:
    """The topic, without prefix, on which its events come."""
    return TRIGGERS[behaviour.event].topic


@dataclass(frozen=True, slots=True)
class _Counted:
    key: str
    fits: Run | None
    of: Getter | None


class Counting:
    """The behaviours of a project, ready to be asked about events. Days in `when` begin in `zone`."""

    def __init__(self, behaviours: Iterable[Behaviour], zone: tzinfo = UTC) -> None:
        self._by_type: dict[str, list[_Counted]] = {}
        for one in behaviours:
            read = partial(reader, data=TRIGGERS[one.event].data)
            compiler = Compiler(read, remember=False, here=zone)
            fits = compiler.compile(one.when) if one.when else None
            counted = _Counted(one.key, fits, read(one.of) if one.of else None)
            self._by_type.setdefault(one.event, []).append(counted)

    def counts(self, kind: str) -> bool:
        """True where events of a type are counted at all."""
        return kind in self._by_type

    def of(self, context: EventContext, written_at: datetime | None) -> list[tuple[str, Event]]:
        """By behaviour, what an event adds. It did not happen after it was written; `when` is asked at its own time.

        Where `when` cannot be judged, or the field holds no number, that stays part of what is known.
        """
        head = context.head
        at = head.created_at
        if written_at is not None and at >= written_at + _TICK:
            at = written_at
        found = []
        for one in self._by_type.get(head.type, ()):
            answer = True if one.fits is None else one.fits(context, at)
            if answer is not False:
                value = _value(one.of, context) if answer is True else None
                found.append((one.key, (in_microseconds(at), hashed(head.id), value)))
        return found


def _value(of: Getter | None, context: EventContext) -> int | float | None:
    value: Any = 0 if of is None else of(context)
    if value is None:
        return 0
    return value if type(value) in (int, float) else None
