"""The envelope of every event."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from schemas.record import JsonObject, Record, doc

MAX_ID = 256
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]


class Event(Record, frozen=True, kw_only=True):
    """Something that happened to a customer. The record key is the customer's id."""

    id: Annotated[Id, doc("Unique; a repeat of the same id is the same event.")]
    project_id: Id
    type: Annotated[str, doc("One of the trigger types.")]
    created_at: Annotated[datetime, Meta(tz=True), doc("When it happened, with a UTC offset.")]
    data: Annotated[JsonObject, doc("The objects of the event's type; `customer` is always there.")]

    @property
    def customer_id(self) -> str:
        """Whom the event is about."""
        customer_id: str = self.data["customer"]["id"]
        return customer_id
