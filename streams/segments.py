"""The segments that a customer belongs to, what has changed, and when time alone may change it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any

import msgspec

from schemas.errors import DefinitionInvalid, Problem
from schemas.events.event import Event
from schemas.events.objects import Customer, Segment
from schemas.events.triggers import SegmentsData
from schemas.record import JsonObject
from schemas.segment import SegmentDefinition
from streams.behaviours import behaviours_of
from streams.conditions.answer import Failure
from streams.conditions.behaviour import Known
from streams.conditions.dates import earliest
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.conditions.language import Behaviour, Condition
from streams.conditions.moments import Moment, changes_at
from streams.conditions.parse import parse_condition
from streams.event_context import EventContext, Head
from streams.identity import segment_event_id
from streams.index.guard import Guard, Guarded, written_zone
from streams.index.guards import GuardIndex
from streams.selection import Selection

ENTERED = "customer.segment.entered"
LEFT = "customer.segment.left"

Events = Mapping[str, Known]
"""What is known of what a customer did, by the key of the behaviour."""

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Membership(msgspec.Struct, frozen=True, gc=False):
    """A customer's place in a segment or out of it, and how often that has changed."""

    is_member: bool
    number: int


class Change(msgspec.Struct, frozen=True, gc=False):
    """A customer entered a segment, or left it; `number` counts the changes of this membership."""

    segment_id: str
    is_entry: bool
    number: int


class Judged(msgspec.Struct, frozen=True):
    """The segments that a customer belongs to; and, with the reason, those that cannot say whether it does.

    `clocked` are those whose answer time alone may change: of all others it is the same whatever the clock says.
    """

    members: set[str]
    unjudged: dict[str, str] = {}
    clocked: tuple[str, ...] = ()


NEVER = Membership(False, 0)


class SegmentIndex:
    """All segments of a project. Live ones stand on the index of rules, so that few of many are tried."""

    def __init__(self, project_id: str, zone: tzinfo = UTC) -> None:
        self._project_id = project_id
        self._zone = zone
        self._index = GuardIndex(zone)
        self._guards: dict[str, Guard] = {}
        self._moments: dict[str, Moment] = {}
        self._static: dict[str, frozenset[str]] = {}
        self._lists: dict[str, set[str]] = {}
        self.behaviours: dict[str, dict[str, Behaviour]] = {}
        """By segment, where it asks what customers did."""
        self.definitions: dict[str, SegmentDefinition] = {}
        self.objects: dict[str, JsonObject] = {}
        """Each segment as events have it, the same object for all of them."""
        nobody = SegmentsData(customer=Customer(id=""), segment=Segment(id=""))
        self._head = Head[Any](id="", project_id=project_id, type=ENTERED, created_at=_START, data=nobody)

    def insert(self, definition: SegmentDefinition) -> None:
        """Put in, in place of its earlier version. On DefinitionInvalid the segment is out."""
        self.remove(definition.id)
        if definition.when is not None:
            condition, problems = read_condition(definition)
            if condition is None:
                raise DefinitionInvalid(problems)
            selection, zone = Selection(self._project_id, ENTERED), written_zone(definition.timezone)
            self._guards[definition.id] = guard = self._index.compile(
                Guarded(definition.id, selection, condition, zone)
            )
            self._index.add(guard)
            moment = changes_at(condition, zone=zone or self._zone)
            if moment is not None:
                self._moments[definition.id] = moment
            if behaviours := {one.key: one for one in behaviours_of(condition)}:
                self.behaviours[definition.id] = behaviours
        self._static[definition.id] = members = frozenset(definition.members or ())
        for customer_id in members:
            self._lists.setdefault(customer_id, set()).add(definition.id)
        self.definitions[definition.id] = definition
        self.objects[definition.id] = {"id": definition.id, "name": definition.name}

    def remove(self, segment_id: str) -> None:
        """Take out; nothing where it is not in."""
        self.definitions.pop(segment_id, None)
        self.objects.pop(segment_id, None)
        guard = self._guards.pop(segment_id, None)
        if guard is not None:
            self._index.discard(guard)
        self._moments.pop(segment_id, None)
        self.behaviours.pop(segment_id, None)
        for customer_id in self._static.pop(segment_id, ()):
            self._lists[customer_id].discard(segment_id)
            if not self._lists[customer_id]:
                del self._lists[customer_id]

    def of(self, customer_id: str, row: bytes, now: datetime, events: Events = MappingProxyType({})) -> Judged:
        """The segments that a profile (JSON) belongs to, and those whose condition cannot judge it.

        `events` is what is known of what the customer did, by the behaviour's key.
        """
        context = EventContext(self._head, events, _as_objects, row)
        candidates, _ = self._index.candidates(context)
        found, unjudged, clocked = set(self._lists.get(customer_id, ())), {}, list[str]()
        for candidate in candidates:
            answer = candidate.answer(context, now)
            if candidate.guard.id in self._moments:
                clocked.append(candidate.guard.id)
            if answer is True:
                found.add(candidate.guard.id)
            elif answer is not False:
                unjudged[candidate.guard.id] = answer.reason if isinstance(answer, Failure) else ""
        return Judged(found, unjudged, tuple(clocked))

    def due(
        self, row: bytes, now: datetime, events: Events = MappingProxyType({}), *, among: Collection[str] | None = None
    ) -> datetime | None:
        """The first moment after `now` at which time alone may change what `of` answers; may be too early.

        `among`: the segments that `of` said are clocked, for the same row. Those that are not found by what a customer
        is are not found later either: where a segment stands in the index, the clock has no part.
        """
        asked = self._moments.keys() if among is None else among
        if not asked:
            return None
        facts = {"customer": msgspec.json.decode(row), "events": events}
        return earliest(self._moments[one](facts, now) for one in asked if one in self._moments)


def _as_objects(events: Any) -> dict[str, Any]:
    return {"data": {"events": events}}


def read_condition(definition: SegmentDefinition) -> tuple[Condition | None, tuple[Problem, ...]]:
    """The condition of a stored segment, or None with the problems, where this release cannot read it."""
    return parse_condition(definition.when, CUSTOMER_FIELDS, is_stored=True, counts_events=True)


def differences(wanted: Collection[str], known: Mapping[str, Membership], among: Collection[str]) -> list[Change]:
    """The changes that make what is known right, among some segments, in a fixed order."""
    members = {segment for segment, one in known.items() if one.is_member}
    return [
        Change(segment, segment not in members, known.get(segment, NEVER).number + 1)
        for segment in sorted(members.symmetric_difference(wanted))
        if segment in among
    ]


def segment_event(
    change: Change, project: str, segment: JsonObject, serial: int, profile: JsonObject, epoch: int, happened: datetime
) -> Event:
    """The event of a change: the same again whenever the same change is worked out again."""
    kind = ENTERED if change.is_entry else LEFT
    return Event(
        id=segment_event_id(project, change.segment_id, serial, profile["id"], epoch, kind, change.number),
        project_id=project,
        type=kind,
        created_at=happened,
        data={"customer": profile, "segment": segment},
    )
