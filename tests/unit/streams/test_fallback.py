"""A fallback: the next channel follows a message that did not come far enough, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.closed import Reach
from schemas.distribution import Publish
from schemas.errors import DefinitionInvalid
from schemas.hold import Hold
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched, Waits
from streams.recent import read_recent, with_sent
from streams.sending.outcome import delivery_status, is_over, reach_of
from streams.waiting import ended_by, with_changes
from tests.factory import NOW, customer, delivery, rule
from tests.unit.streams.test_channel_order import (
    EMAIL,
    EVENING,
    HOOK,
    PHONE,
    SENT,
    SMS,
    about,
    in_turn,
    match,
    release,
    told,
)
from tests.unit.streams.test_delay import held

AFTER = {"time": "6h", "unless": "opened"}
FALLS_BACK = in_turn(fallback_after=AFTER)
WAITS = ("deferred", "fallback")


def came(waits: Waits, reach: Reach) -> Hold:
    """A hold as the holder releases it once a message came so far."""
    hold = held(waits)
    assert hold.follows is not None
    follows = msgspec.structs.replace(hold.follows, came=reach, came_at=NOW)
    return msgspec.structs.replace(hold, follows=follows)


def row(*found: Matched) -> bytes:
    made = b"\x90"
    for one in found:
        made = with_sent(read_recent(made), one.sent)
    return made


def test_the_next_channel_waits_for_how_far_a_message_comes() -> None:
    first = match(FALLS_BACK)
    assert told(first) == [("sms", *SENT), ("email", *WAITS)]
    (waits,) = first.holds
    assert (waits.step, waits.channel, waits.round, waits.until.until) == (1, "email", 0, NOW + timedelta(hours=6))
    assert waits.follows is not None
    assert (waits.follows.deliveries, waits.follows.unless) == ([first.deliveries[0].delivery_id], "opened")
    assert first.decisions[1].detail == "6h after the message over sms, unless that is opened"
    assert first.counts
    assert match(FALLS_BACK).holds == first.holds, "an event that is read again waits once"


def test_what_did_not_come_far_enough_is_followed_over_one_channel_after_the_other() -> None:
    first = match(FALLS_BACK)
    second = release(held(first.holds[0]), FALLS_BACK, about(row=row(first)))
    assert told(second) == [("email", *SENT), ("webhook", *WAITS)]
    (waits,) = second.holds
    assert waits.follows is not None
    sent = [one.delivery_id for one in (*first.deliveries, *second.deliveries)]
    assert waits.follows.deliveries == sent, "one that is opened late ends it as well"
    third = release(held(waits), FALLS_BACK, about(row=row(first, second)), hours=12)
    assert told(third) == [("webhook", *SENT)]
    assert not third.holds
    ids = [said.decision_id for found in (first, second, third) for said in found.decisions]
    assert len(set(ids)) == len(ids) == 5


def test_what_came_far_enough_is_not_followed() -> None:
    first = match(FALLS_BACK)
    found = release(came(first.holds[0], "clicked"), FALLS_BACK, about(row=row(first)))
    assert told(found) == [("email", "skipped", "canceled")]
    said = f"not needed: the message before it was clicked at {NOW.isoformat()}"
    assert found.decisions[0].detail == said
    assert not found.deliveries
    assert not found.holds


@pytest.mark.parametrize(
    ("profile", "changes", "decided"),
    [
        ({**PHONE, "email": None}, {}, [("email", "skipped", "no_address"), ("webhook", *SENT)]),
        ({**PHONE, "consents": {}}, {}, [("email", "skipped", "consent")]),
        (PHONE, {"when": {"customer.metadata.x": 1}}, [("email", "skipped", "no_match")]),
        (PHONE, {"status": "PAUSED"}, [("email", "deferred", "paused")]),
        (PHONE, {"fallback_after": None}, [("email", "skipped", "stopped")]),
        (PHONE, {"fallback_after": None, "order": "all"}, [("email", "skipped", "stopped")]),
        (PHONE, {"channels": [{"sms": SMS}, {"webhook": HOOK}]}, [("email", "skipped", "stopped")]),
    ],
)
def test_all_is_judged_again(
    profile: dict[str, Any], changes: dict[str, Any], decided: list[tuple[str, str, str]]
) -> None:
    first = match(FALLS_BACK)
    later = in_turn(**{"fallback_after": AFTER, **changes})
    assert told(release(held(first.holds[0]), later, about(customer(**profile), row(first)))) == decided


def test_a_code_is_not_published_by_what_follows() -> None:
    first = match(FALLS_BACK)
    later = msgspec.structs.replace(FALLS_BACK, publish=Publish(campaign="spring"))
    assert told(release(held(first.holds[0]), later, about(row=row(first)))) == [("email", "skipped", "stopped")]


def test_a_channel_that_gave_way_is_not_the_next_and_the_last_has_none() -> None:
    assert told(match(FALLS_BACK, about(customer()))) == [
        ("sms", "skipped", "no_address"), ("email", *SENT), ("webhook", *WAITS)
    ]  # fmt: skip
    last = match(FALLS_BACK, about(customer(email=None)))
    assert told(last)[-1] == ("webhook", *SENT)
    assert not last.holds


def test_its_hours_hold_it_and_what_comes_meanwhile_still_ends_it() -> None:
    one = in_turn(email={"window": {"from": "08:00", "to": "09:00"}}, fallback_after=AFTER)
    first = match(one)
    second = release(held(first.holds[0]), one, about(row=row(first)))
    assert told(second) == [("email", "deferred", "quiet_hours")]
    (waits,) = second.holds
    assert waits.follows == first.holds[0].follows
    at_eight = {"hours": 20.5}
    assert told(release(came(waits, "opened"), one, about(row=row(first, second)), **at_eight)) == [
        ("email", "skipped", "canceled")
    ]
    assert told(release(held(waits), one, about(row=row(first, second)), **at_eight))[0] == ("email", *SENT)


def test_one_that_waited_for_its_hours_is_followed_from_then_on() -> None:
    one = in_turn(sms={"window": EVENING}, fallback_after=AFTER)
    first = match(one)
    second = release(held(first.holds[0]), one, about(row=row(first)))
    assert told(second) == [("sms", *SENT), ("email", *WAITS)]
    assert second.holds[0].until.until == NOW + timedelta(hours=12)
    assert second.holds[0].hold_id != first.holds[0].hold_id


# -- exactly once in effect -----------------------------------------------------------------------------


def test_a_release_that_comes_twice_sends_the_same_message() -> None:
    first = match(FALLS_BACK)
    one = release(held(first.holds[0]), FALLS_BACK, about(row=row(first)))
    again = release(held(first.holds[0]), FALLS_BACK, about(customer(email=None, **PHONE), row(first, one)))
    assert told(again) == [("email", "skipped", "no_address")], "nothing instead of what may have left"
    again = release(held(first.holds[0]), FALLS_BACK, about(row=row(first, one)), hours=7)
    assert [sent.delivery_id for sent in again.deliveries] == [sent.delivery_id for sent in one.deliveries]
    assert [hold.hold_id for hold in again.holds] == [hold.hold_id for hold in one.holds]


def test_a_status_between_two_releases_of_the_same_changes_nothing() -> None:
    """The first was published, and its holder died before it noted that."""
    first = match(FALLS_BACK)
    one = release(held(first.holds[0]), FALLS_BACK, about(row=row(first)))
    again = release(came(first.holds[0], "opened"), FALLS_BACK, about(row=row(first, one)))
    assert told(again) == told(one)
    assert [sent.delivery_id for sent in again.deliveries] == [sent.delivery_id for sent in one.deliveries]


def test_the_event_that_is_read_again_after_a_fallback_sends_what_it_sent_first() -> None:
    first = match(FALLS_BACK)
    second = release(held(first.holds[0]), FALLS_BACK, about(row=row(first)))
    again = match(FALLS_BACK, about(row=row(first, second)))
    assert [one.delivery_id for one in again.deliveries] == [one.delivery_id for one in first.deliveries]
    assert [one.hold_id for one in again.holds] == [one.hold_id for one in first.holds]


def test_another_event_ends_what_follows() -> None:
    one = in_turn(fallback_after=AFTER, unless={"trigger": "customer.order.paid"})
    first = match(one)
    index = RuleIndex()
    index.insert(one)
    kept = with_changes(None, first.waiting, NOW)
    other = match_event(about(id="ev2", created_at=(NOW + timedelta(hours=1)).isoformat()), index, NOW)
    kept = with_changes(kept, other.waiting, NOW)
    hold = held(first.holds[0])
    found = match_due(about(row=row(first)), hold, index, NOW + timedelta(hours=6), ended_by(kept, hold.hold_id))
    assert told(found) == [("email", "skipped", "canceled")]


# -- as it is written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"order": "all"}, "fallback_after: needs order: first_available"),
        ({"fallback_after": {"time": "0s"}}, "fallback_after.time: is 0s: must be longer than 0s and at most 30d"),
        ({"fallback_after": {"time": "31d"}}, "fallback_after.time: is 31d: must be longer than 0s and at most 30d"),
        ({"expires_after": "6h"}, "fallback_after.time: is 6h, when the message is no longer worth sending"),
        ({"fallback_after": {"time": "1d", "unless": "read"}}, "must be one of delivered, opened, clicked"),
        ({"fallback_after": {"unless": "opened"}}, "fallback_after.time"),
        ({"fallback_after": "2d"}, "fallback_after"),
        ({"channels": [{"sms": SMS}]}, "order: first_available needs a second channel to go on to"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        in_turn(**{"fallback_after": AFTER, **changes})
    assert problem in str(refused.value)


def test_a_channel_that_reaches_everybody_may_be_followed() -> None:
    one = rule(channels=[{"webhook": HOOK}, {"email": EMAIL}], order="first_available", fallback_after={"time": "1h"})
    assert one.fallback_after is not None
    assert one.fallback_after.unless == "delivered"


def test_what_would_follow_too_late_is_skipped_at_once() -> None:
    one = in_turn(fallback_after=AFTER, expires_after="11h")
    first = match(one)
    second = release(held(first.holds[0]), one, about(row=row(first)))
    assert told(second) == [("email", *SENT), ("webhook", "skipped", "expired")]
    assert not second.holds


@pytest.mark.parametrize(
    ("channel", "outcome", "reach", "over"),
    [
        ("email", "delivered", "delivered", False),
        ("email", "opened", "opened", False),
        ("sms", "clicked", "clicked", False),
        ("email", "sent", None, False),
        ("sms", "recovered", None, False),
        ("webhook", "sent", "delivered", False),
        ("webhook", "recovered", "delivered", False),
        ("webhook", "failed", None, True),
        ("email", "bounced", None, True),
        ("sms", "suppressed", None, True),
        ("email", "expired", None, True),
        ("email", "canceled", None, False),
        ("email", "complained", None, False),
        ("email", "machine_opened", None, False),
        ("email", "machine_clicked", None, False),
    ],
)
def test_a_status_says_how_far_a_message_came(channel: str, outcome: Any, reach: Reach | None, over: bool) -> None:
    known: dict[str, Any] = {"detail": "", "provider_id": None, "attempts": 1, "occurred_at": NOW}
    status = delivery_status(delivery(channel), outcome, outcome=outcome, **known)
    assert (reach_of(status), is_over(status)) == (reach, over)
