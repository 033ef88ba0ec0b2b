"""A segment as its author writes it, checked to the last key: a `SegmentDefinition`, or every problem found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.events.event import MAX_ID
from schemas.record import JsonObject
from schemas.record_key import is_plain
from schemas.segment import SegmentDefinition
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.conditions.parse import parse_condition
from streams.values.kinds import Group, Identifier, Key, ListOf, Plain, Text, plain_json
from streams.values.reader import DocumentReader
from streams.values.wording import Report

MAX_MEMBERS = 100_000
"""Ids of one static segment: every segmenter holds them."""

ReadMembers = Callable[[str], Sequence[str]]
"""The ids in a file that a definition names. Raises ValueError that says why it cannot be read."""


@dataclass(frozen=True, slots=True)
class CustomerCondition:
    """A condition over the customer's profile; `counts_events` where it may ask what the customer did as well."""

    counts_events: bool = False

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "a condition on the customer"

    def read(self, value: object, at: str, report: Report) -> JsonObject | None:
        """See `Value`."""
        _, problems = parse_condition(value, CUSTOMER_FIELDS, at=at, counts_events=self.counts_events)
        for problem in problems:
            report(problem.path, problem.message)
        return None if problems else plain_json(value)

    def schema(self) -> JsonObject:
        """See `Value`. The definitions of `streams/documents/json_schema.py` have to stand beside it."""
        return {"$ref": "#/$defs/of_customers" if self.counts_events else "#/$defs/condition"}


@dataclass(frozen=True, slots=True)
class CustomerId(Plain[str]):
    """An id that upstream gave."""

    @property
    def allowed(self) -> str:
        return f"a customer id: a text of 1 to {MAX_ID} characters, in quotes, without U+0000 and U+001F"

    def accepted(self, value: object) -> str | None:
        fits = isinstance(value, str) and 0 < len(value) <= MAX_ID and is_plain(value)
        return str(value) if fits else None

    def schema(self) -> JsonObject:
        return {"type": "string", "minLength": 1, "maxLength": MAX_ID, "pattern": "^[^\\u0000\\u001f]+$"}


MEMBERS = ListOf(CustomerId(), "customer ids, as in [cust_1, cust_2]", least=0, most=MAX_MEMBERS)
MEMBERSHIP = {
    "when": Key(
        CustomerCondition(counts_events=True),
        null="wrong",
        doc="What has to hold of a customer, and of what it did ([conditions.md](conditions.md)).",
        example="{customer.metadata.last_order: {before: 90d ago}}",
    ),
    "members": Key(MEMBERS, null="wrong", doc="Its customers, one by one.", example="[cust_1, cust_2]"),
    "members_file": Key(
        Text(": the name of a CSV file beside this one, customer ids in its first column"),
        null="wrong",
        doc="Its customers, in a file.",
        example="testers.csv",
    ),
}
"""The keys that say who belongs to a segment: it has exactly one of these keys."""
SEGMENT = Group(
    {
        "segment": Key(
            Identifier("lapsed-90-days", most=MAX_ID),
            required=True,
            doc="Its id, which it keeps.",
            example="lapsed-90-days",
        ),
        "name": Key(Text(": what people call it"), doc="What people call it.", default="its id", example="Lapsed"),
        **MEMBERSHIP,
    }
)
"""All that a segment may say."""


def parse_segment(
    source: object,
    *,
    project_id: str,
    version: int,
    now: datetime,
    read_members: ReadMembers,
    timezone: str | None = None,
) -> SegmentDefinition:
    """Check and complete a definition; `timezone` is the project's, where it has one of its own.

    Raises DefinitionInvalid with all problems, each with path and valid options.
    """
    reader = _Reader(read_members)
    read = reader.checked(reader.segment(source))
    identity = str(read["segment"])
    return SegmentDefinition(
        id=identity,
        project_id=project_id,
        name=str(read.get("name", identity)),
        version=version,
        when=read.get("when"),
        members=read.get("members"),
        timezone=timezone,
        updated_at=now,
    )


class _Reader(DocumentReader):
    """Check what has to hold between the keys, beside what each may hold."""

    def __init__(self, read_members: ReadMembers) -> None:
        super().__init__()
        self._read_members = read_members

    def segment(self, source: object) -> JsonObject:
        written = self._document(source, "segment", SEGMENT.keys)
        if written is None:
            return {}
        read = self._value(SEGMENT, written, "") or {}
        chosen = [key for key in MEMBERSHIP if key in written]
        if len(chosen) != 1:
            said = f"{' and '.join(chosen)} stand together; a segment has" if chosen else "is missing: a segment has"
            self._problem(chosen[1] if chosen else "when", f"{said} exactly one of {', '.join(MEMBERSHIP)}")
        elif "members_file" in read:
            read["members"] = self._from_file(read["members_file"])
        if "members" in read:
            read["members"] = list(dict.fromkeys(read["members"]))
        return read

    def _from_file(self, name: str) -> list[str]:
        try:
            return self._value(MEMBERS, self._read_members(name), "members_file") or []
        except ValueError as error:
            self._problem("members_file", str(error))
            return []
