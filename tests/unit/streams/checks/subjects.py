"""Subjects of checks, valid unless told otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from streams.channels.tables import CHANNEL_RULES
from streams.checks.check import Message, Subject
from streams.experiment import IN_NONE, Draw
from streams.recent import Sent
from tests.factory import NOW, customer, event, rule

DELIVERY = "dlv_" + "0" * 32


def subject(profile: dict[str, Any] | None = None, happened: datetime = NOW, **changes: Any) -> Subject:
    """A distribution on paid orders, an order and a customer."""
    return Subject(rule(**changes), event(created_at=happened.isoformat()), profile or customer())


def message(
    profile: dict[str, Any] | None = None,
    recent: list[Sent] | None = None,
    event_id: str = "ev1",
    now: datetime = NOW,
    draw: Draw = IN_NONE,
    *,
    is_ranked: bool = False,
    **changes: Any,
) -> Message:
    """Its first message."""
    distribution, who = rule(**changes), profile or customer()
    plan = distribution.channels[0]
    return Message(
        distribution,
        event(id=event_id),
        who,
        plan,
        0,
        DELIVERY,
        CHANNEL_RULES[plan.channel].reach(plan, who),
        lambda: recent or [],
        now,
        draw=draw,
        is_ranked=is_ranked,
    )
