"""What a trigger offers to its distributions, and why it does not offer the rest."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from schemas.closed import Action, ChannelName
from schemas.triggers import PUBLISHED, Trigger


def why_not_offered(trigger: Trigger, action: Action, channels: Collection[ChannelName]) -> str | None:
    """Why a distribution on this trigger may not do this over these channels, naming what it may; None where it may."""
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


def _said(action: Action) -> str:
    match action:
        case "publish":
            return "publishing a code"
        case "promote":
            return "word of a promotion"
        case "message":
            return "a plain message"
        case _:
            assert_never(action)
