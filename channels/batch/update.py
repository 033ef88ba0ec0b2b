"""A profile's update as Batch reads it: attributes, and an event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from channels.payload import nothing_left, render_attributes
from schemas.channels.batch import BatchDelivery
from schemas.errors import RenderRefused
from schemas.record import JsonObject

_EDITS = ("$add", "$remove")


def update(delivery: BatchDelivery, variables: JsonObject) -> JsonObject:
    """The update of one profile. Raises RenderRefused."""
    to = delivery.batch
    made: JsonObject = {"identifiers": {"custom_id": to.custom_id}}
    if attributes := _fitting(render_attributes(to.attributes, variables)):
        made["attributes"] = attributes
    if to.event is not None:
        properties = _fitting(render_attributes(to.event.properties, variables))
        told = {**properties, "delivery_id": delivery.delivery_id}
        made["events"] = [{"name": to.event.name, "attributes": told}]
    if len(made) == 1:
        raise nothing_left()
    return made


def _fitting(attributes: JsonObject) -> JsonObject:
    """Attributes with their dates as Batch reads them, and without what would be done to a list with nothing."""
    made: JsonObject = {}
    for name, value in attributes.items():
        if isinstance(value, dict) and value and value.keys() <= set(_EDITS):
            if edits := {edit: items for edit, items in value.items() if items}:
                made[name] = edits
        else:
            made[name] = _moment(name, value) if name.startswith("date(") else value
    return made


def _moment(name: str, value: Any) -> str:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise RenderRefused("template_error", f"{name} is not a date such as 2026-11-20T09:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
