"""Events in the forms that others send are the same events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.contract import topic_codec
from schemas.errors import InvalidEvent, Undecodable
from schemas.events.triggers import TRIGGERS
from schemas.record_key import record_key
from streams.event_context import EventContext
from streams.events import EventReader
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.upstream import trigger_type
from tests.factory import NOW, rule

OURS = TRIGGERS["customer.order.paid"].sample(project_id="shop")
READER = EventReader(
    "events.orders",
    topic_codec("events.orders", "avro"),
    max_future=timedelta(days=1),
    max_bytes=1 << 20,
    default_project="shop",
)
CLOUD: dict[str, Any] = {
    "specversion": "1.0",
    "type": "com.example.customer.order.paid",
    "source": "/shop",
    "id": OURS["id"],
    "time": OURS["created_at"],
    "datacontenttype": "application/json",
    "data": OURS["data"],
}
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"customer.order.paid"),
    ("ce_source", b"/shop"),
    ("ce_id", OURS["id"].encode()),
    ("ce_time", OURS["created_at"].encode()),
    ("content-type", b"application/json; charset=utf-8"),
    ("traceparent", b"00-1-2-01"),
]
OLD: dict[str, Any] = {
    "id": "whs_1",
    "project_id": "shop",
    "created_at": "2026-11-20T09:13:00Z",
    "type": "paid.in.my.words",
    "data": OURS["data"],
    "source": {"id": "distr_1", "object": "distribution", "target_url": "https://x.example.com"},
    "event": {
        "id": OURS["id"],
        "type": "customer.order.paid",
        "created_at": OURS["created_at"],
        "entity_id": "cust_17",
        "group_id": "g",
        "event_source": {"channel": "API"},
    },
}

Record = tuple[Any, list[tuple[str, bytes]]]


@pytest.mark.parametrize(
    "record",
    [
        (OURS, []),
        (OURS, BINARY),
        (CLOUD, []),
        ({**CLOUD, "type": "customer.order.paid", "projectid": "shop", "datacontenttype": "application/x+json"}, []),
        (OURS["data"], BINARY),
        (OURS["data"], [*BINARY, ("ce_projectid", b"shop")]),
        (OLD, []),
        ({**OLD, "event": {**OLD["event"], "type": "EVENTS.CUSTOMER.ORDER.PAID"}}, []),
    ],
)
def test_every_form_is_the_same_event(record: Record) -> None:
    value, headers = record
    raw = msgspec.json.encode(value)
    head = READER.read(raw, b"cust_17", NOW, headers)
    assert head == READER.read(msgspec.json.encode(OURS), b"cust_17", NOW)
    index = RuleIndex()
    index.insert(rule(when={"order.metadata.shop": "web", "order.items": {"any_item": {"sku_id": "GIFT-1"}}}))
    context = EventContext(head, raw, lambda whole: READER.decode(whole, headers))
    (delivery,) = match_event(context, index, NOW).deliveries
    assert delivery.data == OURS["data"]


@pytest.mark.parametrize(
    ("record", "project"),
    [
        (({**CLOUD, "projectid": "other"}, []), "other"),
        (({**CLOUD, "project_id": "other"}, []), "other"),
        ((OURS["data"], [*BINARY, ("ce_project_id", b"other")]), "other"),
        (({name: value for name, value in OLD.items() if name != "project_id"}, []), "shop"),
    ],
)
def test_the_project_is_the_events_own_or_the_configured_one(record: Record, project: str) -> None:
    value, headers = record
    key = record_key(project, "cust_17", "shop").encode()
    assert READER.read(msgspec.json.encode(value), key, NOW, headers).project_id == project


@pytest.mark.parametrize(
    ("record", "path", "said"),
    [
        (({**CLOUD, "specversion": "0.3"}, []), "specversion", "'0.3' is not read here; 1.0 is"),
        (({**CLOUD, "time": None}, []), "time", "lacks time; it needs id, type, time"),
        (({**CLOUD, "data": "text"}, []), "data", "lacks data: a JSON object"),
        (({**CLOUD, "data_base64": "AA=="}, []), "data", "has to be a JSON object in data"),
        (({**CLOUD, "datacontenttype": "application/xml"}, []), "datacontenttype", "application/xml"),
        (({**CLOUD, "type": "com.example.other"}, []), "type", "'com.example.other' does not belong on events.orders"),
        (({**CLOUD, "id": 5}, []), "id", "Expected `str`"),
        ((OURS["data"], BINARY[:2]), "id", "lacks id"),
        ((OURS["data"], []), "id", "missing required field"),
        (({**OLD, "event": {"type": "customer.unknown"}}, []), "type", "'customer.unknown' does not belong"),
        (({**OLD, "data": []}, []), "data", "Expected `object`"),
        (({**OURS, "type": {"a": "b"}}, []), "type", "Expected `str`"),
        (({**OURS, "type": ["customer.order.paid"]}, []), "type", "Expected `str`"),
    ],
)
def test_a_form_that_is_wrong_says_so(record: Record, path: str, said: str) -> None:
    value, headers = record
    with pytest.raises(InvalidEvent) as caught:
        READER.read(msgspec.json.encode(value), b"cust_17", NOW, headers)
    assert said in str(caught.value)
    assert path in caught.value.path or path in str(caught.value)


def test_a_type_is_found_behind_any_labels() -> None:
    for kind in TRIGGERS:
        assert trigger_type(kind) == trigger_type(f"com.example.{kind}") == kind
    assert trigger_type("paid") == "paid"
    assert trigger_type("") == ""
    assert trigger_type(None) is None


HEADERS: list[tuple[list[tuple[str, bytes | None]], str | None]] = [
    ([("ce_specversion", None)], None),
    ([("\udcff", b"\xff"), ("", None), ("ce_x", b"\xff"), ("content-type", None)], None),
    ([("ce_id", b"\xff"), ("ce_id", b"ev_2")], "ev_2"),
    ([("ce_id", None)], "ev_1"),
    ([("content-type", b"text/json; charset=utf-8")], "ev_1"),
]


@pytest.mark.parametrize(("more", "identity"), HEADERS)
def test_headers_may_hold_anything(more: Any, identity: str | None) -> None:
    binary: list[tuple[str, bytes | None]] = [
        ("ce_specversion", b"1.0"), ("ce_id", b"ev_1"), ("ce_type", b"customer.order.paid"),
        ("ce_time", b"2026-01-01T00:00:00Z"),
    ]  # fmt: skip
    if identity is None:
        assert READER.read(msgspec.json.encode(OURS), b"cust_17", NOW, more).id == OURS["id"]
    head = READER.read(msgspec.json.encode(OURS["data"]), b"cust_17", NOW, [*binary, *more])
    assert head.id == (identity or "ev_1")


def test_an_attribute_that_is_not_text_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidEvent, match="header ce_id is not UTF-8"):
        READER.read(msgspec.json.encode(OURS["data"]), b"cust_17", NOW, [*BINARY, ("ce_id", b"\xff")])


def test_a_schema_named_in_a_header_is_said() -> None:
    with pytest.raises(Undecodable, match="PrefixSchemaIdSerializer"):
        READER.read(b"\x02a", b"cust_17", NOW, [("__value_schema_id", b"\x01" * 17)])
