"""Intercom's own calls: webhooks of an app, by which it tells who left and whose mailbox is gone.

Source: Intercom's guide on webhooks (JSON; `X-Hub-Signature: sha1=<hex HMAC-SHA1 of the body>`, keyed with the app's
client secret; the address is asked for with HEAD before it is used), and the contact model of its API, version 2.16.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

import msgspec

from channels.status_calls import JSON_TYPE, CallForm, NotProven, StatusCall, StatusEvent, StatusKind
from schemas.channels.intercom import IntercomAccountForm

_HEADER = "x-hub-signature"
_LEFT = "contact.unsubscribed"
CALLS = CallForm(((_HEADER,),), frozenset({JSON_TYPE}), (JSON_TYPE, b"{}"), is_looked_up=True)
_FLAGS: tuple[tuple[str, StatusKind, bool, str], ...] = (
    ("marked_email_as_spam", "complained", False, "a complaint to Intercom"),
    ("has_hard_bounced", "bounced", True, "Intercom says that mail to the address comes back"),
    ("unsubscribed_from_emails", "unsubscribed", False, "unsubscribe, at Intercom"),
)
"""Fields of a contact, and what each says of its owner's address."""


def events_of(call: StatusCall, account: IntercomAccountForm) -> list[StatusEvent]:
    """The owner's words and dead mailboxes of a call; of anything else, and of other workspaces, nothing.

    Raises NotProven for what the app's secret did not sign.
    """
    _must_be_signed(call, account.client_secret)
    said = _decoded(call.body)
    topic, contact = str(said.get("topic")), _contact(said)
    address = contact.get("email")
    is_other = account.app_id and said.get("app_id") != account.app_id
    if is_other or not topic.startswith("contact.") or not isinstance(address, str) or not address:
        return []
    told = [flag for flag in _FLAGS if contact.get(flag[0]) is True or (topic, flag[0]) == (_LEFT, _FLAGS[-1][0])]
    at = _moment(said.get("created_at"))
    return [
        StatusEvent(kind, is_hard=is_hard, detail=detail, occurred_at=at, address=address)
        for _, kind, is_hard, detail in told
    ]


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _contact(said: dict[str, Any]) -> dict[str, Any]:
    """The contact of a notification, which stands alone or beside what changed of it."""
    data = said.get("data")
    item = data.get("item") if isinstance(data, dict) else None
    if not isinstance(item, dict):
        return {}
    inner = item.get("contact")
    return inner if isinstance(inner, dict) else item


def _moment(seconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None
    except (ValueError, OverflowError, OSError):
        return None


def _must_be_signed(call: StatusCall, secret: str) -> None:
    given = call.headers.get(_HEADER, "").encode("utf-8", "surrogateescape")
    expected = b"sha1=" + hmac.digest(secret.encode(), call.body, "sha1").hex().encode()
    if not secret or not hmac.compare_digest(given, expected):
        raise NotProven
