"""Events that name the one distribution that they are for: it alone is started, and always says what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.distribution import Distribution
from schemas.send import Started, When
from streams.event_context import EventContext
from streams.events import read_event
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.outcome import Matched
from streams.sends import member_event
from tests.factory import NOW, customer, rule

MANUAL = "manual_distribution_schedule"
LATER = "2026-11-20T18:00:00"


def news(identity: str = "news", **changes: Any) -> Distribution:
    """A manual distribution over SMS."""
    channels = [{"sms": {"account": "main", "text": "News"}}]
    status = changes.pop("status", "LIVE")
    made = rule(distribution=identity, trigger=MANUAL, consent="transactional", channels=channels, **changes)
    return msgspec.structs.replace(made, status=status)


def sent(*rules: Distribution, when: When | None = None, is_send: bool = True, **profile: Any) -> Matched:
    index = RuleIndex()
    for one in rules:
        index.insert(one)
    started = Started(at=NOW, version=1, distribution={"id": "news", "status": "TO SEND"})
    decoded = msgspec.to_builtins(member_event("shop", "send_1", started, when or When(), "c1"))
    if not is_send:
        del decoded["data"]["send"]
    head = read_event(decoded, "events.manual", b"c1", now=NOW, max_future=timedelta(days=1), default_project="shop")
    row = msgspec.json.encode(customer(phone="+48600100200", metadata={"level": "x"}, **profile))
    return match_event(EventContext(head, decoded, dict, row), index, NOW)


def test_it_starts_the_one_that_it_names_and_the_send_stands_in_no_message() -> None:
    matched = sent(news(), news("other"))
    (made,) = matched.deliveries
    assert made.distribution.id == "news"
    assert made.event.send_id == "send_1"
    assert set(made.data) == {"customer", "distribution"}
    assert made.data["customer"]["phone"] == "+48600100200"


@pytest.mark.parametrize(
    ("rules", "reason", "detail"),
    [
        ((), "stopped", "there is no such distribution, or no longer"),
        ((news(status="STOPPED"),), "stopped", "the distribution is STOPPED"),
        ((news(status="DRAFT"),), "stopped", "the distribution is DRAFT"),
        ((news(status="ENDED"),), "ended", "the distribution has ended"),
        ((rule(distribution="news"),), "no_match", "the distribution no longer reacts to such an event"),
        ((news(when={"customer.name": "Nobody"}),), "no_match", "customer.name is Nobody"),
        ((news(when={"customer.metadata.level": {"at_least": 1}}),), "rule_error", "customer.metadata.level"),
        ((news(starts_at="2027-01-01T00:00:00Z"),), "not_started", "starts at"),
    ],
)
@pytest.mark.parametrize("is_send", [True, False])
def test_whatever_is_in_its_way_is_a_decision(
    rules: tuple[Distribution, ...], reason: str, detail: str, is_send: bool
) -> None:
    matched = sent(*rules, is_send=is_send)
    (decision,) = matched.decisions
    assert (decision.outcome, decision.reason, decision.distribution.id) == ("skipped", reason, "news")
    assert detail in (decision.detail or "")
    assert decision.event.send_id == ("send_1" if is_send else None)
    assert not matched.deliveries


def test_a_pause_holds_what_a_send_has_made_and_skips_other_events() -> None:
    held = sent(news(status="PAUSED"))
    assert [(one.outcome, one.reason) for one in held.decisions] == [("deferred", "paused")]
    assert len(held.holds) == 1
    assert [one.reason for one in sent(news(status="PAUSED"), is_send=False).decisions] == ["paused"]


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("Europe/Warsaw", datetime(2026, 11, 20, 17, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 20, 23, tzinfo=UTC)),
        ("Asia/Tokyo", None),
        ("nowhere", datetime(2026, 11, 20, 18, tzinfo=UTC)),
    ],
)
def test_a_time_of_the_customers_own_clock_is_waited_for(zone: str, until: datetime | None) -> None:
    matched = sent(news(), when=When(local_time=LATER), timezone=zone)
    assert [one.until for one in matched.decisions] == [until]
    assert [one.until.until for one in matched.holds] == ([until] if until else [])
    assert bool(matched.deliveries) == (until is None)


def test_a_delay_counts_from_that_time() -> None:
    matched = sent(news(delay="1h"), when=When(local_time=LATER), timezone="Europe/Warsaw")
    assert [one.until for one in matched.decisions] == [datetime(2026, 11, 20, 18, tzinfo=UTC)]


def test_a_time_that_is_none_is_said() -> None:
    (decision,) = sent(news(), when=When(local_time="tomorrow")).decisions
    assert (decision.reason, decision.detail) == ("rule_error", 'send.local_time: not a time, but "tomorrow" (text)')
