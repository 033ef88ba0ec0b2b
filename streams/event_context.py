"""One event on its way through the matcher: its head at once, the rest only when a rule asks for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from schemas.events.event import Id
from schemas.events.objects import Customer
from schemas.events.triggers import MANUAL, SEND, ManualData, object_fields
from schemas.formats.blank import trimmed
from schemas.formats.paths import path_text
from schemas.record import JsonObject, Record
from streams.conditions.answer import Answer, Misfit, misfit
from streams.conditions.compile import Facts
from streams.conditions.fields import EVENT, has_own_event
from streams.conditions.getter import Getter, getter
from streams.conditions.language import SEGMENTS, Path
from streams.loose import loosely, tidied, with_whole_quantities
from streams.recent import Sent, read_recent

Profile = dict[str, Any]
"""A customer's row of the customer table, decoded."""

Data = TypeVar("Data", bound=Record)


def profile_text(profile: Profile, name: str) -> str | None:
    """A text of a profile without the space around it; None where nothing is left, or it is of another kind."""
    value = profile.get(name)
    return trimmed(value) or None if isinstance(value, str) else None


class Head(msgspec.Struct, Generic[Data], frozen=True, kw_only=True):
    """The envelope and the known fields of the objects, checked. What upstream sent beside them is not in it."""

    id: Id
    project_id: Id
    type: str
    created_at: Annotated[datetime, Meta(tz=True)]
    data: Data

    @property
    def customer_id(self) -> str:
        """The id of the customer whom the event is about."""
        customer_id: str = self.data.customer.id  # type: ignore[attr-defined]
        return customer_id


class LooseHead(Head[Data], Generic[Data], frozen=True, kw_only=True):
    """A head with fields that are not of their kind, or were not before they were tidied (`loose.py`)."""


def is_addressed(head: Head[Any]) -> bool:
    """True for an event that names the one distribution that it is for."""
    return type(head.data) is ManualData


def is_backfilled(head: Head[Any]) -> bool:
    """True for an entry that is made up for a member of a segment, when a distribution is set live."""
    return type(head.data) is ManualData and head.type != MANUAL


def _nothing() -> None:
    """No row."""


def _not_asked() -> Misfit:
    """The segments of a customer about whom nobody was asked."""
    return Misfit("customer.segments", "list", "the segments of the customer are not known here")


class EventContext:
    """An event's head, its record not yet decoded as a whole, and its customer's rows where there are any.

    `decode` turns `raw` into the event as plain mappings with all that upstream sent; `row` is the JSON of a profile,
    `recent` gets a row of `streams/recent.py`, and `segments` the ids of the customer's: few events need them.
    """

    __slots__ = (
        "_decode", "_raw", "_recent_row", "_row", "_segments_of", "answers", "customer", "customer_facts",
        "event_facts", "facts", "head", "is_loose", "recent", "segments",
    )  # fmt: skip

    customer: Customer
    """The known fields of the profile that counts: the table's, else the one inside the event."""
    facts: Facts
    """The whole event as conditions and templates see it. Raises Undecodable."""
    event_facts: Facts
    """The same with the customer as the event has it. Raises Undecodable."""
    customer_facts: Facts
    """The same as far as the customer goes; what else is in it is the event's own. Raises Undecodable."""
    recent: list[Sent]
    """The customer's recent sends."""
    segments: list[str] | Misfit
    """Ids of the segments that the customer is in, sorted; or why they are not known."""
    is_loose: bool
    """True where known fields may hold something of another kind."""

    def __init__(
        self,
        head: Head[Any],
        raw: Any,
        decode: Callable[[Any], dict[str, Any]],
        row: bytes | None = None,
        recent: Callable[[], bytes | None] = _nothing,
        segments: Callable[[], list[str] | Misfit] = _not_asked,
    ) -> None:
        self.head, self.is_loose = head, type(head) is LooseHead
        self.answers: dict[object, Answer] = {}
        self._raw, self._decode, self._row = raw, decode, row
        self._recent_row, self._segments_of = recent, segments
        if row is None:
            self.customer = head.data.customer

    def __getattr__(self, name: str) -> Any:
        """Work out what is asked for the first time; from then on it is a plain attribute."""
        if name == "customer" and self._row is not None:
            self.customer = self._customer(self._row)
            return self.customer
        if name == "facts":
            self.facts = self.event_facts if self._row is None else {**self.event_facts, **self.customer_facts}
            return self.facts
        if name == "event_facts":
            data = self._decode(self._raw)["data"]
            known = tidied(data, type(self.head.data)) if self.is_loose else with_whole_quantities(data)
            self.event_facts = facts_of(known, self.head, None)
            return self.event_facts
        if name == "customer_facts":
            row = self._row
            self.customer_facts = self.event_facts if row is None else {"customer": msgspec.json.decode(row)}
            return self.customer_facts
        if name == "recent":
            self.recent = read_recent(self._recent_row())
            return self.recent
        if name == "segments":
            self.segments = self._segments_of()
            return self.segments
        raise AttributeError(name)

    def _customer(self, row: bytes) -> Customer:
        try:
            return _CUSTOMERS.decode(row)
        except msgspec.ValidationError:
            self.is_loose = True
            return loosely(msgspec.json.decode(row), Customer)


