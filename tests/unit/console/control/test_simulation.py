"""Events in simulated time: matched as they came, released when due, ended, counted; and held against others."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from console.control.explain import simulate
from console.control.known_memberships import KnownMemberships
from console.control.recording import Recording, Whose, from_lines, profiles_of, segments_of
from console.control.simulation import (
    Simulation,
    as_applied,
    begun_at,
    differences,
    of_customer,
    outcome_words,
    samples_for,
    simulate_over_time,
)
from schemas.distribution import Distribution
from schemas.errors import InvalidEvent
from schemas.events.triggers import TRIGGERS
from tests.factory import NOW, rule

PAID, CANCELED = "customer.order.paid", "customer.order.canceled"
WHOSE = Whose("shop", "shop")


def event(number: int, hours: float, *, kind: str = PAID, customer: str = "ann", order: str = "o") -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(TRIGGERS[kind].sample(project_id="shop", event_id=f"ev{number}")))
    made["created_at"] = (NOW + timedelta(hours=hours)).isoformat()
    made["data"]["customer"]["id"] = customer
    made["data"]["order"]["id"] = order
    return made


def recorded(*events: dict[str, Any]) -> Recording:
    return from_lines([json.dumps(one).encode() for one in events], "rec.jsonl", WHOSE)


def run(
    rules: list[Distribution], *events: dict[str, Any], rows: dict[str, bytes] | None = None
) -> list[tuple[float, str, int, str]]:
    """Each step: hours after NOW, its event, its round, and the outcome with its reason."""
    made = simulate_over_time(recorded(*events), rules, rows or {})
    return [(_hours(step.at), step.decision.event.id, step.round, _words(step)) for step in made.steps]


def _hours(at: datetime) -> float:
    return (at - NOW) / timedelta(hours=1)


def _words(step: Any) -> str:
    return ", ".join(part for part in (step.decision.outcome, step.decision.reason) if part)


def test_what_has_no_reason_to_wait_leaves_at_the_time_of_its_event() -> None:
    assert run([rule()], event(2, 5), event(1, 1)) == [(1, "ev1", 0, "emitted"), (5, "ev2", 0, "emitted")]


def test_a_delay_is_released_when_due_between_the_events() -> None:
    assert run([rule(delay="3h")], event(1, 0), event(2, 4, customer="bob")) == [
        (0, "ev1", 0, "deferred, delayed"),
        (3, "ev1", 1, "emitted"),
        (4, "ev2", 0, "deferred, delayed"),
        (7, "ev2", 1, "emitted"),
    ]


@pytest.mark.parametrize(
    ("order", "hours", "last"),
    [("o", 2, (3, "ev1", 1, "skipped, canceled")), ("other", 2, (3, "ev1", 1, "emitted")), ("o", 4, None)],
)
def test_an_event_ends_what_waits_until_it_is_released(
    order: str, hours: float, last: tuple[float, str, int, str] | None
) -> None:
    reminder = rule(delay="3h", unless={"trigger": {"event": CANCELED}, "same": "order.id"})
    steps = run([reminder], event(1, 0), event(2, hours, kind=CANCELED, order=order))
    assert steps[-1] == (last or (3, "ev1", 1, "emitted"))


@pytest.mark.parametrize(
    ("again", "outcomes"),
    [
        ("every_event", ["emitted", "emitted", "emitted"]),
        ("once_per_customer", ["emitted", "skipped, duplicate", "skipped, duplicate"]),
        ({"once_per": "order.id"}, ["emitted", "skipped, duplicate", "emitted"]),
    ],
)
def test_what_was_sent_is_known_from_event_to_event(again: Any, outcomes: list[str]) -> None:
    steps = run([rule(again=again)], event(1, 0), event(2, 1), event(3, 2, order="p"))
    assert [words for *_, words in steps] == outcomes


def test_a_window_holds_until_it_opens() -> None:
    ((_, _, _, first), (opened, _, number, then)) = run([rule(window={"from": "18:00", "to": "20:00"})], event(1, 0))
    assert (first.partition(",")[0], then, number) == ("deferred", "emitted", 1)
    assert opened > 0


def test_what_does_not_fit_says_by_which_test() -> None:
    made = simulate_over_time(recorded(event(1, 0)), [rule(when={"order.amount": {"at_least": 10**9}})], {})
    (step,) = made.steps
    assert (step.decision.reason, step.decision.detail) == ("no_match", "order.amount at_least 1000000000: 12000")
    assert made.totals == {("thanks", "skipped", "no_match"): 1}


def test_a_paused_distribution_ends_the_simulation() -> None:
    paused = msgspec.structs.replace(rule(delay="1h"), status="PAUSED")
    assert all("emitted" not in words for *_, words in run([paused], event(1, 0)))


def test_the_given_profile_counts() -> None:
    row = json.dumps({"id": "ann", "consents": {"marketing": False}}).encode()
    ((*_, words),) = run([rule()], event(1, 0), rows={"ann": row})
    assert words == "skipped, consent"


def test_the_same_recording_comes_out_otherwise_with_other_distributions() -> None:
    recording = recorded(event(1, 0), event(2, 1, customer="bob"))

    def over(*rules: Distribution) -> Simulation:
        return simulate_over_time(recording, rules, {})

    assert differences(over(rule()), over(rule())) == []
    (one, two) = differences(over(rule()), over(rule(delay="1h")))
    assert (one.event, one.customer, one.distribution) == ("ev1", "ann", "thanks")
    assert (one.before, one.after) == (
        ("webhook: emitted at 2026-11-20 12:00:00Z",),
        ("webhook: emitted at 2026-11-20 13:00:00Z",),
    )
    assert two.customer == "bob"
    assert [one.after for one in differences(over(rule()), over())] == [(), ()]


def test_a_draft_changes_its_namesake_alone_and_the_others_count_as_before() -> None:
    live = [rule(distribution="first", priority=2), rule(distribution="second")]
    draft = rule(distribution="second", consent="transactional", delay="1h")
    events = recorded(event(1, 0))
    after = simulate_over_time(events, as_applied([draft], live), {})
    found = differences(simulate_over_time(events, live, {}), after)
    assert [one.distribution for one in found] == ["second"]
    assert {step.decision.distribution.id for step in after.steps} == {"first", "second"}


def test_a_recording_may_begin_at_another_time() -> None:
    moved = begun_at(recorded(event(1, 0), event(2, 5)), NOW + timedelta(days=30))
    made = simulate_over_time(moved, [rule()], {})
    assert [_hours(step.at) for step in made.steps] == [720, 725]
    assert [step.decision.event.created_at for step in made.steps] == [step.at for step in made.steps]


def test_one_customer_alone() -> None:
    recording = recorded(event(1, 0), event(2, 1, customer="bob"))
    assert of_customer(recording, "bob").customers == {"bob"}
    row = json.dumps({"id": "bob", "name": "Bob", "consents": {"marketing": True}}).encode()
    (sample,) = samples_for([rule()], "shop", "bob", row, NOW)
    assert (sample["type"], sample["data"]["customer"]["name"]) == (PAID, "Bob")


def test_a_decision_in_words() -> None:
    (deferred, _) = simulate_over_time(recorded(event(1, 0)), [rule(delay="1h")], {}).steps
    assert outcome_words(deferred.decision) == "deferred until 2026-11-20 13:00:00Z, delayed"


def test_events_are_gathered_and_leave_as_one_message() -> None:
    one = rule(digest={"for": "4h"})
    assert run([one], event(1, 0), event(2, 1), event(3, 5)) == [
        (0, "ev1", 0, "deferred, digest"),
        (1, "ev2", 0, "deferred, digest"),
        (4, "ev1", 1, "emitted"),
        (4, "ev2", 1, "emitted"),
        (5, "ev3", 0, "deferred, digest"),
        (9, "ev3", 1, "emitted"),
    ]
    alone = run([rule(digest={"for": "4h", "first": True})], event(1, 0), event(2, 1))
    assert [(at, event) for at, event, _, said in alone if said == "emitted"] == [(0, "ev1"), (4, "ev2")]


VIP = {"customer.segments": {"contains": "vip"}}


def entered(number: int, hours: float, kind: str, segment: str) -> dict[str, Any]:
    data = {"customer": {"id": "ann"}, "segment": {"id": segment}}
    return {**event(number, hours), "type": f"customer.segment.{kind}", "data": data}


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (KnownMemberships(given={"ann": ["vip"]}), "emitted"),
        (KnownMemberships(applied={"ann": ["vip"]}, of_all=True), "emitted"),
        (KnownMemberships(applied={"ann": ["vip"]}, given={"ann": []}, of_all=True), "skipped, no_match"),
        (KnownMemberships(of_all=True), "skipped, no_match"),
        (KnownMemberships(given={"bob": ["vip"]}), "skipped, rule_error"),
        (KnownMemberships(), "skipped, rule_error"),
    ],
)
def test_a_guard_on_segments_is_judged_by_what_is_known_of_them(known: KnownMemberships, words: str) -> None:
    over_time = simulate_over_time(recorded(event(1, 1)), [rule(when=VIP)], {}, memberships=known)
    assert [_words(step) for step in over_time.steps] == [words]
    (one,) = simulate(event(1, 1), [rule(when=VIP)], None, NOW + timedelta(hours=2), memberships=known).outcomes
    if "rule_error" in words:
        assert "are not known here" in str(one.decisions[0].detail)
        assert "--customers" in str(one.decisions[0].detail)
    assert bool(one.decisions and one.decisions[0].outcome == "emitted") is (words == "emitted")


def test_upstreams_entries_and_leaves_count_from_event_to_event() -> None:
    events = [entered(1, 1, "entered", "vip"), event(2, 2), entered(3, 3, "left", "vip"), event(4, 4)]
    known = KnownMemberships(given={"ann": ["other"]})
    made = simulate_over_time(recorded(*events), [rule(when=VIP)], {}, memberships=known)
    assert [(one.decision.event.id, one.decision.outcome) for one in made.steps] == [
        ("ev2", "emitted"),
        ("ev4", "skipped"),
    ]


@pytest.mark.parametrize("given", ["vip", {"id": "vip"}, [1], None])
def test_segments_of_a_given_customer_are_a_list_of_ids(given: Any) -> None:
    line = json.dumps({"id": "ann", "segments": given}).encode()
    with pytest.raises(InvalidEvent, match=r"c\.jsonl:1: .*segments"):
        profiles_of([line], "c.jsonl", WHOSE)


def test_segments_of_given_customers_are_read_where_they_are_written() -> None:
    lines = [json.dumps(one).encode() for one in ({"id": "ann", "segments": ["vip"]}, {"id": "bob"})]
    assert segments_of(profiles_of(lines, "c.jsonl", WHOSE)) == {"ann": ["vip"]}


def test_the_highest_priority_gets_the_last_place_of_a_cap() -> None:
    cap = {"at_most": 1, "in": "30d", "gather": "1h"}
    low = rule(distribution="low", trigger={"event": PAID}, priority=1, cap=cap)
    high = rule(distribution="high", trigger={"event": CANCELED}, priority=5, cap=cap)
    made = simulate_over_time(recorded(event(1, 0), event(2, 0.5, kind=CANCELED)), [low, high], {})
    told = [(_hours(one.at), one.decision.distribution.id, _words(one)) for one in made.steps]
    assert told == [
        (0, "low", "deferred, gathered"),
        (0.5, "high", "deferred, gathered"),
        (1, "high", "emitted"),
        (1, "low", "skipped, capped"),
    ]
