"""The key that a record of a project has to have, and what is said of one that has another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.contract import topic_codec
from schemas.errors import InvalidEvent
from schemas.record_key import Keyed
from streams.events import EventReader, read_customer, read_tombstone
from tests.factory import NOW, customer, order_event

READER = EventReader(
    "events.orders",
    topic_codec("events.orders", "avro"),
    max_future=timedelta(days=1),
    max_bytes=1 << 20,
    default_project="shop",
)


def of(project: str, who: str = "c1") -> dict[str, Any]:
    event = order_event(project_id=project)
    return {**event, "data": {**event["data"], "customer": customer(id=who)}}


@pytest.mark.parametrize(
    ("project", "who", "key"),
    [("shop", "c1", b"c1"), ("outlet", "c1", b"outlet\x1fc1"), ("outlet", "ł", b"outlet\x1f\xc5\x82")],
)
@pytest.mark.parametrize("odd", [{}, {"favourite": 1}])
def test_an_event_is_read_by_its_projects_key(project: str, who: str, key: bytes, odd: dict[str, Any]) -> None:
    event = of(project, who)
    event["data"]["order"] |= {"amount": "many"} if odd else {}  # is read the slower way
    head = READER.read(msgspec.json.encode(event), key, NOW)
    assert (head.project_id, head.customer_id) == (project, who)


@pytest.mark.parametrize(
    ("project", "who", "key", "said"),
    [
        (
            "outlet",
            "c1",
            b"c1",
            r"the record's key is 'c1'; of project outlet, .* U\+001F and customer.id: 'outlet\\x1fc1'",
        ),
        ("outlet", "c1", b"other\x1fc1", "of project outlet"),
        ("shop", "c1", b"shop\x1fc1", "but customer.id is 'c1'"),
        ("shop", "c1", b"c2", "the record's key is 'c2', but customer.id is 'c1'"),
        ("shop", "outlet\x1fc1", b"outlet\x1fc1", "the key holds the character U[+]001F, which stands between"),
        ("shop\x1fx", "c1", b"shop\x1fx\x1fc1", "project_id holds the character U[+]001F"),
        ("outlet", "c\x1f1", b"outlet\x1fc\x1f1", "the key holds the character U[+]001F"),
        ("outlet", "", b"outlet\x1f", "has no id beside its U[+]001F"),
        ("outlet", "c\x001", b"outlet\x1fc\x001", "the key holds the character U[+]0000"),
        ("shop", "c1", None, "no key"),
    ],
)
def test_an_event_under_another_key_is_refused_and_told_the_right_one(
    project: str, who: str, key: bytes | None, said: str
) -> None:
    with pytest.raises(InvalidEvent, match=said):
        READER.read(msgspec.json.encode(of(project, who)), key, NOW)


@pytest.mark.parametrize(
    ("profile", "key"),
    [
        (customer(), b"c1"),
        (customer(), b"outlet\x1fc1"),
        (customer(project_id="shop"), b"c1"),
        (customer(project_id="outlet"), b"outlet\x1fc1"),
        (customer(project_id=""), b"c1"),
        (customer(project_id=""), b"outlet\x1fc1"),
    ],
)
def test_whose_profile_it_is_says_the_key(profile: dict[str, Any], key: bytes) -> None:
    assert read_customer(profile, key, "shop") == profile


@pytest.mark.parametrize(
    ("profile", "key", "said"),
    [
        (customer(project_id="outlet"), b"c1", r"of project outlet, .*: 'outlet\\x1fc1'"),
        (customer(project_id="shop"), b"outlet\x1fc1", "but customer.id is 'c1'"),
        (customer(id="outlet\x1fc1"), b"outlet\x1fc1", "the key holds the character U[+]001F"),
        (customer(), b"outlet\x1fc2", "of project outlet"),
        (customer(id="", project_id="outlet"), b"outlet\x1f", "has no id beside its U[+]001F"),
    ],
)
def test_a_profile_that_would_take_anothers_place_is_refused(profile: dict[str, Any], key: bytes, said: str) -> None:
    with pytest.raises(InvalidEvent, match=said):
        read_customer(profile, key, "shop")


def test_a_tombstone_erases_the_customer_of_its_keys_project_alone() -> None:
    assert read_tombstone(b"c1", "shop") == Keyed("shop", "c1")
    assert read_tombstone(b"outlet\x1fc1", "shop") == Keyed("outlet", "c1")
    with pytest.raises(InvalidEvent):
        read_tombstone(b"shop\x1fc1", "shop")
