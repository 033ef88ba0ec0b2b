"""The peer is told the same rules in the same words, and what it writes is held against ours record by record."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.contract import topic_codec
from streams.event_context import EventContext
from streams.events import EventReader
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.bench.java_peer import comparable, differences, peer_rule
from tests.bench.peers import flat_rule
from tests.bench.rules import HOOK, PER_SHOP, order, profile, realistic

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def _decisions(rules: int, events: int) -> list[Any]:
    """Our decisions about orders of customers of a few shops, large enough for most rules."""
    index = RuleIndex()
    for rule in realistic(rules):
        index.insert(rule)
    codec = topic_codec("events.orders", "avro", None)
    day = timedelta(days=1)
    reader = EventReader("events.orders", codec, max_future=day, max_bytes=1 << 20, default_project="shop")
    made: list[Any] = []
    for number in range(events):
        one = profile(number, rules)
        raw = order(number, one, amount=95_000, now=NOW)
        context = EventContext(reader.read(raw, one["id"].encode(), NOW), raw, reader.decode)
        made += match_event(context, index, NOW).decisions
    return made


def test_the_peer_has_the_words_in_which_our_decisions_tell_of_each_test() -> None:
    rules = {rule.id: peer_rule(rule) for rule in realistic(2 * PER_SHOP)}
    decisions = _decisions(len(rules), 400)
    kinds = {int(one.distribution.id.removeprefix("rule-")) % 5 for one in decisions}
    assert kinds == set(range(5))  # each kind of rule fits some
    for one in decisions:
        mine = rules[one.distribution.id]
        words = [words for words, _ in mine["tests"]]
        assert [check.test for check in one.checks] == [*words, f"consent {mine['consent']}"]


def test_what_a_rule_looks_at_is_told_once_to_be_matched_and_once_in_words() -> None:
    for rule in realistic(2 * PER_SHOP):
        flat, told = flat_rule(rule), peer_rule(rule)
        looks = {of for _, of in told["tests"]}
        names = {"joined_days": "joined", "not_mail": "mail"}
        assert looks == {names.get(name, name) for name in flat}
        assert (told["url"], told["account"]) == (HOOK, "127.0.0.1:1")


def test_records_are_alike_but_for_what_is_each_sides_own() -> None:
    ours = {"decision_id": "dec_1", "delivery_id": "dlv_1", "decided_at": 1, "outcome": "emitted"}
    theirs = {"outcome": "emitted", "decided_at": 2, "delivery_id": "dlv_9", "decision_id": "dec_9"}
    assert differences(comparable([ours]), comparable([theirs])) == ""
    skipped = {**theirs, "delivery_id": None}
    assert "only of ours" in differences(comparable([ours]), comparable([skipped]))


def test_a_record_that_one_side_wrote_twice_or_not_at_all_is_a_difference() -> None:
    one, other = {"outcome": "emitted"}, {"outcome": "skipped"}
    assert differences(comparable([one, one]), comparable([one])) == '1 only of ours, as {"outcome":"emitted"}'
    assert differences(comparable([one]), comparable([one, other])).startswith("1 only of the peer's")
    assert differences(Counter(), comparable([])) == ""
