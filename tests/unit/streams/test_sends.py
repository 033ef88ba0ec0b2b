"""The events of a manual send, and its moments."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from schemas.events.event import Event
from schemas.send import Started, When
from streams.sends import MemberEvents, member_event

CONFIRMED = datetime(2026, 3, 13, 12, 0, tzinfo=UTC)
STARTED = Started(at=CONFIRMED, version=3, distribution={"id": "spring", "updated_at": None, "set_live_at": None})


@pytest.mark.parametrize("customer", ["c1", 'a"b\\c', "ż 漢 \x7f", "nobody", "snd_1"])
@pytest.mark.parametrize("when", [When(), When(local_time="2026-03-29T09:00:00")])
def test_a_record_is_the_event_to_the_letter(customer: str, when: When) -> None:
    raw = MemberEvents("shop", "send_1", STARTED, when).record(customer)
    event = member_event("shop", "send_1", STARTED, when, customer)
    assert raw == msgspec.json.encode(event)
    assert msgspec.json.decode(raw, type=Event) == event


def test_events_of_a_send_differ_by_customer_and_those_of_a_customer_by_send() -> None:
    pairs = [
        ("default", "send_1", "c1"),
        ("default", "send_1", "c2"),
        ("default", "send_2", "c1"),
        ("b", "send_1", "c1"),
    ]
    ids = {member_event(project, send, STARTED, When(), customer).id for project, send, customer in pairs}
    assert len(ids) == len(pairs)
