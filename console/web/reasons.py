"""Sentences for the reasons of the closed list, as somebody says them who does not know it."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.closed import Reason

REASONS: Mapping[Reason, str] = {
    "no_match": "its conditions do not fit",
    "rule_error": "a condition could not be judged",
    "consent": "the customer has not given this consent",
    "suppressed": "the address is suppressed",
    "capped": "the customer has had as many messages as may be sent",
    "quiet_hours": "these are quiet hours, or hours outside of its window",
    "throttled": "the provider asks for fewer messages",
    "duplicate": "the customer has had it already",
    "holdout": "the customer is in the group that gets nothing, to compare with",
    "no_address": "there is no address for this channel",
    "no_code": "the campaign has no code left",
    "template_error": "the text could not be made",
    "expired": "it came too late to be sent",
    "paused": "it is paused",
    "breaker_open": "the provider fails, and is left alone for a while",
    "limit": "the project's limit of messages is used up",
    "not_started": "the distribution had not started",
    "ended": "the distribution had ended",
    "canceled": "somebody, or a later event, cancelled it",
    "delayed": "it is sent with a delay",
    "stopped": "it was stopped",
    "erased": "the customer was erased",
    "digest": "it is gathered with other events into one message",
    "gathered": "it went out within a message that gathers many events",
    "fallback": "it waits for what becomes of the channel before",
}


def sentence(reason: str | None) -> str:
    """The sentence of a reason; of one that a newer release has, its name; empty for none."""
    return "" if reason is None else REASONS.get(reason, reason)  # type: ignore[call-overload]
