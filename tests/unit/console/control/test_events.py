"""Lines that are published, each read as a matcher would."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.wiring import Wiring
from console.control.events import Reading, customer_of, read_line, sample
from console.control.not_found import NotFound
from deploy.settings.settings import Settings
from schemas.errors import BadRecord
from schemas.events.triggers import TRIGGERS
from tests.factory import NOW, customer, order_event

WIRE = Wiring(Settings(project_id="shop"))
EVENTS = Reading("shop", timedelta(hours=1), NOW)
PROFILES = Reading("shop", timedelta(hours=1), NOW, customers=True)


def line(record: Any) -> bytes:
    return msgspec.json.encode(record)


def test_an_event_goes_to_its_topic_under_the_key_of_its_customer() -> None:
    topic, key, record = read_line(WIRE, line(order_event()), EVENTS)
    assert (topic, key, record.id) == ("events.orders", b"c1", order_event()["id"])
    assert read_line(WIRE, line(order_event(project_id="other")), EVENTS)[1] == WIRE.key("other", "c1") != b"c1"


def test_a_profile_goes_to_the_customers() -> None:
    assert read_line(WIRE, line(customer()), PROFILES)[:2] == ("customers", b"c1")


@pytest.mark.parametrize(
    ("record", "reading", "reason"),
    [
        ([1], EVENTS, "one JSON object"),
        (order_event(type="x"), EVENTS, "not known"),
        (order_event(data={"order": {}}), EVENTS, "customer"),
        (order_event(created_at=(NOW + timedelta(hours=2)).isoformat()), EVENTS, "created_at"),
        ({"name": "Jo"}, PROFILES, "id"),
    ],
)
def test_a_line_that_is_wrong_is_refused(record: Any, reading: Reading, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        read_line(WIRE, line(record), reading)


@pytest.mark.parametrize("event_type", TRIGGERS)
def test_a_sample_of_each_type_can_be_published(event_type: str) -> None:
    made = sample(event_type, "shop", NOW)
    assert made["created_at"] == NOW and customer_of(made)
    assert read_line(WIRE, line(made), EVENTS)[0] == TRIGGERS[event_type].topic
    other = sample(event_type, "shop", NOW + timedelta(microseconds=1), "c9")
    topic, key, record = read_line(WIRE, line(other), EVENTS)
    assert (topic, key, other["data"]["customer"]) == (TRIGGERS[event_type].topic, b"c9", {"id": "c9"})
    assert record.id != made["id"], "another event"


def test_an_unknown_type_is_said_with_the_nearest() -> None:
    with pytest.raises(NotFound, match='no event type "customer.order.payd". Did you mean "customer.order.paid"'):
        sample("customer.order.payd", "shop", NOW)


@pytest.mark.parametrize("event", [{}, {"data": 1}, {"data": {}}, {"data": {"customer": []}}])
def test_an_event_about_nobody_names_nobody(event: dict[str, Any]) -> None:
    assert customer_of(event) == ""
