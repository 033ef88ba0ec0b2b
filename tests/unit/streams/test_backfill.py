"""Entries that are made up for members of a segment: for one distribution, and the same as those that are told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.distribution import Backfill, Distribution
from schemas.errors import InvalidEvent
from schemas.events.event import Event
from schemas.send import Entered, Started
from streams.event_context import EventContext
from streams.events import read_event, topic_of
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_event, sample_no_match
from streams.outcome import Matched
from streams.segments import Change, segment_event
from streams.sends import EntryEvents
from tests.factory import NOW, customer, rule

LONG_AGO = NOW - timedelta(days=90)
TEMPLATE = [{"sms": {"account": "main", "text": "{{ segment.name }} since {{ event.type }}"}}]


def welcome(identity: str = "welcome", who: str = "now_and_later", **changes: Any) -> Distribution:
    trigger = changes.pop("trigger", {"event": "customer.segment.entered", "segment": "vip"})
    made = rule(distribution=identity, trigger=trigger, channels=TEMPLATE, backfill=who, **changes)
    return msgspec.structs.replace(made, backfill=Backfill(who=made.backfill.who, at=NOW) if made.backfill else None)


def made_up(since: datetime = LONG_AGO, number: int = 1) -> Event:
    started = Started(at=NOW, version=1, distribution={"id": "welcome", "status": "TO SEND"})
    events = EntryEvents("shop", "backfill_1", started, "vip", "VIP")
    return events.event(Entered("c1", 3, 7, number, since))


def told(happened: datetime = LONG_AGO, number: int = 1) -> Event:
    vip = {"id": "vip", "name": "VIP"}
    return segment_event(Change("vip", True, number), "shop", vip, 3, {"id": "c1"}, 7, happened)


def context(event: Event, **profile: Any) -> EventContext:
    decoded = msgspec.to_builtins(event)
    topic = topic_of(decoded)
    assert topic is not None
    head = read_event(decoded, topic, b"c1", now=NOW, max_future=timedelta(days=1), default_project="shop")
    return EventContext(head, decoded, dict, msgspec.json.encode(customer(phone="+48600100200", **profile)))


def index_of(rules: Iterable[Distribution]) -> RuleIndex:
    index = RuleIndex()
    for one in rules:
        index.insert(one)
    return index


def sent(event: Event, *rules: Distribution, **profile: Any) -> Matched:
    return match_event(context(event, **profile), index_of(rules), NOW)


def test_it_is_for_the_distribution_that_it_names_and_looks_like_an_entry() -> None:
    matched = sent(made_up(), welcome(), welcome("other"))
    (made,) = matched.deliveries
    assert (made.distribution.id, made.event.send_id, made.event.type) == (
        "welcome", "backfill_1", "customer.segment.entered",
    )  # fmt: skip
    (entry,) = sent(told(), welcome()).deliveries
    assert made.data == entry.data
    assert set(made.data) == {"customer", "segment"}


@pytest.mark.parametrize(
    "again", ["every_event", "once_per_customer", {"once_per": "segment.id"}, {"once_in": "1h"}, {"once_in": "30d"}]
)
@pytest.mark.parametrize("happened", [LONG_AGO, NOW - timedelta(seconds=1), NOW + timedelta(seconds=3)])
def test_whoever_is_told_of_as_entering_as_well_gets_it_once(again: Any, happened: datetime) -> None:
    ids = {sent(event, welcome(again=again)).deliveries[0].delivery_id for event in (made_up(happened), told(happened))}
    assert len(ids) == 1


def test_another_entry_of_the_same_customer_is_another_event() -> None:
    later = NOW + timedelta(seconds=3)
    assert (
        sent(told(later, 3), welcome()).deliveries[0].delivery_id
        != sent(made_up(), welcome()).deliveries[0].delivery_id
    )


@pytest.mark.parametrize(("since", "happened"), [(LONG_AGO, NOW), (NOW + timedelta(hours=1), NOW + timedelta(hours=1))])
def test_it_happens_when_it_is_set_live_or_the_customer_enters_after_that(since: datetime, happened: datetime) -> None:
    assert made_up(since).created_at == happened


@pytest.mark.parametrize(
    ("rules", "profile", "reason", "detail"),
    [
        ((), {}, "stopped", "there is no such distribution, or no longer"),
        ((welcome(status="STOPPED"),), {}, "stopped", "the distribution is STOPPED"),
        ((welcome(when={"segment.name": "Gold"}),), {}, "no_match", "segment.name is Gold"),
        ((welcome(starts_at="2027-01-01"),), {}, "not_started", "starts at"),
        ((welcome(),), {"consents": {}}, "consent", "marketing"),
        (
            (welcome(trigger={"event": "customer.segment.entered", "segment": "gold"}),),
            {},
            "no_match",
            "no longer reacts",
        ),
    ],
)
def test_the_whole_judgement_is_made(rules: Any, profile: dict[str, Any], reason: str, detail: str) -> None:
    matched = sent(made_up(), *rules, **profile)
    (decision,) = matched.decisions
    assert (decision.outcome, decision.reason, decision.event.send_id) == ("skipped", reason, "backfill_1")
    assert detail in (decision.detail or "")
    assert not matched.deliveries


def test_a_pause_holds_it() -> None:
    held = sent(made_up(), welcome(status="PAUSED"))
    assert [(one.outcome, one.reason) for one in held.decisions] == [("deferred", "paused")]
    assert len(held.holds) == 1


def test_it_expires_by_when_it_was_set_live() -> None:
    (made,) = sent(made_up(), welcome(expires_after="2h")).deliveries
    assert made.expires_at == NOW + timedelta(hours=2)


def test_it_ends_nothing_that_waits_for_somebody_to_enter() -> None:
    unless = {"trigger": {"event": "customer.segment.entered", "segment": "vip"}}
    reminder = rule(distribution="reminder", trigger="customer.order.paid", delay="1h", unless=unless)
    assert sent(told(), reminder, welcome()).waiting.endings
    assert not sent(made_up(), reminder, welcome()).waiting.endings


def test_an_entry_does_not_find_what_is_for_members_alone() -> None:
    alone = welcome(who="members_now")
    assert sent(made_up(), alone).deliveries
    matched = sent(told(), alone)
    assert (matched.deliveries, matched.decisions) == ([], [])
    (explained,) = explain_event(context(told()), index_of([alone]), NOW)
    assert [(one.outcome, one.reason) for one in explained.decisions] == [("skipped", "ended")]


def test_both_are_decided_under_ids_of_their_own() -> None:
    ids = {one.decision_id for event in (made_up(), told()) for one in sent(event, welcome()).decisions}
    assert len(ids) == 2


def test_nothing_is_said_of_distributions_that_it_is_not_for() -> None:
    other = welcome("other", when={"segment.name": "Gold"})
    assert sample_no_match(context(told()), index_of([other]), NOW, 1)
    assert not sample_no_match(context(made_up()), index_of([other]), NOW, 1)
    explained = explain_event(context(made_up()), index_of([other, welcome()]), NOW)
    assert {one.distribution.id: one.selected for one in explained} == {"other": False, "welcome": True}


@pytest.mark.parametrize("missing", ["segment", "send", "distribution"])
def test_an_entry_on_the_topic_of_sends_needs_all_that_makes_it_one(missing: str) -> None:
    decoded = msgspec.to_builtins(made_up())
    del decoded["data"][missing]
    with pytest.raises(InvalidEvent, match=f"customer.segment.entered lacks the required object {missing}"):
        read_event(decoded, "events.manual", b"c1", now=NOW, max_future=timedelta(1), default_project="shop")
    decoded = msgspec.to_builtins(made_up())
    del decoded["data"]["segment"]["id"]
    with pytest.raises(InvalidEvent, match=r"data.segment.id: is missing"):
        read_event(decoded, "events.manual", b"c1", now=NOW, max_future=timedelta(1), default_project="shop")
