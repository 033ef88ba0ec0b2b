"""The event types of a topic: those that have it, and on that of sends the entries that backfills make up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from schemas.events.triggers import BACKFILLED, MANUAL, SEND, TRIGGERS, ManualData, Trigger

_BACKFILL = Trigger(
    BACKFILLED,
    TRIGGERS[MANUAL].topic,
    ManualData,
    ("segment", "distribution", SEND),
    (),
    TRIGGERS[BACKFILLED].selectors,
    addressed=True,
)
"""An entry that is made up, for the one distribution that it names, and goes out without naming it."""


@cache
def triggers_on(topic: str) -> Mapping[str, Trigger]:
    """By event type, what each requires on a topic."""
    found = {name: trigger for name, trigger in TRIGGERS.items() if trigger.topic == topic}
    return {**found, BACKFILLED: _BACKFILL} if topic == _BACKFILL.topic else found
