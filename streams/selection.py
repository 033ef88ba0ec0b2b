"""The events of a type that a distribution takes: all, those about one object, or those addressed to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.distribution import Distribution, TriggerRef
from schemas.events.triggers import TRIGGERS, ManualData, Trigger
from streams.event_context import Head
from streams.verdict import Skip

About = str | tuple[str | None, str | None] | None
"""None for every event; an id; or, where a type has two selectors, a pair of ids of which one may be None."""


class Selection(NamedTuple):
    """Events of a project and a type, as far as they are about something."""

    project_id: str
    event: str
    about: About = None


def selection_of(distribution: Distribution) -> Selection:
    """The events that a distribution takes."""
    return selected(distribution, distribution.trigger)


def selected(distribution: Distribution, ref: TriggerRef) -> Selection:
    """The events of a trigger that a distribution names."""
    return Selection(distribution.project_id, ref.event, _about(distribution.id, ref))


def _about(identity: str, ref: TriggerRef) -> About:
    trigger = TRIGGERS[ref.event]
    if trigger.addressed:
        return identity
    named = [getattr(ref, key) for key in trigger.selector_keys]
    if not any(named):
        return None
    return named[0] if len(named) == 1 else (named[0], named[1])


def pairs_of(trigger: Trigger, data: Any) -> list[About]:
    """Each `About` that fits an event of a type with two selectors, beside None. `data` holds its objects."""
    first, second = (_id_of(getattr(data, name)) for name in trigger.selecting)
    return [pair for pair in ((first, None), (None, second), (first, second)) if any(pair)]


def is_selected(distribution: Distribution, data: Any) -> bool:
    """True for an event of the distribution's type that is about what it names; by its objects, without the index."""
    trigger = TRIGGERS[distribution.trigger.event]
    if trigger.addressed:
        return bool(_id_of(data.distribution) == distribution.id)
    if type(data) is ManualData and data.distribution.id != distribution.id:  # made up for another one
        return False
    return all(
        getattr(distribution.trigger, selector.key) in (None, _id_of(getattr(data, selector.object)))
        for selector in trigger.selectors
    )


def same_type(rule: Distribution, event: Head[Any]) -> bool:
    """True where a rule of the event's project reacts to its type."""
    return rule.project_id == event.project_id and rule.trigger.event == event.type


def no_longer_reacts(rule: Distribution, event: Head[Any]) -> Skip | None:
    """An objection of a distribution that is over, or is about something else by now."""
    if rule.status == "ENDED":
        return Skip("ended", "the distribution has ended")
    if rule.status not in ("LIVE", "PAUSED"):
        return Skip("stopped", f"the distribution is {rule.status}")
    if not same_type(rule, event) or not is_selected(rule, event.data):
        return Skip("no_match", "the distribution no longer reacts to such an event")
    return None


def in_words(ref: TriggerRef) -> str:
    """The selection in words, as in `campaign camp_spring and tier gold`."""
    trigger = TRIGGERS[ref.event]
    if trigger.addressed:
        return "distribution"
    named = [(key, getattr(ref, key)) for key in trigger.selector_keys]
    return " and ".join(f"{key} {value}" for key, value in named if value is not None)


def _id_of(chosen: Any) -> str | None:
    return None if chosen is None else chosen.id
