"""Text messages at an HTTP gateway of one's own: the request that its account describes, and what its replies mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from channels.contract import AccountCheck, shortened
from channels.http.api import receipt_by_status
from channels.http.transport import Reply
from channels.sms.request import SmsRequest
from schemas.channels.sms import SmsAccountForm, SmsDelivery
from schemas.channels.sms_gateway import PLACE
from schemas.receipt import Accepted, Receipt, Refused

_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


def message(account: SmsAccountForm, delivery: SmsDelivery, text: str) -> SmsRequest:
    """The request that its owner described, with this message in it."""
    values = {
        "to": delivery.sms.to,
        "text": text,
        "sender": account.sender,
        "delivery_id": delivery.delivery_id,
    }
    url = _filled(account.url, values, lambda value: quote(value, safe=""))
    return SmsRequest(
        url, delivery.account, delivery.delivery_id, {"content-type": _TYPES[account.content]} if account.body else {},
        _body(account, values), account.method, delivery.project_id, delivery.sms.to, text, account.place,
    )  # fmt: skip


def checked(account: SmsAccountForm) -> AccountCheck:
    """The state of an account: nothing of a gateway is known that could be asked for."""
    return AccountCheck(True, f"a gateway at {urlsplit(account.url).hostname}; it can only be tried with a message")


def receipt(reply: Reply, account: SmsAccountForm, now: datetime) -> Receipt:
    """Accepted by the status, and by the value where one is named; what else is taken over is refused by it."""
    by_status = receipt_by_status(reply, now)
    if not isinstance(by_status, Accepted):
        return by_status
    words = shortened(f"HTTP {reply.status}: {reply.body.decode(errors='replace')}")
    if account.accepted_status not in (0, reply.status):
        return Refused(words)
    said = msgspec.json.decode(reply.body) if account.accepted_path or account.id_path else None
    if account.accepted_path and _text_at(said, account.accepted_path) != account.accepted_value:
        return Refused(words)
    return Accepted(f"HTTP {reply.status}", _text_at(said, account.id_path) if account.id_path else None)


def _body(account: SmsAccountForm, values: Mapping[str, str]) -> bytes:
    if not account.body:
        return b""
    if account.content == "form":
        return urlencode([(name, _filled(value, values)) for name, value in parse_qsl(account.body)]).encode()
    return msgspec.json.encode(_filled_json(msgspec.json.decode(account.body), values))


def _filled_json(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {name: _filled_json(inner, values) for name, inner in node.items()}
    if isinstance(node, list):
        return [_filled_json(inner, values) for inner in node]
    return _filled(node, values) if isinstance(node, str) else node


def _filled(template: str, values: Mapping[str, str], quoted: Callable[[str], str] = str) -> str:
    """In one pass, so that a text with braces stays as it is."""
    return PLACE.sub(lambda found: quoted(values[found[1]]), template)


def _text_at(said: Any, path: str) -> str:
    """The value at a path, as text. Raises LookupError, TypeError, ValueError where it is not there."""
    for step in path.split("."):
        said = said[int(step)] if isinstance(said, list) else said[step]
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()
