"""Choices made with us, beside a simulation and a story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.cli.explained import show_simulation, show_story, story_json
from console.control.explain import Simulated, Story, simulate
from console.control.left_with_us import choice_words, with_choices
from store.consent_choices import Choice
from tests.factory import NOW, customer, order_event, rule

LEFT = Choice("marketing", given=False, at=NOW, way="one_click", delivery_id="dlv_1", is_taken_over=False)


def simulated(consent: str = "marketing") -> Simulated:
    return simulate(order_event(), [rule(consent=consent)], customer(), NOW)


@pytest.mark.parametrize("category", ["marketing", "*"])
def test_who_has_left_is_sent_nothing_and_it_says_how_they_left(
    category: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = with_choices(simulated(), [replace(LEFT, category=category)])
    (one,) = found.outcomes
    assert (one.checks[-1].passed, one.checks[-1].test) == (False, "consent marketing, chosen with us")
    show_simulation(found)
    shown = capsys.readouterr().out
    assert "would not send: the customer has left with us" in shown
    assert "by the unsubscribe button of a mail program (delivery dlv_1)" in shown


@pytest.mark.parametrize(
    ("choice", "consent"),
    [
        (replace(LEFT, given=True), "marketing"),
        (replace(LEFT, is_taken_over=True), "marketing"),
        (replace(LEFT, category="newsletter"), "marketing"),
        (LEFT, "transactional"),
    ],
)
def test_another_choice_changes_nothing(choice: Choice, consent: str) -> None:
    before = simulated(consent)
    assert with_choices(before, [choice]) == before
    assert before.outcomes[0].deliveries


def test_words_say_what_counts() -> None:
    assert choice_words(LEFT).endswith("; counts until a later profile says the same")
    assert choice_words(replace(LEFT, is_taken_over=True)).endswith("and counts alone")
    asked = choice_words(replace(LEFT, category="*", given=True, way="page", delivery_id=None))
    assert asked.startswith(f"all categories: asked for on {NOW:%Y-%m-%d %H:%M} UTC by a page of ours;")


def test_a_story_begins_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story((), (), choices=(LEFT,))
    assert not story.is_empty
    show_story(story)
    assert "chosen with us, marketing: withdrawn on" in capsys.readouterr().out
    assert story_json(story, NOW)["choices"] == (LEFT,)
