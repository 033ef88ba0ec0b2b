"""Backfills: whether setting a distribution live has those who are in its segment get it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from schemas.distribution import Backfill, Distribution
from schemas.events.triggers import BACKFILLED

_ASKING = ("members_now", "now_and_later")


def asks(rule: Distribution) -> bool:
    """True where those who are in its segment get it as well."""
    return rule.trigger.event == BACKFILLED and rule.backfill is not None and rule.backfill.who in _ASKING


def is_for_members_alone(rule: Distribution) -> bool:
    """True where those who enter later do not get it."""
    return asks(rule) and rule.backfill is not None and rule.backfill.who == "members_now"


def made_before(before: Distribution | None, after: Distribution) -> datetime | None:
    """The moment of the backfill that a version goes on with: its segment's members have got it already."""
    if before is None or before.backfill is None or not (asks(before) and asks(after)):
        return None
    return before.backfill.at if before.trigger.segment == after.trigger.segment else None


def begins(before: Distribution | None, after: Distribution) -> bool:
    """True where a version that comes after another makes a backfill begin: once, whenever it is live first."""
    return asks(after) and after.status == "LIVE" and made_before(before, after) is None


def with_moment(before: Distribution | None, after: Distribution, now: datetime) -> Distribution:
    """A version that says when its backfill is made, where it is: now, at its start, or before."""
    if after.backfill is None:
        return after
    at = made_before(before, after)
    if begins(before, after):
        at = max(now, after.starts_at or now)
    return msgspec.structs.replace(after, backfill=Backfill(who=after.backfill.who, at=at))
