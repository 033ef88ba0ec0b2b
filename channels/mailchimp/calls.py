"""Mailchimp's own calls: an audience's webhooks, by which it tells who left and whose mailbox is gone.

Source: Mailchimp's guide on webhooks (form-encoded; `X-Mailchimp-Signature: t=<Unix seconds>,v1=<hex HMAC-SHA256 of
t.body>`, several v1 while a secret is replaced; older than five minutes is to be refused).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from channels.status_calls import CallForm, NotProven, StatusCall, StatusEvent
from channels.webhook.signing import TOLERANCE
from schemas.channels.mailchimp import MailchimpAccountForm

_HEADER = "x-mailchimp-signature"
_FORM = "application/x-www-form-urlencoded"
_MOST_SIGNATURES = 20
_MOST_FIELDS = 500
CALLS = CallForm(((_HEADER,),), frozenset({_FORM}), is_looked_up=True)


def events_of(call: StatusCall, account: MailchimpAccountForm) -> list[StatusEvent]:
    """The owner's words and dead mailboxes of a call; of anything else, and of other audiences, nothing.

    Raises NotProven for what no secret of the account signed, or that was signed long ago.
    """
    _must_be_signed(call, account.webhook_secrets)
    said = _fields(call)
    if said.get("data[list_id]") != account.list_id or not said.get("data[email]"):
        return []
    event = _event(said)
    return [] if event is None else [event]


def _event(said: Mapping[str, str]) -> StatusEvent | None:
    address, at, reason = said["data[email]"], _fired_at(said), said.get("data[reason]")
    match said.get("type"), reason, said.get("data[action]"):
        case (("unsubscribe" | "cleaned"), "abuse", _):
            return StatusEvent("complained", detail="a complaint to Mailchimp", occurred_at=at, address=address)
        case "cleaned", _, _:
            detail = "Mailchimp cleaned the address: mail to it comes back"
            return StatusEvent("bounced", is_hard=True, detail=detail, occurred_at=at, address=address)
        case "unsubscribe", _, action if action != "delete":  # by which whoever keeps the audience takes one out
            return StatusEvent("unsubscribed", detail="unsubscribe, at Mailchimp", occurred_at=at, address=address)
        case _:
            return None


def _fired_at(said: Mapping[str, str]) -> datetime | None:
    try:
        return datetime.strptime(said.get("fired_at", ""), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _fields(call: StatusCall) -> dict[str, str]:
    if call.content_type != _FORM:
        return {}
    try:
        return dict(parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:  # of which UnicodeDecodeError is one
        return {}


def _must_be_signed(call: StatusCall, secrets: Sequence[str]) -> None:
    """Everything is compared as bytes, and all of it: no shorter for the first."""
    parts = [part.strip().partition("=") for part in call.headers.get(_HEADER, "").split(",")[:_MOST_SIGNATURES]]
    signed_at = next((value for name, _, value in parts if name == "t"), "")
    given = [value.encode("utf-8", "surrogateescape") for name, _, value in parts if name == "v1"]
    if not (signed_at.isascii() and signed_at.isdecimal() and len(signed_at) <= 12):
        raise NotProven
    age = call.received_at.timestamp() - int(signed_at)
    signed = f"{signed_at}.".encode() + call.body
    expected = [hmac.digest(secret.encode(), signed, "sha256").hex().encode() for secret in secrets]
    equal = [hmac.compare_digest(one, other) for one in expected for other in given]
    if abs(age) > TOLERANCE.total_seconds() or not any(equal):
        raise NotProven
