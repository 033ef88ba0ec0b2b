"""The backfill of a distribution, and what it needs beside it."""

from __future__ import annotations

from schemas.distribution import Backfill
from schemas.events.triggers import BACKFILLED, Trigger
from schemas.record import JsonObject
from streams.values.wording import Report


def backfill_of(read: JsonObject, trigger: Trigger | None, report: Report) -> Backfill | None:
    """Whom it goes to, where that is not those who enter later alone."""
    who = read.get("backfill")
    if who is None or trigger is None:
        return None
    if trigger.type != BACKFILLED:
        report("backfill", f"is for those in a segment: beside trigger: {_RIGHT}; on {trigger.type} nobody is yet")
    elif not read["trigger"].get("segment"):
        report("backfill", f"needs the segment whose members get it, as in trigger: {_RIGHT}")
    return None if who == "only_later" else Backfill(who=who)


_RIGHT = f"{{event: {BACKFILLED}, segment: lapsed-90-days}}"
