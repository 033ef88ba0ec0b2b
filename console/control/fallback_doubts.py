"""Doubts about a fallback: where nobody tells how far a message came, everybody gets the next channel as well."""

from __future__ import annotations

from schemas.distribution import Distribution
from schemas.errors import Problem
from schemas.tracking import NO_TRACKING, TRACKING, Tracking

_AT = "fallback_after.unless"


def fallback_doubts(
    rule: Distribution, *, has_callbacks: bool, tracking: Tracking = NO_TRACKING
) -> tuple[Problem, ...]:
    """Warnings. `has_callbacks`: providers have an address of ours to call; `tracking`: e-mails tell of themselves."""
    fallback = rule.fallback_after
    if fallback is None:
        return ()
    if fallback.unless in ("opened", "clicked"):
        by_email = any(plan.channel == "email" for plan in rule.channels[:-1])
        if by_email and has_callbacks and (tracking.opens if fallback.unless == "opened" else tracking.clicks):
            said = f"that an e-mail was {fallback.unless} is known only of customers with the consent {TRACKING}:"
            return (Problem(_AT, f"{said} everybody else gets the next channel as well. Else take delivered"),)
        said = f"that a message was {fallback.unless} is known only where somebody else writes it to delivery.status:"
        return (Problem(_AT, f"{said} without that, everybody gets the next channel as well. Else take delivered"),)
    silent = dict.fromkeys(plan.channel for plan in rule.channels[:-1] if plan.channel != "webhook")
    if has_callbacks or not silent:
        return ()
    said = f"no provider can tell that a message of {', '.join(silent)} was delivered: console.public_url is empty."
    return (Problem(_AT, f"{said} Everybody gets the next channel as well. Set it: see the callbacks"),)
