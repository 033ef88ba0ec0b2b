"""After an attempt: what a provider's answer means for the delivery and its destination."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

import msgspec
from msgspec.structs import replace

from schemas.receipt import (
    Accepted,
    Blocked,
    Bounced,
    Deferred,
    Gone,
    Receipt,
    Refused,
    Throttled,
    Unanswered,
    Unreached,
)
from streams.sending.judgement import Judgement, held_back
from streams.sending.retry import next_attempt

MAX_STRIKES = 8
"""So often a message may be told that it is too much while its neighbours pass; then it is about the message."""


class Attempt(msgspec.Struct, frozen=True):
    """An attempt that was made. `before` counts those before it; `retries` are the waits between them.

    `random` is in [0, 1). `strikes` counts how often this message was told that it is too much while others passed,
    now included; `until_next` is the seconds until its destination may be asked again. `is_last_word`: the destination
    is to be paused where this was the last attempt. `is_gone`: the destination took nothing for as long as all attempts
    take, so this was the last one whatever this delivery has had.
    """

    before: int
    retries: Sequence[timedelta]
    random: float
    strikes: int = 0
    until_next: float = 0.0
    is_last_word: bool = False
    is_gone: bool = False


def settle(receipt: Receipt, attempt: Attempt) -> Judgement:
    """Judge what becomes of the delivery."""
    match receipt:
        case Accepted(detail, provider_id):
            return Judgement("sent", detail, provider_id=provider_id)
        case Bounced(detail, retry_after):
            return replace(tried_again(detail, attempt, retry_after), is_bounce=True)
        case Deferred(detail, retry_after):
            return tried_again(detail, attempt, retry_after)
        case Unanswered(detail):
            return replace(tried_again(f"{detail} (possibly accepted)", attempt), is_ambiguous=True)
        case Throttled(detail, retry_after):
            return _throttled(detail, attempt, retry_after)
        case Refused(detail, reason):
            return Judgement("failed", detail, reason=reason)
        case Blocked(detail):
            return Judgement("waiting", detail, reason="paused", tried=False, pauses="refused")
        case Gone(detail):
            return Judgement("failed", detail, pauses="gone")
        case _:
            assert_never(receipt)


def may_pause(receipt: Receipt, *, pauses: bool) -> bool:
    """True where retries that come to nothing can be its destination's fault: where its channel says so (`pauses`), and
    where no connection was made, as that is nobody else's.
    """
    return pauses or isinstance(receipt, Unreached)


def tried_again(detail: str, attempt: Attempt, retry_after: float | None = None) -> Judgement:
    """It came to nothing: the next attempt by the schedule.

    Where that is used up it ends, or waits with all others for a destination that seems to be gone.
    """
    if attempt.is_gone:
        said = f"nothing was taken for as long as a delivery is tried: {detail}"
        return Judgement("waiting", said, reason="paused", pauses="exhausted")
    wait = next_attempt(attempt.retries, attempt.before + 1, random=attempt.random, retry_after=retry_after)
    if wait is not None:
        return Judgement("waiting", detail, wait)
    used_up = f"retries exhausted after {attempt.before + 1} attempts: {detail}"
    if attempt.is_last_word:
        return Judgement("waiting", used_up, reason="paused", pauses="exhausted")
    return Judgement("failed", used_up)


def _throttled(detail: str, attempt: Attempt, retry_after: float | None) -> Judgement:
    """It waits without an attempt, behind its neighbours; but not for ever, where these pass and it never does."""
    if attempt.strikes >= MAX_STRIKES:
        return tried_again(detail, attempt, retry_after)
    return held_back(detail, "throttled", timedelta(seconds=attempt.until_next))
