"""Answers of ActiveCampaign: what each says of a contact, or of the list of fields."""

from __future__ import annotations

import msgspec

from channels.activecampaign.fields import Field
from channels.contract import shortened
from channels.http.transport import Reply
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Throttled


class _Contact(msgspec.Struct):
    """The part of a contact by which the answer is known to be one."""

    id: str | int


class _Synced(msgspec.Struct):
    contact: _Contact


class _Meta(msgspec.Struct, frozen=True):
    total: int = 0


class Page(msgspec.Struct):
    """A page of the list of fields."""

    fields: list[Field]
    meta: _Meta = _Meta()


class _Source(msgspec.Struct):
    pointer: str = ""


class _Wrong(msgspec.Struct):
    title: str = ""
    detail: str = ""
    source: _Source | None = None


class _Problem(msgspec.Struct):
    message: str = ""
    errors: list[_Wrong] = []


def page_of(body: bytes) -> Page:
    """A page. Raises ValueError. Numbers are written as texts."""
    return msgspec.json.decode(body, type=Page, strict=False)


def receipt_of(reply: Reply, by_status: Receipt) -> Receipt:
    """The receipt of a reply. Its limit is told by 429, and by 503 as well."""
    match by_status:
        case Accepted(retry_after=wait):
            msgspec.json.decode(reply.body, type=_Synced)
            return Accepted(f"HTTP {reply.status}: the fields of the contact are set", retry_after=wait)
        case Deferred(detail, wait) if reply.status == 503:
            return Throttled(detail, wait)
        case Refused() if reply.status == 402:
            return Blocked(shortened(f"HTTP 402: the account's plan does not allow it. {_words(reply)}"))
        case Blocked() if reply.status == 404:
            return Blocked("HTTP 404: there is no such account. Check url: it stands under Settings, Developer")
        case Refused() if reply.status >= 400 and (words := _words(reply)):
            return Refused(shortened(f"HTTP {reply.status}: {words}"))
        case _:
            return by_status


def _words(reply: Reply) -> str:
    try:
        said = msgspec.json.decode(reply.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return reply.body.decode(errors="replace")
    errors = [f"{one.detail or one.title} ({one.source.pointer if one.source else ''})" for one in said.errors]
    return "; ".join(errors).replace(" ()", "") or said.message
