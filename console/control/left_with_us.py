"""Choices that customers made with us, beside what is explained: the profile alone is upstream's word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from console.control.explain import Simulated
from schemas.consent_choice import EVERY_CATEGORY
from schemas.decision import Check
from schemas.distribution import TRANSACTIONAL
from store.consent_choices import Choice
from streams.match import Explained

_WAYS = {
    "one_click": "the unsubscribe button of a mail program",
    "page": "a page of ours",
    "mail": "a mail",
    "staff": "somebody who wrote it down for them",
}


def choice_words(choice: Choice) -> str:
    """A choice, how it was made, and for how long it counts."""
    what = "all categories" if choice.category == EVERY_CATEGORY else choice.category
    made = f"{'asked for' if choice.given else 'withdrawn'} on {choice.at:%Y-%m-%d %H:%M} UTC"
    link = f" (delivery {choice.delivery_id})" if choice.delivery_id else ""
    counts = "a later profile says the same, and counts alone" if choice.is_taken_over else _counts(choice)
    return f"{what}: {made} by {_WAYS.get(choice.way, choice.way)}{link}; {counts}"


def with_choices(simulated: Simulated, choices: Iterable[Choice]) -> Simulated:
    """A simulation with what the customer has chosen: what is withdrawn with us is stopped before it leaves."""
    made = list(choices)
    against = {one.distribution.id: _against(one.distribution.consent, made) for one in simulated.outcomes}
    left = {identity: choice for identity, choice in against.items() if choice is not None}
    outcomes = tuple(_checked(one, left.get(one.distribution.id)) for one in simulated.outcomes)
    return replace(simulated, outcomes=outcomes, left=frozenset(left))


def _against(category: str, choices: list[Choice]) -> Choice | None:
    return next((one for one in choices if category != TRANSACTIONAL and one.withdraws(category)), None)


def _checked(outcome: Explained, against: Choice | None) -> Explained:
    if against is None:
        return outcome
    test = f"consent {outcome.distribution.consent}, chosen with us"
    return replace(outcome, checks=[*outcome.checks, Check(test=test, passed=False, seen=choice_words(against))])


def _counts(choice: Choice) -> str:
    if choice.given:
        return "whether it is given its profile says"
    return "counts until a later profile says the same"
