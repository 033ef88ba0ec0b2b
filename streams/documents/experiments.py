"""Kinds of value that say who is in an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.distribution import ControlGroup
from schemas.record import JsonObject
from streams.values.kinds import Group, Key, Text
from streams.values.percent import Percent
from streams.values.wording import Report


@dataclass(frozen=True, slots=True)
class ControlGroupForm:
    """A share of a project's customers, alone or with the name of its draw."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"{Percent().allowed}, or a mapping: {_DRAWN.example}"

    def read(self, value: object, at: str, report: Report) -> ControlGroup | None:
        """See `Value`."""
        if isinstance(value, Mapping):
            read = _DRAWN.read(value, at, report)
            return ControlGroup(**read) if read and "share" in read else None
        share = Percent().read(value, at, report)
        return None if share is None else ControlGroup(share=share)

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"oneOf": [Percent().schema(), _DRAWN.schema()]}


_DRAWN = Group(
    {
        "share": Key(Percent(), required=True, doc="How many of its customers.", example="5%"),
        "experiment": Key(Text(": a name"), doc="Another name draws anew.", example="year-2027"),
    },
    "{share: 5%, experiment: year-2027}",
)
