"""Contacts of Intercom: found by their external id, else by their address, and known for a while.

Nobody is taken for somebody else: one with the address and another external id is not ours, and of several with the
address one is not guessed. Who was merged into another is the other.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

import msgspec
from cachetools import LRUCache

from channels.http.transport import Reply
from channels.intercom.replies import lookup_of
from channels.intercom.request import CONTACTS, SEARCH, IntercomRequest
from schemas.receipt import Accepted, Deferred, Receipt, Refused

MOST_KEPT = 50_000
"""Ids that one process keeps: some 20 MB."""
NEW = timedelta(minutes=10)
"""For so long a new contact may still be missing where messages are sent from."""
_NOT_FOUND, _CONFLICT, _MERGED = 404, 409, 410
_CANONICAL = re.compile(r'<(/contacts/[A-Za-z0-9_-]{1,100})>\s*;[^,]*rel="?canonical"?')
_FIND = "/contacts/find_by_external_id/"
_SAME_ADDRESS = 20
"""Contacts with one address that are looked at."""

T = TypeVar("T")
Ask = Callable[[str, str, bytes], Awaitable[Reply | Receipt]]
"""A call beside what is sent: method, path and body."""


class Contact(msgspec.Struct, frozen=True):
    """The part of a contact that counts here."""

    id: str
    role: str = "user"
    external_id: str | None = None
    unsubscribed_from_emails: bool | None = False
    marked_email_as_spam: bool | None = False
    has_hard_bounced: bool | None = False
    created_at: int | None = 0

    def is_new(self, now: datetime) -> bool:
        """True where it was made a moment ago."""
        return now - datetime.fromtimestamp(self.created_at or 0, UTC) < NEW


class _Found(msgspec.Struct):
    data: list[Contact]


class KnownContacts:
    """Ids by customer. The one that was not asked for the longest goes first."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._ids: LRUCache[tuple[str, str, str, str], str] = LRUCache(most)

    def get(self, request: IntercomRequest) -> str | None:
        """The id of a request's contact; None where it is not known."""
        return self._ids.get(request.contact_key)

    def keep(self, request: IntercomRequest, contact: Contact) -> None:
        """One more."""
        self._ids[request.contact_key] = contact.id

    def forget(self, request: IntercomRequest) -> None:
        """One that was deleted there, or merged."""
        self._ids.pop(request.contact_key, None)


async def found(request: IntercomRequest, ask: Ask, now: datetime) -> Contact | Receipt | None:
    """The contact; None where there is not any, a receipt where that cannot be known now."""
    if request.external_id:
        one = await read(_FIND + quote(request.external_id, safe=""), ask, now)
        if one is not None:
            return one
    return await _by_address(request, ask, now) if request.email else None


async def read(path: str, ask: Ask, now: datetime) -> Contact | Receipt | None:
    """The contact at a path, or the one that it was merged into."""
    for _ in range(2):
        answer = await ask("GET", path, b"")
        if isinstance(answer, Reply) and answer.status == _MERGED:
            canonical = _CANONICAL.search(answer.headers.get("link", ""))
            if canonical is None:
                return None
            path = canonical[1]
            continue
        if isinstance(answer, Reply) and answer.status == _NOT_FOUND:
            return None
        return _decoded(answer, now, Contact)
    return None


async def made(request: IntercomRequest, ask: Ask, now: datetime) -> Contact | Receipt:
    """A new contact. One that somebody else made meanwhile is found by the next attempt, one that is archived never."""
    names = {"external_id": request.external_id, "email": request.email}
    body = {"role": "user", **{name: one for name, one in names.items() if one}}
    answer = await ask("POST", CONTACTS, msgspec.json.encode(body))
    if isinstance(answer, Reply) and answer.status == _CONFLICT and b"archived" in answer.body:
        return Refused("an archived contact at Intercom matches the customer; unarchive or delete it", "no_address")
    return _decoded(answer, now, Contact)


async def _by_address(request: IntercomRequest, ask: Ask, now: datetime) -> Contact | Receipt | None:
    query = {"field": "email", "operator": "=", "value": request.email}
    body = msgspec.json.encode({"query": query, "pagination": {"per_page": _SAME_ADDRESS}})
    answer = _decoded(await ask("POST", SEARCH, body), now, _Found)
    if not isinstance(answer, _Found):
        return answer
    own = [one for one in answer.data if not (request.external_id and one.external_id)]
    users = [one for one in own if one.role == "user"] or own
    if len(users) > 1:
        return Refused(f"{len(users)} contacts at Intercom have the address: it does not say whose it is", "no_address")
    return users[0] if users else None


def _decoded(answer: Reply | Receipt, now: datetime, kind: type[T]) -> T | Receipt:
    receipt = lookup_of(answer, now)
    if not isinstance(answer, Reply) or not isinstance(receipt, Accepted):
        return receipt
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Deferred(f"HTTP {answer.status} with a body that is not Intercom's, where the contact is looked up")
