"""Holdouts and control groups: who is held out, and that it stays so."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from schemas.distribution import ControlGroup, Distribution, Publish
from schemas.errors import DefinitionInvalid
from streams.experiment import draw
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_due, match_event
from streams.rule import compile_rule
from tests.factory import NOW, context, customer, rule
from tests.unit.streams.test_delay import held

MANY = 20_000
STAFF = {"customer.email": {"ends_with": "@ours.example"}}
EMAIL = {"email": {"account": "main", "subject": "Hi", "template": "hello"}}
WEBHOOK = {"webhook": {"url": "https://hooks.example.com/x", "type": "t"}}


def with_project(one: Distribution, **values: Any) -> Distribution:
    return msgspec.structs.replace(one, **values)


def held_out(one: Distribution, many: int = MANY) -> set[int]:
    compiled = compile_rule(one)
    found = set()
    for number in range(many):
        about: Any = SimpleNamespace(head=SimpleNamespace(customer_id=f"cust_{number}"), facts={})
        if draw(compiled, about, NOW).held_out:
            found.add(number)
    return found


def sent(one: Distribution, profile: dict[str, Any] | None = None) -> list[tuple[str | None, str]]:
    index = RuleIndex()
    index.insert(one)
    return [(made.reason, made.outcome) for made in match_event(context(profile), index, NOW).decisions]


def test_the_draw_is_uniform_and_holds_out_as_many_as_are_asked_for() -> None:
    for share in ("5%", "0.25%", "50%"):
        expected = MANY * float(share.removesuffix("%")) / 100
        assert abs(len(held_out(rule(holdout=share))) - expected) < 5 * expected**0.5
    tenths = Counter(number * 10 // MANY for number in held_out(rule(holdout="50%")))
    assert all(abs(count - MANY / 20) < 5 * (MANY / 40) ** 0.5 for count in tenths.values())


def test_whoever_is_held_out_stays_so_when_the_share_grows() -> None:
    small, larger = held_out(rule(holdout="5%"), 4_000), held_out(rule(holdout="10%"), 4_000)
    assert small < larger


def test_draws_of_distributions_experiments_and_projects_are_independent() -> None:
    half = {"holdout": "50%"}
    first = held_out(rule(**half))
    others = [
        rule(**half, distribution="other"),
        rule(**half, experiment="spring"),
        with_project(rule(), control_group=ControlGroup(share=5_000)),
        with_project(rule(), control_group=ControlGroup(share=5_000, experiment="spring")),
    ]
    for other in others:
        assert abs(len(first & held_out(other)) - MANY / 4) < 5 * (MANY * 3 / 16) ** 0.5


def test_a_control_group_is_the_same_for_each_distribution_of_a_project() -> None:
    group = ControlGroup(share=1_000)
    made = [with_project(rule(distribution=name), control_group=group) for name in ("a", "b")]
    assert held_out(made[0], 2_000) == held_out(made[1], 2_000)


def test_a_transactional_message_is_exempt_from_the_control_group_and_not_from_a_holdout_of_its_own() -> None:
    group = ControlGroup(share=10_000)
    assert sent(with_project(rule(), control_group=group)) == [("holdout", "skipped")]
    assert sent(with_project(rule(consent="transactional"), control_group=group)) == [(None, "emitted")]
    assert sent(rule(consent="transactional", holdout="100%")) == [("holdout", "skipped")]


def test_staff_always_get_it() -> None:
    one = with_project(rule(holdout="100%"), staff=STAFF, control_group=ControlGroup(share=10_000))
    assert sent(one, customer(email="ann@ours.example")) == [(None, "emitted")]
    assert sent(one, customer(email="ann@else.example")) == [("holdout", "skipped")]
    assert sent(one, customer(email=None)) == [("holdout", "skipped")]


@pytest.mark.parametrize(
    ("profile", "reasons"),
    [
        (customer(), ["holdout", "holdout"]),
        (customer(email=None), ["no_address", "holdout"]),
        (customer(consents={}), ["consent"]),
    ],
)
def test_only_those_who_would_have_got_it_count_as_held_out(profile: dict[str, Any], reasons: list[str]) -> None:
    assert [reason for reason, _ in sent(rule(holdout="100%", channels=[EMAIL, WEBHOOK]), profile)] == reasons


def test_no_code_is_asked_for_whom_is_held_out() -> None:
    index = RuleIndex()
    index.insert(msgspec.structs.replace(rule(holdout="100%"), publish=Publish(campaign="x")))
    assert not match_event(context(), index, NOW).requests


def test_the_check_says_what_was_drawn() -> None:
    index = RuleIndex()
    index.insert(with_project(rule(holdout="100%"), control_group=ControlGroup(share=0)))
    (one,) = explain_event(context(), index, NOW)
    (decision,) = one.decisions
    assert decision.detail is not None
    assert decision.detail.startswith("holdout of 100%, drew ")
    shown = {check.test: check for check in decision.checks}["not held out"]
    assert shown.passed is False
    assert shown.seen.startswith("control group of 0%, drew ")


@pytest.mark.parametrize(("before", "after"), [("100%", "0%"), ("0%", "100%"), ("100%", "100%")])
def test_what_waits_was_drawn_when_it_began_to_wait(before: str, after: str) -> None:
    first, later = RuleIndex(), RuleIndex()
    first.insert(rule(holdout=before, delay="1h"))
    later.insert(rule(holdout=after, delay="1h"))
    (waits,) = match_event(context(), first, NOW).holds
    (decision,) = match_due(context(), held(waits), later, NOW).decisions
    assert decision.reason == ("holdout" if before == "100%" else None)


def test_a_stored_condition_on_staff_that_is_not_valid_any_more_takes_the_distribution_out() -> None:
    with pytest.raises(DefinitionInvalid):
        compile_rule(with_project(rule(), staff={"customer.email": {"is_like": "x"}}))
