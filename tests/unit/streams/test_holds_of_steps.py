"""One message of a send waits, while the others go their way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.distribution import Distribution, Publish
from schemas.hold import Hold
from streams.checks.check import AudienceCheck, Finding, Message
from streams.checks.order import CHECKS, AudienceChecks
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched
from streams.recent import read_recent, with_sent
from streams.verdict import GO, Defer
from streams.waiting import ended_by, with_changes
from tests.factory import NOW, context, customer, rule
from tests.unit.streams.test_delay import held

EMAIL = {"email": {"account": "main", "subject": "Hi", "template": "hello"}}
HOOKS: list[Any] = [{"webhook": {"url": f"https://hooks.example.com/{name}", "type": "again"}} for name in "ab"]
LATER = NOW + timedelta(hours=9)


def deferring(*steps: int, hours: int = 9) -> AudienceChecks:
    """Checks that hold the messages at these places until then."""

    def judge(message: Message) -> Finding:
        until = NOW + timedelta(hours=hours + message.step)
        is_held = message.step in steps and message.now < until
        later = Defer("capped", until, f"one a day, at place {message.step}")
        return Finding(later if is_held else GO, "cap", "1")

    return AudienceChecks(of_message=(*CHECKS.of_message, AudienceCheck(judge)))


def matched(one: Distribution, checks: AudienceChecks, **changes: Any) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_event(context(**changes), index, NOW, checks=checks)


def due(hold: Hold, one: Distribution | None, hours: int = 9, checks: AudienceChecks = CHECKS, **more: Any) -> Matched:
    index = RuleIndex()
    if one is not None:
        index.insert(one)
    return match_due(context(**more), hold, index, NOW + timedelta(hours=hours), checks=checks)


def test_one_message_waits_and_the_other_goes() -> None:
    one = rule(channels=HOOKS)
    first, whole = matched(one, deferring(1)), matched(one, CHECKS)
    assert [sent.delivery_id for sent in first.deliveries] == [whole.deliveries[0].delivery_id]
    assert [(said.outcome, said.channel) for said in first.decisions] == [
        ("emitted", "webhook"), ("deferred", "webhook")
    ]  # fmt: skip
    (waits,) = first.holds
    assert (waits.round, waits.channel, waits.step) == (0, "webhook", 1)
    later = due(held(waits), one)
    assert [sent.delivery_id for sent in later.deliveries] == [whole.deliveries[1].delivery_id]
    assert [said.outcome for said in later.decisions] == ["emitted"]
    ids = [said.decision_id for said in (*first.decisions, *later.decisions)]
    assert len(set(ids)) == 3


def test_held_messages_have_ids_of_their_own_and_the_same_in_each_round() -> None:
    one, checks = rule(channels=HOOKS), deferring(0, 1, hours=20)
    first = matched(one, checks)
    assert len({waits.hold_id for waits in first.holds}) == 2
    (again,) = due(held(first.holds[1]), one, 9, checks).holds
    assert (again.hold_id, again.round, again.step) == (first.holds[1].hold_id, 1, 1)
    assert matched(one, checks).holds == first.holds, "an event that is read again waits once"


def test_a_message_of_a_send_that_was_delayed_waits_on_alone() -> None:
    one = rule(channels=HOOKS, delay="1h", expires_after="12h")
    (whole,) = matched(one, CHECKS).holds
    later = due(held(whole), one, 1, deferring(0))
    (waits,) = later.holds
    assert (waits.round, waits.step, waits.due_at) == (1, 0, NOW + timedelta(hours=1))
    (delivery,) = due(held(waits), one, 10).deliveries
    assert delivery.expires_at == NOW + timedelta(hours=13), "counted from the end of the delay"
    assert delivery.delivery_id != later.deliveries[0].delivery_id


def test_what_would_be_held_beyond_its_expiry_is_not_held() -> None:
    found = matched(rule(channels=HOOKS, expires_after="9h"), deferring(0))
    assert not found.holds
    assert [(said.outcome, said.reason) for said in found.decisions] == [("skipped", "expired"), ("emitted", None)]


def test_another_event_finds_the_message_that_waits() -> None:
    one = rule(channels=HOOKS, again="once_per_customer")
    row = with_sent([], matched(one, deferring(1)).sent)
    index = RuleIndex()
    index.insert(one)
    other = context(id="ev2")
    other.recent = read_recent(row)
    found = match_event(other, index, NOW, checks=deferring(1))
    assert [said.reason for said in found.decisions] == ["duplicate", "duplicate"]
    assert not found.holds


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": HOOKS[:1]}, "stopped"),
        ({"channels": [HOOKS[0], EMAIL]}, "stopped"),
        ({"status": "STOPPED"}, "stopped"),
        ({"consent": "loyalty"}, "consent"),
        ({"when": {"customer.metadata.x": 1}}, "no_match"),
        ({"status": "PAUSED"}, "paused"),
        (None, "stopped"),
    ],
)
def test_each_message_that_waited_is_decided_by_itself(changes: dict[str, Any] | None, reason: str) -> None:
    holds = matched(rule(channels=HOOKS), deferring(0, 1)).holds
    now = None if changes is None else rule(**{"channels": HOOKS, **changes})
    found = [due(held(waits), now, profile=customer()) for waits in holds]
    decisions = [said for one in found for said in one.decisions]
    assert (decisions[-1].reason, decisions[-1].channel) == (reason, "webhook")
    assert len({said.decision_id for said in decisions}) == len(decisions) == 2
    assert [(waits.round, waits.step) for one in found for waits in one.holds] == [(1, 0), (1, 1)] * (
        reason == "paused"
    )


def test_a_message_that_waited_claims_no_code() -> None:
    (waits,) = matched(rule(channels=HOOKS), deferring(1)).holds
    now = msgspec.structs.replace(rule(channels=HOOKS), publish=Publish(campaign="x"))
    found = due(held(waits), now)
    assert not found.requests
    assert [said.reason for said in found.decisions] == ["stopped"]


def test_messages_that_share_a_code_wait_for_the_last() -> None:
    one = msgspec.structs.replace(rule(channels=HOOKS), publish=Publish(campaign="x"))
    first = matched(one, deferring(0, 1))
    (waits,) = first.holds
    assert (waits.step, waits.until.until, not first.requests) == (None, NOW + timedelta(hours=10), True)
    (again,) = due(held(waits), one, 10, deferring(1, hours=20)).holds
    assert (again.hold_id, again.round, again.step) == (waits.hold_id, 1, None)
    (request,) = due(held(again), one, 22).requests
    assert len(request.drafts) == 2


def test_an_event_ends_the_message_that_waits() -> None:
    one = rule(channels=HOOKS, unless={"trigger": "customer.order.paid"}, delay="2h")
    first = matched(one, CHECKS)
    later = due(held(first.holds[0]), one, 3, deferring(1))
    (waits,) = later.holds
    row = with_changes(with_changes(None, first.waiting, NOW), later.waiting, NOW)
    index = RuleIndex()
    index.insert(one)
    ending = match_event(context(id="ev2", created_at=(NOW + timedelta(minutes=1)).isoformat()), index, NOW)
    row = with_changes(row, ending.waiting, NOW)
    ended = ended_by(row, waits.hold_id)
    assert ended is not None
    found = match_due(context(), held(waits), index, LATER, ended)
    assert [(said.reason, said.channel) for said in found.decisions] == [("canceled", "webhook")]
