"""A segment as its author writes it, checked to the last key: a `SegmentDefinition`, or every problem found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from schemas.errors import DefinitionInvalid, Problem
from schemas.event import MAX_ID
from schemas.objects import Customer
from schemas.segment_definition import SegmentDefinition
from streams.conditions.fields import Fields, nearest
from streams.conditions.parse import parse_condition
from streams.definition import plain_json

KEYS = ("segment", "name", "when", "members", "members_file")
"""The keys of a segment, in the order in which they read best."""

MAX_MEMBERS = 100_000
"""Ids of one static segment: every segmenter holds them."""

CUSTOMER_FIELDS = Fields({"customer": Customer}, closed=True)
"""What a segment may ask about: there is no event, so the customer is all there is."""

_MEMBERSHIP = ("when", "members", "members_file")
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")

ReadMembers = Callable[[str], Sequence[str]]
"""The ids in a file that a definition names. Raises ValueError that says why it cannot be read."""


def parse_segment(
    source: object, *, project_id: str, version: int, now: datetime, read_members: ReadMembers
) -> SegmentDefinition:
    """Check and complete a definition. Raises DefinitionInvalid with all problems, each with path and valid options."""
    reader = _Reader(read_members)
    identity, name, when, members = reader.read(source)
    if reader.problems:
        raise DefinitionInvalid(tuple(reader.problems))
    return SegmentDefinition(
        id=identity, project_id=project_id, name=name, version=version, when=when, members=members, updated_at=now
    )


class _Reader:
    """Reads each key on its own, so that one problem does not hide the next."""

    def __init__(self, read_members: ReadMembers) -> None:
        self.problems: list[Problem] = []
        self._read_members = read_members

    def read(self, source: object) -> tuple[str, str, dict[str, Any] | None, list[str] | None]:
        if not isinstance(source, Mapping):
            self._problem("", f"a segment is a mapping with {', '.join(KEYS)}")
            return "", "", None, None
        self._known_keys(source)
        identity = self._identifier(source.get("segment"))
        name = self._name(source.get("name"), identity)
        there = [key for key in _MEMBERSHIP if key in source]
        if len(there) != 1:
            said = f"{' and '.join(there)} stand together; a segment has" if there else "is missing: a segment has"
            at = there[1] if there else "when"
            self._problem(at, f"{said} exactly one of {', '.join(_MEMBERSHIP)}")
            return identity, name, None, None
        if there == ["when"]:
            return identity, name, self._when(source["when"]), None
        if there == ["members"]:
            return identity, name, None, self._members(source["members"])
        return identity, name, None, self._from_file(source["members_file"])

    def _known_keys(self, source: Mapping[Any, Any]) -> None:
        for key in source:
            if key not in KEYS:
                meant = nearest(str(key), KEYS)
                hint = f" Did you mean {meant}?" if meant else ""
                self._problem(str(key), f'"{key}" is not known here.{hint} There are: {", ".join(KEYS)}')

    def _identifier(self, value: object) -> str:
        if isinstance(value, str) and 0 < len(value) <= MAX_ID and _ID_CHARACTERS.issuperset(value):
            return value
        said = "is missing: the" if value is None else "is an"
        self._problem("segment", f"{said} id of letters, digits, dash, underscore and dot, such as lapsed-90-days")
        return ""

    def _name(self, value: object, otherwise: str) -> str:
        if value is None:
            return otherwise
        if not isinstance(value, str) or not value.strip():
            self._problem("name", "is a text: how people call the segment")
        return str(value)

    def _when(self, value: object) -> dict[str, Any] | None:
        _, problems = parse_condition(value, CUSTOMER_FIELDS)
        self.problems += problems
        return plain_json(value) if isinstance(value, Mapping) else None

    def _members(self, value: object, at: str = "members") -> list[str]:
        if not isinstance(value, list | tuple):
            self._problem(at, "is a list of customer ids, as in [cust_1, cust_2]")
            return []
        if len(value) > MAX_MEMBERS:
            self._problem(at, f"has {len(value)} ids; a static segment has at most {MAX_MEMBERS}; use when instead")
        for number, one in enumerate(value):
            if not isinstance(one, str) or not 0 < len(one) <= MAX_ID:
                self._problem(f"{at}[{number}]", f"is a customer id: a text of 1 to {MAX_ID} characters, in quotes")
        return list(dict.fromkeys(map(str, value)))

    def _from_file(self, value: object) -> list[str]:
        if not isinstance(value, str) or not value:
            self._problem("members_file", "is the name of a CSV file beside this one, customer ids in its first column")
            return []
        try:
            return self._members(list(self._read_members(value)), "members_file")
        except ValueError as error:
            self._problem("members_file", str(error))
            return []

    def _problem(self, at: str, message: str) -> None:
        self.problems.append(Problem(at, message))
