"""Before an attempt: may a delivery be sent now? In this order, the first that stands against it decides."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from schemas.closed import Reason
from schemas.errors import BadRecord, RenderRefused, TemplateFailed
from streams.sending.judgement import Judgement, held_back, impossible

DEPENDENCY_WAIT = timedelta(seconds=5)
"""After something that an attempt needs was away: Postgres, for a template."""
ASKED_AGAIN_AFTER = 5.0
"""Seconds after which a delivery that waits in memory is held beside the suppression list once more."""
STAYS_WAIT = timedelta(minutes=1)
"""Of what waits for its own account while its neighbours go through another: it would be claimed over and over."""
UNREADABLE_WAIT = timedelta(minutes=5)
"""Of a row that is of another release, say: a sender of that one may take it."""


class Situation(msgspec.Struct, frozen=True):
    """A delivery and its destination right before an attempt.

    `expires_at` is as the delivery says it, `expires` that moment by the process's steady clock, which reads `now`.
    `stays`: others of its account go through another one now, and it may not.
    """

    is_paused: bool
    is_failing: bool
    has_turn: bool
    expires_at: datetime | None
    expires: float | None
    now: float
    stays: bool = False


def entry_wait(*, has_capacity: bool, poll: timedelta) -> timedelta:
    """The wait of a new delivery in the ledger: it is sent at once where its destination takes one more."""
    return timedelta() if has_capacity else poll


def stopped_at_gate(situation: Situation) -> Judgement | None:
    """Judge a delivery that may not be sent now; None where it may."""
    if situation.stays and (situation.is_paused or situation.is_failing):
        reason: Reason = "paused" if situation.is_paused else "breaker_open"
        return held_back("possibly accepted: it waits for its own account", reason, STAYS_WAIT)
    if situation.is_paused:
        return held_back("the destination is paused", "paused")
    if situation.is_failing:
        return held_back("the destination fails: it is asked by one message at a time", "breaker_open")
    if not situation.has_turn:
        return takes_no_more()
    if situation.expires_at and situation.expires is not None and situation.expires <= situation.now:
        return impossible("expired", f"expired at {situation.expires_at.isoformat()}")
    return None


def takes_no_more() -> Judgement:
    """It has no turn now."""
    return held_back("the destination takes no more for now", "throttled")


def domain_takes_no_more(seconds: float) -> Judgement:
    """The recipient's domain has no turn for it now, and is given another one of its mails then."""
    return held_back("the recipient's domain takes no more for now", "throttled", timedelta(seconds=seconds))


def not_rendered(error: TemplateFailed | RenderRefused) -> Judgement:
    """It cannot be written: its template is gone or fails, or its channel can never send such a one."""
    return impossible(error.reason if isinstance(error, RenderRefused) else "template_error", str(error))


def dependency_unavailable(what: str) -> Judgement:
    """Something that the attempt needs does not answer now."""
    return held_back(what, wait=DEPENDENCY_WAIT)


def account_held(why: str) -> Judgement:
    """The account that it leaves through is paused, gone or cannot be used; senders hear of a change a moment apart."""
    return held_back(why, "paused", DEPENDENCY_WAIT)


def not_readable(error: BadRecord) -> Judgement:
    """Its row in the ledger cannot be read."""
    return held_back(str(error), wait=UNREADABLE_WAIT)
