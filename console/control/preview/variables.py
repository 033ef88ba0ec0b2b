"""Variables of a template: the objects of its trigger and of its distribution's action, with their known fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from schemas.closed import Action
from schemas.events.triggers import TRIGGERS, Trigger, object_fields
from streams.channels.payload import sent_objects

Variables = Mapping[str, tuple[str, ...]]
"""Object to its known fields; none where its fields are not known."""


def variables(trigger: Trigger, action: Action, *, gathers: bool = False) -> Variables:
    """The objects of a trigger, those that an action brings, and the list of a digest."""
    sent = sent_objects(trigger, action, gathers=gathers)
    return {name: tuple(object_fields(hint)) if isinstance(hint, type) else () for name, hint in sent.items()}


@cache
def every_variable() -> Variables:
    """Variables of a template that is not about one trigger: the objects of all."""
    found: dict[str, tuple[str, ...]] = {}
    for trigger in TRIGGERS.values():
        for action in trigger.purposes:
            for name, fields in variables(trigger, action, gathers=True).items():
                found[name] = fields if found.get(name, fields) == fields else ()
    return found
