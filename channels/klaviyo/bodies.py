"""The bodies of single messages: a profile, or an event with the profile in it."""

from __future__ import annotations

import msgspec

from channels.klaviyo.bulk import EVENTS, PROFILES
from channels.payload import Variables, nothing_left, render_attributes
from schemas.channels.klaviyo import KlaviyoAddress, KlaviyoDelivery
from schemas.errors import RenderRefused
from schemas.record import JsonObject

_MAX_BYTES = {PROFILES: 100_000, EVENTS: 5_000_000}
_LONGEST_TEXT = 100_000
"""Bytes of a text in an event."""


def body_of(delivery: KlaviyoDelivery, variables: Variables) -> tuple[str, bytes]:
    """The path that it goes to, and the body. Raises RenderRefused."""
    to = delivery.klaviyo
    profile = _profile(to, variables)
    if to.event is None and "properties" not in profile:
        raise nothing_left()
    path = PROFILES if to.event is None else EVENTS
    said = _resource("profile", profile) if to.event is None else _event(delivery, profile, variables)
    body = msgspec.json.encode({"data": said})
    if len(body) > _MAX_BYTES[path]:
        raise RenderRefused("limit", f"the body has {len(body)} bytes, Klaviyo takes at most {_MAX_BYTES[path]}")
    return path, body


def _profile(to: KlaviyoAddress, variables: Variables) -> JsonObject:
    names = {"external_id": to.external_id, "email": to.email, "phone_number": to.phone_number}
    properties = render_attributes(to.attributes, variables)
    return {name: value for name, value in names.items() if value} | ({"properties": properties} if properties else {})


def _event(delivery: KlaviyoDelivery, profile: JsonObject, variables: Variables) -> JsonObject:
    event = delivery.klaviyo.event
    assert event is not None  # noqa: S101 - asked before
    properties = render_attributes(event.properties, variables)
    too_long = [name for name, value in properties.items() if len(msgspec.json.encode(value)) > _LONGEST_TEXT]
    if too_long:
        raise RenderRefused("limit", f"{', '.join(too_long)} has more than {_LONGEST_TEXT} bytes")
    return _resource(
        "event",
        {
            "metric": {"data": _resource("metric", {"name": event.name})},
            "profile": {"data": _resource("profile", profile)},
            "properties": {**properties, "delivery_id": delivery.delivery_id},
            "time": delivery.event.created_at.isoformat(timespec="seconds"),
            "unique_id": delivery.delivery_id,
        },
    )


def _resource(kind: str, attributes: JsonObject) -> JsonObject:
    return {"type": kind, "attributes": attributes}
