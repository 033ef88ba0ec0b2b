"""Draws of an experiment: who is held out, and which arm the others get.

A hash decides, so a replay draws alike, and whoever is held out at 5 % is held out at 10 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.distribution import TRANSACTIONAL, Arm, ControlGroup, Distribution
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

    `seen` is what was drawn of that, in words. Without an arm it gets the plain one.
    """

    held_out: str | None = None
    seen: str = ""
    arm: Arm | None = None

    @classmethod
    def of_hold(cls, hold: Hold, rule: Distribution) -> Draw:
        """The one that was made when it began to wait; an arm that is gone gives way to the winner."""
        arm = rule.arm(hold.arm) or (rule.arm(rule.winner) if hold.arm else None)
        return cls(hold.held_out, f"{hold.held_out or 'not held out'}, drawn when it began to wait", arm)


IN_NONE = Draw()


def draw(rule: Rule, context: EventContext, now: datetime) -> Draw:
    """Draw for an event's customer. Staff are in no experiment: they get the winner, or the plain one."""
    distribution, customer = rule.distribution, context.head.customer_id
    if not has_holdout(distribution) and not distribution.arms:
        return IN_NONE
    winner = distribution.arm(distribution.winner)
    answer = rule.staff.run(context.facts, now) if rule.staff else False
    if answer is True:
        return Draw(seen="staff, in no experiment", arm=winner)
    said = list(_groups(distribution, customer))
    held_out = next((words for is_in, words in said if is_in), None)
    unknown = (f"staff: {answer.reason}",) if isinstance(answer, Failure) else ()
    arm = None if held_out else winner or _arm(rule, customer)
    return Draw(held_out, "; ".join((*(words for _, words in said), *unknown)), arm)


def _arm(rule: Rule, customer: str) -> Arm | None:
    """The arm of a customer."""
    one = rule.distribution
    place = drawn(f"arm {one.experiment}", one.project_id, one.id, customer, _ALL)
    return next((arm for end, arm in rule.arms if place < end), None)


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
