"""Draws of an experiment: the customers who are held out.

A hash decides, so a replay draws alike, and whoever is held out at 5 % is held out at 10 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.distribution import TRANSACTIONAL, ControlGroup, Distribution
from schemas.hold import Hold
from streams.conditions.answer import Failure
from streams.event_context import EventContext
from streams.identity import drawn
from streams.rule import Rule
from streams.values.percent import percent

_ALL = 10_000
"""Shares are in hundredths of a percent."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One customer in the experiments of a distribution; `held_out` says why its messages are kept back.

    `seen` is what was drawn, in words.
    """

    held_out: str | None = None
    seen: str = ""

    @classmethod
    def of_hold(cls, hold: Hold) -> Draw:
        """The one that was made when it began to wait."""
        return cls(hold.held_out, f"{hold.held_out or 'not held out'}, drawn when it began to wait")


IN_NONE = Draw()


def draw(rule: Rule, context: EventContext, now: datetime) -> Draw:
    """Draw for an event's customer. Staff are in no experiment."""
    if not has_holdout(rule.distribution):
        return IN_NONE
    answer = rule.staff.run(context.facts, now) if rule.staff else False
    if answer is True:
        return Draw(seen="staff, in no experiment")
    said = list(_groups(rule.distribution, context.head.customer_id))
    held_out = next((words for is_in, words in said if is_in), None)
    unknown = (f"staff: {answer.reason}",) if isinstance(answer, Failure) else ()
    return Draw(held_out, "; ".join((*(words for _, words in said), *unknown)))


def has_holdout(rule: Distribution) -> bool:
    """True where somebody may be held out."""
    return bool(rule.holdout or _control_group(rule))


def _groups(rule: Distribution, customer: str) -> Iterator[tuple[bool, str]]:
    """The groups of those who are held out: whether the customer is in it, and what was drawn."""
    control = _control_group(rule)
    groups = ((rule.experiment, rule.id, rule.holdout, "holdout"),) if rule.holdout else ()
    if control is not None:  # of a project: the same customers whatever the distribution
        groups = ((control.experiment, "", control.share, "control group"), *groups)
    for experiment, distribution, share, name in groups:
        place = drawn(f"{name} {experiment}", rule.project_id, distribution, customer, _ALL)
        yield place < share, f"{name} of {percent(share)}, drew {percent(place)}"


def _control_group(rule: Distribution) -> ControlGroup | None:
    return rule.control_group if rule.consent != TRANSACTIONAL else None
