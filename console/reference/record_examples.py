"""An example of each topic's records, made of the struct that declares them: its fields by their names."""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.audit_record import AuditRecord
from schemas.channels.sms import SmsAddress
from schemas.channels.tables import DELIVERY_TYPES
from schemas.channels.webhook import WebhookDelivery
from schemas.contract import record_type
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.events.samples import CUSTOMER, OBJECTS
from schemas.events.triggers import EVENT_TOPICS, TRIGGERS
from schemas.hold import Hold
from schemas.publication_request import Draft
from schemas.record import JsonObject
from schemas.topics import CUSTOMERS, DEAD_LETTERS

_AT = datetime(2026, 11, 20, 9, 12, 4, tzinfo=UTC)
_ORDER_PAID = "customer.order.paid"
_VALUES: Mapping[str, Any] = {
    "id": "order-thanks",
    "name": "Thanks for the order",
    "version": 3,
    "project_id": "shop",
    "customer_id": CUSTOMER["id"],
    "delivery_id": "dlv_1c2d6e0a54f94f0f9e0f5a1b7c3d9e88",
    "decision_id": "dec_5b0c1f6f4c0e4f7b8a3e6d2c9f1a7b54",
    "publication_id": "pub_0f4d2a6b8c1e4d3f9a7b5c6d8e2f1a30",
    "hold_id": "hld_7a1b3c5d9e0f4a2b8c6d1e3f5a7b9c0d",
    "notice_id": "ntc_3e5f7a9b1c2d4e6f8a0b2c4d6e8f0a1b",
    "occurrence": "ev_ord_1",
    "campaign": "spring-codes",
    "status": "LIVE",
    "channel": "email",
    "reason": "quiet_hours",
    "about": "email/main",
    "summary": "The account refuses our password.",
    "look_at": "tidings destinations",
    "account": "main",
    "type": "order-thanks",
    "category": "marketing",
    "consent": "marketing",
    "priority": 0,
    "attempts": 1,
    "round": 0,
    "revision": 1_763_629_924_000_000,
    "arrived_at": 1_763_629_924_000,
    "segments": ["lapsed-90-days"],
    "topic": "events.orders",
    "value": b'{"id": "ev_ord_1", "type": "customer.order.paid"}',
    "when_empty": "stop",
    "to": CUSTOMER["email"],
    "email": CUSTOMER["email"],
    "phone": CUSTOMER["phone"],
    "external_id": CUSTOMER["id"],
    "custom_id": CUSTOMER["id"],
    "digest": "9b1c" * 16,
    "url": "https://hooks.shop.example/tidings",
    "event": _ORDER_PAID,
    "code": "SPRING-7K2P",
    "position": 1207,
    "hash": "5f0c" * 16,
    "actor": "key:ci",
    "action": "distribution.paused",
    "thing": "order-thanks",
}
"""By the field's name, where its kind is that of the value."""
_OF_STRUCTS: Mapping[str, JsonObject] = {
    "EventRef": {"id": "ev_ord_1", "type": _ORDER_PAID, "created_at": _AT},
    "Recipient": {"id": CUSTOMER["id"], "locale": CUSTOMER["locale"], "timezone": CUSTOMER["timezone"]},
    "TemplateRef": {"name": "order-thanks", "digest": "9b1c" * 16},
    "ConsentChoice": {"category": "marketing", "given": False, "at": _AT, "way": "one_click"},
}
_FURTHER: Mapping[type, JsonObject] = {
    AuditRecord: {
        "version": 4,
        "change": '{"before":{"status":"LIVE"},"after":{"status":"PAUSED"}}',
        "request_id": "3f1b6c0a9d2e4f7b8a5c6d7e8f90a1b2",
        "key_id": "key_0123456789abcdef",
        "address": "192.0.2.7",
    },
    Decision: {"channel": "email", "delivery_id": _VALUES["delivery_id"]},
    Hold: {"channel": "email", "step": 0, "until": datetime(2026, 11, 21, 7, 0, tzinfo=UTC)},
    SmsAddress: {"to": CUSTOMER["phone"]},
    WebhookDelivery: {"account": "hooks.shop.example"},
}
"""Fields that have a default, or are meant otherwise than by their name."""
_DATA: JsonObject = {"customer": CUSTOMER, "order": OBJECTS["order"]}


def examples(topic: str) -> list[JsonObject]:
    """Valid records of a topic as JSON has them; of dead-letters the facts in its headers."""
    if topic in EVENT_TOPICS:
        return [one.sample() for one in TRIGGERS.values() if one.topic == topic]
    if topic == CUSTOMERS:
        return [CUSTOMER]
    if topic == DEAD_LETTERS:
        return [{name: (value or b"").decode() for name, value in _LETTER.headers()}]
    struct = record_type(topic)
    made: JsonObject = msgspec.to_builtins(msgspec.convert(_record(struct), struct))
    return [made]


_LETTER = DeadLetter(
    topic="events.orders", partition=3, offset=41, role="matcher", kind="invalid_event",
    message='data has no "order", which customer.order.paid needs', path="data.order",
    failed_at="2026-11-20T09:12:05Z", timestamp=1_763_629_924_000,
)  # fmt: skip


def _record(struct: type[msgspec.Struct]) -> JsonObject:
    """A struct's needed fields, and those that others follow: a channel's delivery has its address."""
    if struct.__name__ in _OF_STRUCTS:
        return dict(_OF_STRUCTS[struct.__name__])
    if struct is Draft:
        email = _record(DELIVERY_TYPES["email"])
        return {"delivery": {name: one for name, one in email.items() if name != "data"}, "decision": _record(Decision)}
    hints = get_type_hints(struct, include_extras=False)
    tag = struct.__struct_config__.tag
    made: JsonObject = {} if tag is None else {str(struct.__struct_config__.tag_field): tag}
    for field in msgspec.structs.fields(struct):
        if field.required or field.name == "external_id":
            made[field.encode_name] = _value(field.name, hints[field.name])
    return made | _FURTHER.get(struct, {})


def _value(name: str, hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        return _value(name, get_args(hint)[0])
    if name == "data" and _kind(hint) is dict:
        return _DATA
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _record(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return _value(name, next(one for one in get_args(hint) if one is not type(None)))
    if get_origin(hint) is Literal:
        known = _VALUES.get(name)
        return known if known in get_args(hint) else get_args(hint)[0]
    if get_origin(hint) is list:
        known = _VALUES.get(name)
        return known if isinstance(known, list) else [_value(name, get_args(hint)[0])]
    known = _VALUES.get(name)
    return known if isinstance(known, _kind(hint)) else _PLAIN[_kind(hint)]


def _kind(hint: Any) -> type:
    kind: type = get_origin(hint) or hint
    return kind


_PLAIN: Mapping[type, Any] = {str: "text", int: 1, float: 1.0, bool: True, bytes: b"", datetime: _AT, dict: {}}
