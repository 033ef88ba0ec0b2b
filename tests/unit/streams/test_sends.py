"""The events of a manual send, and its moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.events.event import Event
from schemas.send import Started, When
from streams.sends import MemberEvents, begins_at, ends_at, member_event, moment_at

CONFIRMED = datetime(2026, 3, 13, 12, 0, tzinfo=UTC)
HOLD = timedelta(minutes=10)
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


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (When(), CONFIRMED + HOLD),
        (When(at=CONFIRMED + timedelta(minutes=1)), CONFIRMED + HOLD),
        (When(at=CONFIRMED + timedelta(days=1)), CONFIRMED + timedelta(days=1)),
        (When(local_time="2026-03-14T09:00:00"), datetime(2026, 3, 13, 19, 0, tzinfo=UTC)),
        (When(local_time="2026-03-13T09:00:00"), CONFIRMED + HOLD),
    ],
)
def test_it_begins_after_its_hold_and_when_its_moment_comes_first(when: When, expected: datetime) -> None:
    assert begins_at(when, CONFIRMED, HOLD) == expected


def test_a_local_time_has_come_everywhere_after_the_last_zone() -> None:
    assert ends_at(When(local_time="2026-03-14T09:00:00")) == datetime(2026, 3, 14, 21, 0, tzinfo=UTC)
    assert ends_at(When(at=CONFIRMED)) is None


@pytest.mark.parametrize(
    ("local_time", "expected"),
    [
        ("2026-03-14T09:00:00", datetime(2026, 3, 14, 8, 0, tzinfo=UTC)),
        ("2026-03-29T02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # left out in spring
        ("2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # there twice in autumn
    ],
)
def test_the_moment_of_a_wall_clock(local_time: str, expected: datetime) -> None:
    assert moment_at(local_time, ZoneInfo("Europe/Warsaw")) == expected
