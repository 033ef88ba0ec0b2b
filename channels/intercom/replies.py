"""Answers of Intercom: what each says of a message, of a contact or of an account.

| call | the same again | no answer, or lost |
|---|---|---|
| attributes | sets the same | tried again, and nothing else |
| event | may be ignored (contact, name and second) | possibly accepted |
| message | is a second message | possibly accepted, after a 5xx as well |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec

from channels.contract import shortened
from channels.http.api import not_understood, receipt_by_status
from channels.http.transport import Reply
from channels.intercom.request import Kind
from schemas.receipt import Accepted, Blocked, Deferred, Gone, Receipt, Refused, Unanswered

_BROKEN = 500
_VERSION_IS_OVER = "intercom_version_invalid"
UNKNOWN = "unknown customer at the provider: Intercom has no contact"


class _Wrong(msgspec.Struct):
    code: str | None = ""
    message: str | None = ""


class _Problem(msgspec.Struct):
    errors: list[_Wrong]


class _Taken(msgspec.Struct):
    id: str


def receipt_of(answer: Reply | Receipt, kind: Kind, now: datetime) -> Receipt:
    """The receipt of a call by which something is done, by whether Intercom would do it twice."""
    if not isinstance(answer, Reply):
        is_known = kind == "attributes" and isinstance(answer, Unanswered)
        return Deferred(answer.detail) if is_known else answer
    by_status = _worded(answer, receipt_by_status(answer, now))
    match by_status:
        case Accepted():
            return _taken(answer, kind, by_status, now)
        case Deferred() if kind == "message" and answer.status >= _BROKEN:
            return Unanswered(f"{by_status.detail}: it may have been sent before that")
        case _:
            return by_status


def lookup_of(answer: Reply | Receipt, now: datetime) -> Receipt:
    """The receipt of a call before that, by which nothing was sent."""
    receipt = _worded(answer, receipt_by_status(answer, now)) if isinstance(answer, Reply) else answer
    return (
        Deferred(f"the contact cannot be looked up: {receipt.detail}") if isinstance(receipt, Unanswered) else receipt
    )


def _taken(reply: Reply, kind: Kind, accepted: Accepted, now: datetime) -> Receipt:
    if kind == "event":
        return replace(accepted, detail=f"HTTP {reply.status}: queued by Intercom")
    try:
        one = msgspec.json.decode(reply.body, type=_Taken)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        doubt = not_understood(reply, now, error)
        return Deferred(doubt.detail) if kind == "attributes" else doubt
    if kind == "message":
        return replace(accepted, detail=f"HTTP {reply.status}: taken by Intercom", provider_id=one.id)
    return replace(accepted, detail=f"HTTP {reply.status}: the attributes of the contact are set")


def _worded(reply: Reply, receipt: Receipt) -> Receipt:
    """With Intercom's own words. A contact that is gone is no end of the account."""
    words = _words(reply)
    match receipt:
        case Refused() if _VERSION_IS_OVER in words:
            return Blocked(shortened(f"HTTP {reply.status}: {words}. Check version of the account"))
        case Blocked() if words:
            return Blocked(shortened(f"HTTP {reply.status}: {words}"))
        case Refused() | Gone():
            return Refused(shortened(f"HTTP {reply.status}: {words or receipt.detail}"))
        case _:
            return receipt


def _words(reply: Reply) -> str:
    try:
        problem = msgspec.json.decode(reply.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return "; ".join(": ".join(part for part in (one.code, one.message) if part) for one in problem.errors)
