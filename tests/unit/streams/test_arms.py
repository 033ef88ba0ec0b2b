"""Arms: who gets which, that it stays so, and how they are written."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid
from schemas.hold import Hold
from streams.documents.distribution import parse_definition
from streams.experiment import draw
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.rule import compile_rule
from tests.factory import CONTEXT, NOW, context, customer, definition, rule
from tests.unit.streams.test_delay import held

MANY = 20_000
SMS = {"sms": {"account": "main", "text": "Hello"}}
EMAIL = {"email": {"account": "main", "subject": "Hi", "text": "Hello"}}
TWO = {"a": {"share": "50%"}, "b": {"share": "50%", "text": "Bye"}}
STAFF = {"customer.email": {"ends_with": "@ours.example"}}


def arms_of(one: Distribution, many: int = MANY) -> list[str | None]:
    compiled, found = compile_rule(one), list[str | None]()
    for number in range(many):
        about: Any = SimpleNamespace(head=SimpleNamespace(customer_id=f"cust_{number}"), facts={})
        arm = draw(compiled, about, NOW).arm
        found.append(arm.id if arm else None)
    return found


def written(**arms: Any) -> Distribution:
    return rule(channels=[EMAIL, SMS], arms=arms)


def match(one: Distribution, profile: dict[str, Any] | None = None) -> Any:
    index = RuleIndex()
    index.insert(one)
    return match_event(context(profile or customer(phone="+48600100200")), index, NOW)


def test_shares_are_kept_and_the_draw_is_that_of_no_holdout() -> None:
    arms = {"a": {"share": "20%"}, "b": {"share": "30%"}, "c": {"share": "50%"}}
    counts = Counter(arms_of(written(**arms)))
    for name, share in (("a", 0.2), ("b", 0.3), ("c", 0.5)):
        assert abs(counts[name] - MANY * share) < 5 * (MANY * share * (1 - share)) ** 0.5
    half = Counter(arms_of(rule(channels=[EMAIL], arms=TWO, holdout="50%")))
    assert abs(half[None] - MANY / 2) < 5 * (MANY / 4) ** 0.5
    assert abs(half["a"] - MANY / 4) < 5 * (MANY * 3 / 16) ** 0.5


def test_another_experiment_draws_anew_and_the_same_one_does_not() -> None:
    one = arms_of(rule(channels=[EMAIL], arms=TWO))
    assert arms_of(rule(channels=[EMAIL], arms=TWO, name="other", priority=7)) == one
    assert arms_of(rule(channels=[EMAIL], arms=dict(reversed(TWO.items())))) == one
    other = arms_of(rule(channels=[EMAIL], arms=TWO, experiment="second"))
    same = sum(first == second for first, second in zip(one, other, strict=True))
    assert abs(same - MANY / 2) < 5 * (MANY / 4) ** 0.5


def test_an_arm_is_sent_and_named_on_its_delivery_and_its_decision() -> None:
    for name, text in (("a", "Hello"), ("b", "Bye")):
        shares = {one: {**arm, "share": "100%" if one == name else "0%"} for one, arm in TWO.items()}
        matched = match(written(**shares))
        assert [one.arm for one in (*matched.deliveries, *matched.decisions)] == [name] * 4
        digests = {one.template.digest for one in matched.deliveries}
        other = match(
            rule(channels=[{"email": {**EMAIL["email"], "text": text}}, {"sms": {**SMS["sms"], "text": text}}])
        )
        assert digests == {one.template.digest for one in other.deliveries}
        assert [one.delivery_id for one in matched.deliveries] == [one.delivery_id for one in other.deliveries]


def test_a_distribution_without_arms_names_none() -> None:
    matched = match(rule(channels=[EMAIL]))
    assert [one.arm for one in (*matched.deliveries, *matched.decisions)] == [None, None]


def test_the_winner_is_what_everybody_gets_but_those_who_are_held_out() -> None:
    one = rule(channels=[EMAIL], arms=TWO, winner="b")
    assert set(arms_of(one, 1_000)) == {"b"}
    assert Counter(arms_of(rule(channels=[EMAIL], arms=TWO, winner="b", holdout="10%"), 1_000))[None] > 50
    staff = msgspec.structs.replace(one, staff=STAFF)
    assert match(staff, customer(email="ann@ours.example")).deliveries[0].arm == "b"


def test_staff_get_the_plain_one() -> None:
    one = msgspec.structs.replace(rule(channels=[EMAIL], arms=TWO), staff=STAFF)
    assert match(one, customer(email="ann@ours.example")).deliveries[0].arm is None
    assert match(one, customer(email="ann@else.example")).deliveries[0].arm is not None


def test_an_arm_may_go_over_other_channels_and_wait_for_itself() -> None:
    arms = {"a": {"share": "0%"}, "b": {"share": "100%", "channels": [SMS], "delay": "2h"}}
    matched = match(rule(channels=[EMAIL], arms=arms))
    assert not matched.deliveries
    (waits,) = matched.holds
    assert (waits.draw.arm.id, matched.decisions[0].arm) == ("b", "b")
    later = due(held(waits), rule(channels=[EMAIL], arms=arms))
    assert [(one.channel, one.arm) for one in later.deliveries] == [("sms", "b")]


def due(hold: Hold, one: Distribution) -> Any:
    index = RuleIndex()
    index.insert(one)
    return match_due(context(customer(phone="+48600100200")), hold, index, NOW)


@pytest.mark.parametrize(
    ("changes", "arm"),
    [
        ({"arms": {"a": {"share": "0%"}, "b": {"share": "100%"}}}, "a"),
        ({"arms": {"a": {"share": "50%"}, "b": {"share": "50%"}}, "winner": "b"}, "a"),
        ({"arms": {"c": {"share": "50%"}, "b": {"share": "50%"}}, "winner": "b"}, "b"),
        ({"arms": {"c": {"share": "50%"}, "b": {"share": "50%"}}}, None),
        ({}, None),
    ],
)
def test_what_waits_keeps_its_arm_where_that_is_still_there(changes: dict[str, Any], arm: str | None) -> None:
    before = {"a": {"share": "100%"}, "b": {"share": "0%"}}
    (waits,) = match(rule(channels=[EMAIL], arms=before, delay="1h")).holds
    later = due(held(waits), rule(channels=[EMAIL], delay="1h", **changes))
    assert [one.arm for one in later.deliveries] == [arm]


HALF = {"share": "50%"}


def b_says(**keys: Any) -> dict[str, Any]:
    return {"a": HALF, "b": {**HALF, **keys}}


@pytest.mark.parametrize(
    ("arms", "path", "said"),
    [
        ({"a": HALF, "b": {"share": "40%"}}, "arms", "the shares add up to 90%: must be 100%"),
        ({"a": HALF, "b": {"share": "50.01%"}}, "arms", "the shares add up to 100.01%"),
        ({"a": {"share": "100%"}}, "arms", "has 1 names: must be a mapping of 2 to 20 names"),
        ({"a": HALF, "b": {}}, "arms.b.share", "is missing: must be a percentage"),
        ({"a": HALF, "b": {"share": 50}}, "arms.b.share", "50 is not valid: must be a percentage"),
        ({"a": HALF, "b b": HALF}, "arms", "must be an id of letters"),
        (b_says(template="helo"), "arms.b.template", 'Did you mean "hello"'),
        (b_says(templat="x"), "arms.b.templat", 'Did you mean "template"'),
        (b_says(subject=7), "arms.b.subject", "must be a text"),
        (b_says(channels=[{"fax": {}}]), "arms.b.channels[0]", "not a channel"),
        (b_says(channels=[{"sms": {"account": "x", "text": "t"}}]), "arms.b.channels[0].sms.account", "one of main"),
        (b_says(channels=[EMAIL], text="t"), "arms.b.text", "stands in the arm's channels"),
        (b_says(template="hello", text="t"), "arms.b.template", "instead of text"),
        (b_says(delay="soon"), "arms.b.delay", "must be a duration"),
        (b_says(delay={"until": "order.amount"}), "arms.b.delay.until", "path of a date"),
    ],
)
def test_what_does_not_add_up_is_refused(arms: Any, path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        rule(channels=[EMAIL], arms=arms)
    assert path in {one.path for one in caught.value.problems}
    assert said in " ".join(one.message for one in caught.value.problems)


def test_a_key_that_no_channel_has_and_a_winner_that_is_no_arm_are_refused() -> None:
    for changes, said in (
        ({"arms": TWO}, "no channel of the distribution has a text"),
        ({"channels": [EMAIL], "arms": TWO, "winner": "c"}, '"c" is not an arm: must be one of a, b'),
        ({"winner": "c"}, '"c" is not an arm'),
    ):
        with pytest.raises(DefinitionInvalid, match=said):
            rule(**changes)


def test_templates_of_arms_are_kept_with_the_definition() -> None:
    arms = {"a": {"share": "50%"}, "b": {"share": "50%", "template": "hello"}}
    made = parse_definition(definition(channels=[EMAIL], arms=arms), CONTEXT)
    assert [(at, one.name) for at, one in made.templates] == [("channels[0].email", "thanks"), ("arms.b", "hello")]
    assert [at for at, _ in made.distribution.plans()] == [
        "channels[0].email", "arms.a.channels[0].email", "arms.b.channels[0].email",
    ]  # fmt: skip
