"""The offers of a trigger to its distributions, and why it does not offer the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import assert_never

from schemas.closed import Action, ChannelName
from schemas.events.triggers import PUBLISHED, TRIGGERS, Trigger
from streams.channels.payload import BROUGHT


def why_not_offered(trigger: Trigger, action: Action, channels: Collection[ChannelName]) -> str | None:
    """The reason why a distribution on this trigger may not do this over these channels; None where it may."""
    allowed = ", ".join(trigger.purposes)
    if action == "publish" and trigger.type == PUBLISHED:
        return (
            f"a distribution on {PUBLISHED} that publishes a code would start itself again, without end. "
            f"Allowed here: {allowed}, which sends the code that was just published"
        )
    if action not in trigger.purposes:
        return f"{_said(action)} is not offered on {trigger.type}. Allowed here: {allowed}"
    if trigger.addressed and action == "message" and "webhook" in channels:
        others = ", ".join(purpose for purpose in trigger.purposes if purpose != "message")
        return f"a plain message on {trigger.type} does not go over webhook. Over webhook it may {others}"
    return None


_WRITTEN: Mapping[Action, str] = {
    "publish": "publish: {campaign: spring-codes}",
    "promote": "promote: {campaign: summer-tiers, tier: gold}",
}


def how_it_comes(name: str, trigger: Trigger) -> str | None:
    """The way for an object that neither trigger nor action brings into a message; None where nothing could."""
    bringing = [action for action, brought in BROUGHT.items() if name in brought]
    for action in bringing:
        if why_not_offered(trigger, action, ()) is None:
            return f"A {name} comes with {_WRITTEN[action]}"
    events = [one.type for one in TRIGGERS.values() if name in one.required]
    if not bringing or not events:
        return None
    return f"On {trigger.type} nothing brings a {name}; the events that have one are: {', '.join(events)}"


def _said(action: Action) -> str:
    match action:
        case "publish":
            return "publishing a code"
        case "promote":
            return "a promotion notice"
        case "message":
            return "a plain message"
        case _:
            assert_never(action)
