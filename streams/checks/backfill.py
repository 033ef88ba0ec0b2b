"""Backfill: what goes to those who are in a segment when it is set live does not go to those who enter later."""

from __future__ import annotations

from schemas.backfill import is_for_members_alone
from streams.checks.check import AudienceCheck, Finding, Subject
from streams.event_context import Head, is_backfilled
from streams.verdict import GO, Skip

_TEST = "in the segment when it was set live"


def _judge(subject: Subject) -> Finding:
    if not is_for_members_alone(subject.distribution):
        return Finding(GO)
    if isinstance(subject.event, Head) and is_backfilled(subject.event):
        return Finding(GO, _TEST, subject.event.created_at.isoformat())
    return Finding(Skip("ended", "backfill: members_now leaves out those who enter later"), _TEST, "entered later")


BACKFILL = AudienceCheck(_judge)
