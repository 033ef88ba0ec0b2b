"""Lifecycle: a distribution does not send while it is paused, before its start and from its end on."""

from __future__ import annotations

from streams.checks.check import AudienceCheck, Finding, Subject
from streams.verdict import GO, Skip, Verdict


def _judge(subject: Subject) -> Finding:
    rule = subject.distribution
    is_bounded = rule.starts_at or rule.ends_at
    shown = ("within its time", subject.moment.isoformat()) if is_bounded else ()
    return Finding(_verdict(subject), *shown)


def _verdict(subject: Subject) -> Verdict:
    rule, happened = subject.distribution, subject.moment
    if rule.status == "PAUSED":
        return Skip("paused", "the distribution is paused")
    if rule.starts_at and happened < rule.starts_at:
        return Skip("not_started", f"starts at {rule.starts_at.isoformat()}")
    if rule.ends_at and happened >= rule.ends_at:
        return Skip("ended", f"ended at {rule.ends_at.isoformat()}")
    return GO


LIFECYCLE = AudienceCheck(_judge)
