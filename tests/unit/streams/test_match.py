"""From an event to deliveries and decisions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from schemas.contract import topic_codec
from schemas.distribution import Publish
from schemas.errors import BadRecord, InvalidEvent
from streams.checks.check import AudienceCheck, Finding, Subject
from streams.checks.order import CHECKS, AudienceChecks
from streams.event_context import Head
from streams.events import EventReader, read_customer, read_event
from streams.identity import delivery_id
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_event, sample_no_match
from streams.outcome import Matched
from streams.verdict import Defer
from tests.factory import NOW, context, customer, order_event, rule

EMAIL = {"email": {"account": "main", "subject": "Hi", "template": "hello"}}
WEBHOOK = {"webhook": {"url": "https://hooks.example.com/x", "type": "t"}}


def match(profile: dict[str, Any] | None = None, happened: Any = None, **changes: Any) -> Matched:
    index = RuleIndex()
    index.insert(rule(**changes))
    return match_event(happened or context(profile), index, NOW)


def reasons(matched: Matched) -> list[str | None]:
    return [decision.reason for decision in matched.decisions]


def test_a_fitting_event_makes_one_delivery_a_channel() -> None:
    matched = match(channels=[EMAIL, WEBHOOK])
    assert [one.channel for one in matched.deliveries] == ["email", "webhook"]
    assert [one.outcome for one in matched.decisions] == ["emitted", "emitted"]
    assert [d.delivery_id for d in matched.decisions] == [d.delivery_id for d in matched.deliveries]


def test_a_sample_says_which_test_did_not_fit() -> None:
    index = RuleIndex()
    for number in range(50):
        index.insert(rule(distribution=f"r{number}", when={"order.amount": {"more_than": number * 1_000_000}}))
    found = sample_no_match(context(), index, NOW, 1)
    assert len(found) >= 19
    for decision in found:
        assert (decision.outcome, decision.reason) == ("skipped", "no_match")
        assert decision.detail == f"order.amount more_than {int(decision.distribution.id[1:]) * 1_000_000}"
        assert [check.passed for check in decision.checks] == [False]
    assert sample_no_match(context(), index, NOW, 1) == found


def test_a_replay_makes_the_same_records() -> None:
    assert match(channels=[EMAIL, WEBHOOK]) == match(channels=[EMAIL, WEBHOOK])


def test_the_version_is_not_part_of_the_delivery_id() -> None:
    first, second = match(), match(name="renamed")
    assert first.deliveries[0].delivery_id == second.deliveries[0].delivery_id


def test_ids_do_not_run_together() -> None:
    assert delivery_id("a", "bc", "d", "e", "email", 0) != delivery_id("ab", "c", "d", "e", "email", 0)


@pytest.mark.parametrize(
    ("profile", "changes", "expected"),
    [
        (customer(consents={}), {}, ["consent"]),
        (customer(consents={"marketing": False}), {}, ["consent"]),
        (customer(consents={}), {"consent": "transactional"}, [None]),
        (customer(email=None), {"channels": [EMAIL, WEBHOOK]}, ["no_address", None]),
        (customer(email="no address"), {"channels": [EMAIL]}, ["no_address"]),
        (customer(), {"status": "PAUSED"}, ["paused"]),
        (customer(), {"starts_at": "2026-11-21"}, ["not_started"]),
        (customer(), {"ends_at": "2026-11-19"}, ["ended"]),
        (customer(consents={}), {"status": "PAUSED"}, ["paused"]),
        (customer(), {"when": {"customer.metadata.x": {"at_least": 1}}}, []),
        (customer(metadata={"x": "y"}), {"when": {"customer.metadata.x": {"at_least": 1}}}, ["rule_error"]),
        (customer(), {"again": {"once_per": "order.source_id"}}, ["rule_error"]),
    ],
)
def test_the_first_check_that_fails_gives_the_reason(
    profile: dict[str, Any], changes: dict[str, Any], expected: list[str | None]
) -> None:
    assert reasons(match(profile, **changes)) == expected


LATER = Defer("quiet_hours", NOW + timedelta(hours=9), "quiet until 21:00")
DEFERRING: AudienceCheck[Subject] = AudienceCheck(lambda _: Finding(LATER, "quiet hours", "12:00"))


@pytest.mark.parametrize(
    ("checks", "channels"),
    [
        (AudienceChecks(of_distribution=(*CHECKS.of_distribution, DEFERRING)), [None]),
        (AudienceChecks(of_message=(*CHECKS.of_message, DEFERRING)), ["email", "webhook"]),
        (AudienceChecks(of_message=(DEFERRING, *CHECKS.of_message)), ["email", "webhook"]),
    ],
)
@pytest.mark.parametrize("publish", [None, Publish(campaign="spring")])
def test_what_a_check_defers_is_decided_so_until_when(
    publish: Publish | None, checks: AudienceChecks, channels: list[str | None]
) -> None:
    index = RuleIndex()
    index.insert(msgspec.structs.replace(rule(channels=[EMAIL, WEBHOOK]), publish=publish))
    matched = match_event(context(), index, NOW, checks=checks)
    assert (matched.matched, matched.deliveries, matched.requests) == (1, [], [])
    assert [one.channel for one in matched.decisions] == ([None] if publish else channels)
    assert len(matched.sent) == len(matched.holds) == len(matched.decisions)
    for decision in matched.decisions:
        assert (decision.outcome, decision.reason, decision.until) == ("deferred", "quiet_hours", LATER.until)
        is_of_one = publish is not None and None not in channels
        assert decision.detail == ("email: quiet until 21:00" if is_of_one else "quiet until 21:00")
        assert (decision.delivery_id is None) is (decision.channel is None)
        assert [(check.test, check.passed) for check in decision.checks] == [
            ("consent marketing", True), ("quiet hours", False)
        ]  # fmt: skip


def test_the_table_row_counts_before_the_customer_in_the_event() -> None:
    matched = match(customer(name="Row", email="row@example.com"), channels=[EMAIL])
    assert matched.deliveries[0].data["customer"]["name"] == "Row"
    assert match(None).deliveries[0].data["customer"]["name"] == "Jo"


@pytest.mark.parametrize(
    ("again", "other", "same"),
    [
        ("every_event", {"id": "ev2"}, False),
        ("once_per_customer", {"id": "ev2"}, True),
        ({"once_per": "order.id"}, {"id": "ev2"}, True),
        ({"once_in": "1d"}, {"id": "ev2", "created_at": (NOW + timedelta(minutes=1)).isoformat()}, True),
        ({"once_in": "1d"}, {"id": "ev2", "created_at": (NOW + timedelta(days=1)).isoformat()}, False),
    ],
)
def test_again_says_which_sends_are_the_same(again: Any, other: dict[str, Any], same: bool) -> None:
    first, second = match(again=again), match(happened=context(**other), again=again)
    assert (first.deliveries[0].delivery_id == second.deliveries[0].delivery_id) is same


def test_higher_priority_goes_first() -> None:
    index = RuleIndex()
    for identity, priority in (("a", 1), ("b", 9), ("c", 1)):
        index.insert(rule(distribution=identity, priority=priority))
    assert [one.distribution.id for one in match_event(context(), index, NOW).deliveries] == ["b", "a", "c"]


def test_explain_tells_of_rules_that_do_not_fit_as_well() -> None:
    index = RuleIndex()
    index.insert(rule(distribution="fits", when={"order.amount": {"at_least": 1}}))
    index.insert(rule(distribution="not", when={"order.amount": {"at_least": 9999}}))
    told = {one.distribution.id: one for one in explain_event(context(), index, NOW)}
    assert told["fits"].answer is True
    assert told["fits"].deliveries == match_event(context(), index, NOW).deliveries
    assert (told["not"].answer, told["not"].checks[0].seen) == (False, "5000")


@pytest.mark.parametrize(
    ("changes", "key", "path", "said"),
    [
        (
            {"type": "customer.unknown"},
            b"c1",
            "type",
            "does not belong on events.orders; there: customer.order.created",
        ),
        ({"created_at": "2999-01-01T00:00:00Z"}, b"c1", "created_at", "in the future"),
        ({"created_at": "yesterday"}, b"c1", "created_at", "RFC3339"),
        ({"data": {"customer": {"id": "c1"}}}, b"c1", "data.order", "lacks the required object order"),
        ({"data": {"order": {"id": "o"}}}, b"c1", "data.customer", "lacks the required object customer"),
        ({"data": {"customer": {"id": "c1"}, "order": "o"}}, b"c1", "data.order", 'an object, got "o" (text)'),
        ({"data": {"customer": ["c1"], "order": {"id": "o"}}}, b"c1", "data.customer", "an object, got a list"),
        ({"data": {"customer": {"id": 1}, "order": {}}}, b"1", "data.customer.id", "needs a text, got 1 (number)"),
        ({"id": 5}, b"c1", "id", "Expected `str`, got `int`"),
        ({"id": ""}, b"c1", "id", "length"),
        ({}, None, "key", "has no key"),
        ({}, b"c2", "key", "but customer.id is 'c1'"),
    ],
)
def test_an_event_that_is_none_says_why(changes: dict[str, Any], key: bytes | None, path: str, said: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        read_event(
            order_event(**changes),
            "events.orders",
            key,
            now=NOW,
            max_future=timedelta(minutes=5),
            default_project="shop",
        )
    assert caught.value.path == path
    assert said in str(caught.value)


def test_a_customer_without_an_id_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="id"):
        read_customer({"name": "x"}, b"c1", "shop")


READER = EventReader(
    "events.orders",
    topic_codec("events.orders", "avro", None),
    max_future=timedelta(minutes=5),
    max_bytes=4000,
    default_project="shop",
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type": "customer.unknown"},
        {"created_at": "2999-01-01T00:00:00Z"},
        {"created_at": "yesterday"},
        {"data": {"customer": {"id": "c1"}}},
        {"data": {"customer": {"id": "c1"}, "order": {"id": "o", "amount": "5"}}},
        {"data": {"customer": {"id": "c1"}, "order": {"id": "o"}, "more": [[{"x": "ż"}]]}},
        {"data": {"customer": {"id": "c2"}, "order": {"id": "o"}}},
        {"extra": 1},
        {"project_id": "other"},
    ],
)
def test_the_quick_reading_of_json_is_that_of_the_slow_one(changes: dict[str, Any]) -> None:
    decoded = order_event(**changes)
    raw = msgspec.json.encode(decoded)

    def outcome(read: Callable[[], Head[Any]]) -> Any:
        try:
            head = read()
        except InvalidEvent as error:
            return str(error), error.path
        return head.id, head.type, head.created_at, head.customer_id, head.data

    limit = timedelta(minutes=5)
    slowly = partial(read_event, decoded, "events.orders", b"c1", now=NOW, max_future=limit, default_project="shop")
    assert outcome(lambda: READER.read(raw, b"c1", NOW)) == outcome(slowly)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "undecodable"),
        (b"{", "undecodable"),
        (b'{"id":"\xff"}', "undecodable"),
        (b'{"x":' + b"[" * 80 + b"]" * 80 + b"}", "too_deep"),
        (b'{"x":"' + b"a" * 4000 + b'"}', "too_large"),
        (b"{}", "invalid_event"),
    ],
)
def test_bytes_that_are_no_event_say_of_which_kind_they_are(raw: bytes, kind: str) -> None:
    with pytest.raises(BadRecord) as caught:
        READER.read(raw, b"c1", NOW)
    assert caught.value.kind == kind


def test_a_span_beyond_the_calendar_never_ends() -> None:
    stored = msgspec.structs.replace(rule(channels=[WEBHOOK]), expires_after=10**12)
    index = RuleIndex()
    index.insert(stored)
    (delivery,) = match_event(context(), index, NOW).deliveries
    assert delivery.expires_at is None