_CUSTOMERS = msgspec.json.Decoder(Customer)


def facts_of(data: dict[str, Any], head: Any, profile: Profile | None) -> Facts:
    """The facts that conditions and templates see: the event's objects, with the customer table's profile, if any."""
    facts = dict(data)
    if profile is not None:
        facts["customer"] = profile
    if is_backfilled(head):  # as if the customer had entered just then
        del facts["distribution"], facts[SEND]
    if not has_own_event(head.type):
        facts[EVENT] = {"id": head.id, "type": head.type, "created_at": head.created_at.isoformat()}
    return facts


def objects_of(facts: Facts, kind: str) -> JsonObject:
    """The objects that go out of an event of a type, without the envelope, and what its send says to matchers."""
    inner = (*(() if has_own_event(kind) else (EVENT,)), *((SEND,) if kind == MANUAL else ()))
    return {name: value for name, value in facts.items() if name not in inner} if inner else dict(facts)


def reader(path: Path, data: type[Record]) -> Getter:
    """A function of an event that reads a path: from the head where it is known there, else from all that there is.

    Objects and lists are never taken from the head: what upstream sent beside the known fields belongs to them.
    """
    root = path[0]
    if path[:2] == SEGMENTS:
        return _SEGMENTS if len(path) == 2 else lambda context: misfit(context.segments, path_text(SEGMENTS))
    whole = _decoded(path)
    if root == EVENT and not _always_there(root, data):  # of some types on the topic the envelope, of some an object
        return whole
    known, names, hint = _followed(path, data)
    from_head = attrgetter(".".join(known))
    if not names and hint in _SCALARS:
        is_there = _always_there(root, data) and len(path) == 2
        return from_head if is_there else _or_else(from_head, whole)
    if names and (get_origin(hint) or hint) is dict:
        return _in_mapping(from_head, names, whole)
    return whole


def is_in_head(path: Path, data: type[Record]) -> bool:
    """True where `reader` finds a path without decoding anything, mostly."""
    if path[0] == EVENT and not _always_there(EVENT, data):
        return False
    _, names, hint = _followed(path, data)
    return path[:2] == SEGMENTS or ((get_origin(hint) or hint) is dict if names else hint in _SCALARS)


def _followed(path: Path, data: type[Record]) -> tuple[list[str], Path, Any]:
    """The attributes of an event that a path goes along, what is left of it behind them, and the kind of the last."""
    root, *names = path
    known, hint = ["customer"] if root == "customer" else ["head", "data", root], object_fields(data).get(root)
    while names and _is_struct(hint) and names[0] in object_fields(hint):
        known.append(names[0])
        hint = object_fields(hint)[names.pop(0)]
    return known, tuple(names), hint


def _decoded(path: Path) -> Getter:
    """Reads a path where the head does not have it. A customer's path needs the profile alone, any other the event."""
    whole = getter(path)
    if path[0] == "customer":
        return lambda context: whole(context.customer_facts)
    return lambda context: whole(context.event_facts)


def item_structs(path: Path, data: type[Record]) -> tuple[Getter, dict[str, Any]] | None:
    """The getter of a list of objects that an event's head has, and the kinds of their fields; None for any other."""
    if len(path) != 2 or path[0] in ("customer", EVENT):
        return None
    outer = object_fields(data).get(path[0])
    hint = object_fields(outer).get(path[1]) if _is_struct(outer) else None
    if get_origin(hint) is not list or not _is_struct(get_args(hint)[0]):
        return None
    return attrgetter(f"head.data.{path[0]}.{path[1]}"), object_fields(get_args(hint)[0])


_SEGMENTS: Getter = attrgetter("segments")
_SCALARS = (str, int, float, bool)


def _always_there(root: str, data: type[Record]) -> bool:
    return any(field.name == root and field.required for field in msgspec.structs.fields(data))


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _or_else(from_head: Getter, whole: Getter) -> Getter:
    """An object on the way may be missing; where one is of another kind, the whole event says what is there."""

    def read(context: EventContext) -> Any:
        try:
            return from_head(context)
        except AttributeError:
            return whole(context) if context.is_loose else None

    return read


def _in_mapping(from_head: Getter, names: Path, whole: Getter) -> Getter:
    name, *inner = names
    deeper = getter(tuple(inner)) if inner else None

    def read(context: EventContext) -> Any:
        try:
            found = from_head(context).get(name)
        except AttributeError:
            return whole(context) if context.is_loose else None
        if deeper is None or found is None:
            return found
        return deeper(found) if type(found) is dict else whole(context)

    return read
