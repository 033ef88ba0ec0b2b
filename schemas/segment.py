"""A segment: customers that fulfil a condition, or that stand in a list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from schemas.events.event import Id
from schemas.record import JsonObject, Record, doc


class SegmentDefinition(Record, frozen=True, kw_only=True):
    """The customers of a segment. Exactly one of `when` (a live segment) and `members` (a static one) is there."""

    id: Id
    project_id: Id
    name: str
    version: Annotated[int, Meta(ge=1)]
    when: Annotated[JsonObject | None, doc("A condition over customer.*, in the condition language.")] = None
    members: Annotated[list[str] | None, doc("Ids of customers.")] = None
    timezone: Annotated[str | None, doc("Where its project's days begin, where not as the settings say.")] = None
    updated_at: datetime

    @property
    def kind(self) -> str:
        """`live` or `static`."""
        return "live" if self.when is not None else "static"
