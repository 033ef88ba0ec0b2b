"""Channel order: which of several channels sends, which gave way to it, and that no second one ever does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.distribution import Distribution, Publish
from schemas.errors import DefinitionInvalid
from schemas.hold import Hold
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_due, match_event
from streams.outcome import Matched
from streams.recent import counted, read_recent, with_sent
from tests.factory import NOW, context, customer, rule
from tests.unit.streams.test_delay import held

SMS: dict[str, Any] = {"account": "main", "text": "Hello"}
EMAIL: dict[str, Any] = {"account": "main", "subject": "Hi", "text": "Hello"}
HOOK: dict[str, Any] = {"url": "https://hooks.example.com/x", "type": "hello"}
PHONE = {"phone": "+48600100200"}
EVENING = {"from": "18:00", "to": "22:00"}
SPANS = {"sms": {"at_most": 1, "in": "30d", "of": "sms"}, "email": {"at_most": 1, "in": "30d", "of": "email"}}


def in_turn(*, sms: dict[str, Any] | None = None, email: dict[str, Any] | None = None, **changes: Any) -> Distribution:
    """First by text message, then by e-mail, then to a webhook, which reaches everybody."""
    channels = [{"sms": {**SMS, **(sms or {})}}, {"email": {**EMAIL, **(email or {})}}, {"webhook": HOOK}]
    return rule(**{"channels": channels, "order": "first_available", **changes})


def about(profile: dict[str, Any] | None = None, row: bytes | None = None, **changes: Any) -> EventContext:
    made = context(profile or customer(**PHONE), **changes)
    made.recent = read_recent(row)
    return made


def match(one: Distribution, event: EventContext | None = None, hours: float = 0) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_event(event or about(), index, NOW + timedelta(hours=hours))


def release(hold: Hold, one: Distribution, event: EventContext | None = None, hours: float = 6) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_due(event or about(), hold, index, NOW + timedelta(hours=hours))


def told(found: Matched) -> list[tuple[str | None, str, str | None]]:
    return [(one.channel, one.outcome, one.reason) for one in found.decisions]


def row_of(*channels: str) -> bytes:
    """A row of a customer whom other distributions sent something over these channels."""
    ids = {"sms": "dlv_" + "a" * 32, "email": "dlv_" + "b" * 32}
    return with_sent(
        [],
        [
            counted(ids[one], "other", NOW, lasts=False, channel=one, category="marketing", now=NOW)  # type: ignore[arg-type]
            for one in channels
        ],
        90 * 86_400,
    )


WAY_OUT = {**EVENING, "outside": "next_channel"}
SENT = ("emitted", None)


@pytest.mark.parametrize(
    ("profile", "row", "changes", "decided"),
    [
        (PHONE, (), {}, [("sms", *SENT)]),
        ({}, (), {}, [("sms", "skipped", "no_address"), ("email", *SENT)]),
        ({"phone": "12"}, (), {}, [("sms", "skipped", "no_address"), ("email", *SENT)]),
        (
            {"email": None}, (), {},
            [("sms", "skipped", "no_address"), ("email", "skipped", "no_address"), ("webhook", *SENT)],
        ),
        ({"consents": {}, **PHONE}, (), {}, [(None, "skipped", "consent")]),
        (PHONE, (), {"sms": {"window": WAY_OUT}}, [("sms", "skipped", "quiet_hours"), ("email", *SENT)]),
        (
            PHONE, (), {"sms": {"window": {**EVENING, "outside": "skip"}}},
            [("sms", "skipped", "quiet_hours"), ("email", *SENT)],
        ),
        (PHONE, (), {"sms": {"window": EVENING}}, [("sms", "deferred", "quiet_hours")]),
        (
            PHONE, (), {"sms": {"window": EVENING}, "expires_after": "1h"},
            [("sms", "skipped", "expired"), ("email", *SENT)],
        ),
        (
            {}, (), {"email": {"window": EVENING}},
            [("sms", "skipped", "no_address"), ("email", "deferred", "quiet_hours")],
        ),
        (PHONE, ("sms",), {"cap": SPANS["sms"]}, [("sms", "skipped", "capped"), ("email", *SENT)]),
        (
            PHONE, ("sms", "email"), {"cap": [SPANS["sms"], SPANS["email"]]},
            [("sms", "skipped", "capped"), ("email", "skipped", "capped"), ("webhook", *SENT)],
        ),
        (
            PHONE, ("sms",), {"cap": {**SPANS["sms"], "then": {"wait": "40d"}}},
            [("sms", "deferred", "capped")],
        ),
        (PHONE, (), {"holdout": "100%"}, [("sms", "skipped", "holdout")]),
        ({}, (), {"delay": "1h"}, [(None, "deferred", "delayed")]),
        (PHONE, (), {"order": "all", "email": {"window": EVENING}}, [
            ("sms", *SENT), ("email", "deferred", "quiet_hours"), ("webhook", *SENT),
        ]),
    ],
)  # fmt: skip
def test_the_first_that_can_be_used_sends(
    profile: dict[str, Any], row: tuple[str, ...], changes: dict[str, Any], decided: list[tuple[str, str, str]]
) -> None:
    found = match(in_turn(**changes), about(customer(**profile), row_of(*row) if row else None))
    assert told(found) == decided
    assert [one.channel for one in found.deliveries] == [one for one, outcome, _ in decided if outcome == "emitted"]


def test_each_that_gave_way_says_why_and_to_which() -> None:
    found = match(in_turn(), about(customer(email=None)))
    assert [one.detail for one in found.decisions] == [
        "the customer has no phone; passed over for email, channel 2",
        "the customer has no email; passed over for webhook, channel 3",
        None,
    ]
    last = rule(channels=[{"sms": SMS}, {"email": EMAIL}], order="first_available")
    assert match(last, about(customer(email=None))).decisions[-1].detail == "the customer has no email"


def test_a_simulation_shows_each_that_gave_way() -> None:
    index = RuleIndex()
    index.insert(in_turn())
    (found,) = explain_event(about(customer()), index, NOW)
    assert [(one.channel, one.reason) for one in found.decisions] == [("sms", "no_address"), ("email", None)]
    assert [one.channel for one in found.deliveries] == ["email"]


def test_what_is_sent_has_the_id_that_it_would_have_beside_the_others() -> None:
    both = match(in_turn(order="all", email={"window": EVENING}), hours=7)
    (sent,) = match(in_turn(), about(customer())).deliveries
    assert sent.delivery_id == both.deliveries[1].delivery_id


def test_an_arm_has_an_order_of_its_own_channels() -> None:
    arms = {"a": {"share": "100%", "channels": [{"email": EMAIL}, {"webhook": HOOK}]}, "b": {"share": "0%"}}
    assert told(match(in_turn(arms=arms), about(customer(email=None)))) == [
        ("email", "skipped", "no_address"), ("webhook", *SENT)
    ]  # fmt: skip


# -- one that is held keeps its turn ---------------------------------------------------------------------------------

NIGHT = in_turn(sms={"window": EVENING})
MORNING = {"from": "08:00", "to": "09:00"}


@pytest.mark.parametrize(
    ("profile", "changes", "decided"),
    [
        (PHONE, {}, [("sms", *SENT)]),
        ({}, {}, [("sms", "skipped", "no_address"), ("email", *SENT)]),
        ({"email": None}, {}, [
            ("sms", "skipped", "no_address"), ("email", "skipped", "no_address"), ("webhook", *SENT)
        ]),
        ({}, {"email": {"window": MORNING}}, [("sms", "skipped", "no_address"), ("email", "deferred", "quiet_hours")]),
        (PHONE, {"order": "all"}, [("sms", *SENT)]),
        (PHONE, {"channels": [{"email": EMAIL}, {"webhook": HOOK}]}, [("sms", "skipped", "stopped")]),
    ],
)  # fmt: skip
def test_at_its_release_it_is_tried_first_and_then_those_after_it(
    profile: dict[str, Any], changes: dict[str, Any], decided: list[tuple[str, str, str]]
) -> None:
    first = match(NIGHT)
    (waits,) = first.holds
    assert (waits.step, waits.round) == (0, 0)
    later = in_turn(**{"sms": {"window": EVENING}, **changes})
    row = with_sent([], first.sent)
    assert told(release(held(waits), later, about(customer(**profile), row))) == decided


def test_those_before_the_one_that_was_held_do_not_come_back() -> None:
    one = in_turn(email={"window": EVENING})
    first = match(one, about(customer()))
    (waits,) = first.holds
    assert waits.step == 1
    now_with_phone = about(customer(**PHONE), with_sent([], first.sent))
    assert told(release(held(waits), one, now_with_phone)) == [("email", *SENT)]
    assert told(match(one, now_with_phone, hours=7)) == [("email", *SENT)], "an event that is read again, too"


def test_another_message_that_has_to_wait_then_begins_with_its_first_round() -> None:
    one = in_turn(sms={"window": EVENING}, email={"window": MORNING})
    first = match(one)
    row = with_sent([], first.sent)
    second = release(held(first.holds[0]), one, about(customer(), row))
    (waits,) = second.holds
    assert (waits.step, waits.round) == (1, 0)
    assert waits.hold_id != first.holds[0].hold_id
    row = with_sent(read_recent(row), second.sent)
    again = release(held(first.holds[0]), one, about(customer(**PHONE), row))
    assert again.holds == second.holds, "a release that comes twice holds once, and does not go back"
    third = release(held(waits), one, about(customer(**PHONE), row), hours=20.5)
    assert told(third) == [("email", *SENT)]
    ids = [said.decision_id for found in (first, second, third) for said in found.decisions]
    assert len(set(ids)) == len(ids) == 4


def test_one_that_is_held_again_has_the_next_round() -> None:
    (waits,) = match(NIGHT).holds
    (again,) = release(held(waits), NIGHT, hours=1).holds
    assert (again.hold_id, again.round, again.step) == (waits.hold_id, 1, 0)


# -- and never two ---------------------------------------------------------------------------------


def test_an_event_that_is_read_again_is_sent_as_before_whatever_has_changed() -> None:
    one = in_turn()
    first = match(one, about(customer()))
    assert first.counts, "its entry has to be kept before it leaves"
    row = with_sent([], first.sent)
    again = match(one, about(customer(**PHONE), row))
    assert [sent.delivery_id for sent in again.deliveries] == [sent.delivery_id for sent in first.deliveries]
    assert told(again) == [("email", *SENT)]
    gone = match(one, about(customer(email=None, **PHONE), row))
    assert told(gone) == [("email", "skipped", "no_address")], "nothing instead of what may have left"
    same = match(one, about(customer(), row))
    assert same.decisions == first.decisions, "with what was passed over"


def test_another_event_finds_what_was_sent_over_any_channel() -> None:
    one = in_turn(again="once_per_customer")
    row = with_sent([], match(one, about(customer())).sent)
    found = match(one, about(customer(**PHONE), row, id="ev2"))
    assert told(found) == [("sms", "skipped", "duplicate")]
    assert not found.deliveries


def test_another_event_finds_what_waits_on_any_channel() -> None:
    one = in_turn(again="once_per_customer", email={"window": EVENING})
    row = with_sent([], match(one, about(customer())).sent)
    assert told(match(one, about(customer(**PHONE), row, id="ev2"))) == [("sms", "skipped", "duplicate")]


def test_what_waited_is_not_sent_where_another_channel_has_sent_meanwhile() -> None:
    """All went at once until the author changed that."""
    before = in_turn(order="all", sms={"window": EVENING})
    first = match(before)
    row = with_sent([], first.sent)
    (waits,) = first.holds
    assert [one.channel for one in first.deliveries] == ["email", "webhook"]
    found = release(held(waits), NIGHT, about(row=row))
    assert [one.channel for one in found.deliveries] == ["email"]
    assert found.deliveries[0].delivery_id == first.deliveries[0].delivery_id, "the ledger knows it"
    email_alone = about(row=with_sent([], [one for one in first.sent if one.channel][:1]))
    kept = held(waits)
    last = Hold(**{name: getattr(kept, name) for name in kept.__struct_fields__} | {"channel": "webhook", "step": 2})
    assert told(release(last, NIGHT, email_alone)) == [("webhook", "skipped", "duplicate")]


# -- with a code ---------------------------------------------------------------------------------


def publishing(**changes: Any) -> Distribution:
    import msgspec

    return msgspec.structs.replace(in_turn(**changes), publish=Publish(campaign="spring"))


def test_a_code_goes_out_over_the_chosen_channel_alone() -> None:
    found = match(publishing(), about(customer()))
    (request,) = found.requests
    assert [draft.decision.channel for draft in request.drafts] == ["email"]
    assert told(found) == [("sms", "skipped", "no_address")]
    assert found.counts
    again = match(publishing(), about(customer(**PHONE), with_sent([], found.sent)))
    assert [draft.decision.channel for draft in again.requests[0].drafts] == ["email"]


def test_a_code_waits_for_the_channel_whose_turn_it_is() -> None:
    one = publishing(sms={"window": EVENING})
    (waits,) = match(one).holds
    assert waits.step is None
    found = release(held(waits), one)
    assert [draft.decision.channel for draft in found.requests[0].drafts] == ["sms"]


# -- as it is written ---------------------------------------------------------------------------------

TWO: list[Any] = [{"sms": SMS}, {"email": EMAIL}]
HALF = {"share": "50%"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"order": "first"}, "order: \"first\" is not valid: must be one of all, first_available"),
        ({"channels": TWO[:1]}, "order: first_available needs a second channel to go on to"),
        ({"channels": [{"webhook": HOOK}, *TWO]}, "channels[0].webhook: can always be used, so sms, email never is"),
        (
            {"channels": TWO, "window": {**EVENING, "outside": "next_channel"}},
            "window.outside: counts for the last channel, channels[1], which has no next",
        ),
        (
            {"channels": [TWO[0], {"email": {**EMAIL, "window": WAY_OUT}}]},
            "channels[1].email.window.outside: has no next channel: write hold or skip",
        ),
        (
            {"channels": TWO, "arms": {"a": HALF, "b": {**HALF, "channels": [{"webhook": HOOK}, TWO[0]]}}},
            "arms.b.channels[0].webhook: can always be used, so sms never is",
        ),
        ({"order": "all", "window": WAY_OUT}, "window.outside: needs order: first_available; else write hold or skip"),
        (
            {"order": "all", "channels": [{"sms": {**SMS, "window": WAY_OUT}}]},
            "channels[0].sms.window.outside: needs order: first_available",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        rule(**{"order": "first_available", **changes})
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": [{"webhook": {**HOOK, "window": {**EVENING, "outside": "skip"}}}, *TWO]},
        {"channels": [{"webhook": {**HOOK, "window": EVENING}}, *TWO], "expires_after": "1h"},
        {"channels": [{"webhook": HOOK}, *TWO], "cap": {"at_most": 1, "in": "day", "of": "webhook"}},
        {"channels": TWO[:1], "arms": {"a": HALF, "b": {**HALF, "channels": TWO}}},
        {"channels": TWO, "digest": {"for": "1h"}},
        {"channels": [TWO[0], {"email": {**EMAIL, "window": EVENING}}], "window": WAY_OUT},
    ],
)
def test_what_may_be_meant_is_taken(changes: dict[str, Any]) -> None:
    assert rule(**{"order": "first_available", **changes}).sends_once
