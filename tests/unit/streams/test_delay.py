"""The moment until which a delay holds, and what becomes of what has waited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.distribution import Delay, Distribution, Publish
from schemas.errors import DefinitionInvalid
from schemas.hold import Hold
from streams.conditions.answer import Failure
from streams.delay import delayed
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched, Waits
from streams.recent import read_recent, with_sent
from streams.sending.outcome import delivery_status
from streams.verdict import Defer, Skip
from tests.factory import NOW, context, customer, rule

WARSAW = ZoneInfo("Europe/Warsaw")
PERIOD = {"voucher": {"expiration_date": "2026-12-24"}}


def until(delay: Delay, timezone: str | None = None, **facts: Any) -> Defer | Skip | Failure:
    return delayed(delay, NOW, {"customer": {"timezone": timezone}, **PERIOD, **facts}, WARSAW)


@pytest.mark.parametrize(
    ("delay", "timezone", "due"),
    [
        (Delay(seconds=3600), None, "2026-11-20T13:00:00+00:00"),
        (Delay(seconds=0, until="voucher.expiration_date"), None, "2026-12-23T23:00:00+00:00"),
        (Delay(seconds=86_400, until="voucher.expiration_date"), None, "2026-12-22T23:00:00+00:00"),
        (Delay(until="voucher.expiration_date"), "America/New_York", "2026-12-24T05:00:00+00:00"),
        (Delay(until="voucher.expiration_date"), "Mars/Olympus", "2026-12-23T23:00:00+00:00"),
        (Delay(seconds=10**12), None, "9999-12-31T00:00:00+00:00"),
    ],
)
def test_a_delay_holds_until(delay: Delay, timezone: str | None, due: str) -> None:
    found = until(delay, timezone)
    assert isinstance(found, Defer)
    assert (found.reason, found.until) == ("delayed", datetime.fromisoformat(due))


def test_a_moment_with_an_offset_is_the_one_that_is_written() -> None:
    found = until(Delay(until="order.at", seconds=60), order={"at": "2026-11-20T15:00:00+02:00"})
    assert isinstance(found, Defer)
    assert found.until == datetime(2026, 11, 20, 12, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "delay until order.at: not set"),
        ("  ", "delay until order.at: not set"),
        ("soon", 'delay until order.at: not a date, but "soon" (text)'),
        (20261120, "delay until order.at: not a date, but 20261120 (number)"),
    ],
)
def test_without_a_date_there_is_a_reason(written: object, said: str) -> None:
    assert until(Delay(until="order.at"), order={"at": written}) == Failure(said)


def test_a_date_before_the_event_sends_nothing() -> None:
    found = until(Delay(until="voucher.expiration_date", seconds=60 * 86_400))
    assert isinstance(found, Skip)
    assert found.reason == "expired"
    assert "60d before voucher.expiration_date is 2026-10-24" in found.detail


def test_a_date_at_the_end_of_the_calendar_is_no_error() -> None:
    found = until(Delay(until="order.at", seconds=10**9), order={"at": "0001-01-02T00:00:00Z"})
    assert isinstance(found, Skip)


# -- what waits, and comes back -------------------------------------------------------------------------------------


def matched(one: Distribution, about: EventContext | None = None) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_event(about or context(), index, NOW)


def held(waits: Waits) -> Hold:
    return Hold(
        hold_id=waits.hold_id, round=waits.round, project_id=waits.project_id, customer_id=waits.customer_id,
        distribution=waits.distribution, event=waits.event, occurrence=waits.occurrence, reason=waits.until.reason,
        channel=waits.channel, step=waits.step, due_at=waits.due_at, held_out=waits.draw.held_out,
        arm=waits.draw.arm.id if waits.draw.arm else None, follows=waits.follows,
        arrived_at=0, topic="events.orders", value=b"{}",
    )  # fmt: skip


def due(hold: Hold, one: Distribution | None, profile: dict[str, Any] | None = None, **changes: Any) -> Matched:
    index = RuleIndex()
    if one is not None:
        index.insert(one)
    return match_due(context(profile, **changes), hold, index, hold.due_at + timedelta(seconds=1))


def test_what_is_delayed_is_held_whole_and_sent_when_due_with_the_id_that_it_would_have_had() -> None:
    first = matched(rule(delay="3d", expires_after="2h"))
    assert not first.deliveries
    (decision,), (waits,) = first.decisions, first.holds
    assert (decision.outcome, decision.reason, decision.until) == ("deferred", "delayed", NOW + timedelta(days=3))
    later = due(held(waits), rule(delay="3d", expires_after="2h"))
    (delivery,) = later.deliveries
    assert delivery.delivery_id == matched(rule()).deliveries[0].delivery_id
    assert delivery.not_before == NOW + timedelta(days=3)
    assert delivery.expires_at == NOW + timedelta(days=3, hours=2)
    assert [(one.outcome, one.due_at) for one in later.decisions] == [("emitted", NOW + timedelta(days=3))]
    assert decision.due_at is None, "it has not waited yet"
    told = delivery_status(delivery, "sent", outcome="sent", detail="", provider_id=None, attempts=1, occurred_at=NOW)
    assert told.due_at == NOW + timedelta(days=3)
    assert later.decisions[0].decision_id != matched(rule()).decisions[0].decision_id
    assert not later.holds


def test_a_distribution_that_publishes_claims_its_code_after_the_wait() -> None:
    one = msgspec.structs.replace(rule(delay="1h"), publish=Publish(campaign="x"))
    first = matched(one)
    assert not first.requests
    (request,) = due(held(first.holds[0]), one).requests
    assert request.drafts[0].delivery["not_before"] == (NOW + timedelta(hours=1)).isoformat().replace("+00:00", "Z")


def test_an_event_that_is_read_again_waits_once() -> None:
    assert matched(rule(delay="3d")).holds == matched(rule(delay="3d")).holds


def test_a_second_event_finds_what_waits_already() -> None:
    one = rule(delay="3d", again="once_per_customer")
    row = with_sent([], matched(one).sent)
    for identity, reason in (("ev1", "delayed"), ("ev2", "duplicate")):
        about = context(id=identity)
        about.recent = read_recent(row)
        (decision,) = matched(one, about).decisions
        assert decision.reason == reason, identity


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({}, "emitted", None),
        ({"status": "PAUSED"}, "deferred", "paused"),
        ({"status": "STOPPED"}, "skipped", "stopped"),
        ({"status": "DRAFT"}, "skipped", "stopped"),
        ({"status": "ENDED"}, "skipped", "ended"),
        ({"when": {"order.amount": {"at_least": 100_000}}}, "skipped", "no_match"),
        ({"trigger": {"event": "customer.order.created"}}, "skipped", "no_match"),
        ({"starts_at": "2026-11-22"}, "emitted", None),
        ({"ends_at": "2026-11-22"}, "skipped", "ended"),
        ({"consent": "surveys"}, "skipped", "consent"),
        ({"channels": [{"sms": {"account": "main", "text": "t"}}]}, "skipped", "no_address"),
    ],
)
def test_the_distribution_of_now_decides(changes: dict[str, Any], outcome: str, reason: str | None) -> None:
    hold = held(matched(rule(delay="3d")).holds[0])
    (decision,) = due(hold, rule(delay="3d", **changes)).decisions
    assert (decision.outcome, decision.reason) == (outcome, reason), decision.detail


def test_the_profile_of_now_decides() -> None:
    hold = held(matched(rule(delay="3d")).holds[0])
    (decision,) = due(hold, rule(delay="3d"), customer(consents={"marketing": False})).decisions
    assert (decision.outcome, decision.reason) == ("skipped", "consent")


def test_a_deleted_distribution_says_so() -> None:
    hold = held(matched(rule(delay="3d")).holds[0])
    (decision,) = due(hold, None).decisions
    assert (decision.outcome, decision.reason, decision.due_at) == ("skipped", "stopped", hold.due_at)
    assert "deleted" in str(decision.detail)


def test_what_is_held_again_has_the_next_round_and_keeps_its_moment() -> None:
    hold = held(matched(rule(delay="3d")).holds[0])
    again = due(hold, rule(delay="3d", status="PAUSED"))
    (waits,) = again.holds
    assert (waits.hold_id, waits.round, waits.occurrence) == (hold.hold_id, 1, hold.occurrence)
    assert (waits.until.reason, waits.due_at) == ("paused", hold.due_at)


@pytest.mark.parametrize("live", [{}, {"status": "PAUSED"}, {"status": "ENDED"}, None])
def test_what_somebody_ended_is_skipped_with_who_it_was(live: dict[str, Any] | None) -> None:
    hold = msgspec.structs.replace(held(matched(rule(delay="3d")).holds[0]), canceled_by="ann")
    found = due(hold, None if live is None else rule(delay="3d", **live))
    (decision,) = found.decisions
    assert (decision.outcome, decision.reason) == ("skipped", "canceled")
    assert decision.detail == "ended while it waited by ann"
    assert decision.due_at is None, "it was not due"
    assert not found.holds


@pytest.mark.parametrize(
    ("delay", "said"),
    [
        ("soon", "delay"),
        (3, "a duration such as 30m or 3d, or a mapping"),
        ({"until": "order"}, "is a field that holds one value; order is an object"),
        ({"until": "order.amount"}, "is the path of a date; order.amount is a number"),
        ({"until": "voucher.expiration_date"}, "voucher"),
        ({"before": "3d"}, "delay.until"),
        ({"until": "order.updated_at", "after": "3d"}, "delay.after"),
    ],
)
def test_a_delay_that_cannot_be_is_refused_on_save(delay: object, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        rule(delay=delay)
    assert said in str(refused.value)
