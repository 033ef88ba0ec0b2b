"""One attempt: the contact is found and then told of, in as few calls as that takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from channels.http.transport import Reply
from channels.intercom import contacts
from channels.intercom.account import AttributeNames
from channels.intercom.contacts import Ask, Contact, KnownContacts
from channels.intercom.message import kept_from
from channels.intercom.replies import UNKNOWN, receipt_of
from channels.intercom.request import CONTACTS, EVENTS, MESSAGES, IntercomRequest, addressed
from schemas.receipt import Accepted, Postponed, Receipt, Refused

_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request on its way; `ask` makes its calls, within its time."""

    request: IntercomRequest
    ask: Ask
    now: datetime
    known: KnownContacts
    attributes: AttributeNames
    may_create: bool

    async def made(self) -> Receipt:
        """The receipt. Whoever has an external id is told an event by that, without being looked up."""
        request = self.request
        if request.kind == "event" and request.external_id and not request.attributes and not self.known.get(request):
            answer = await self.ask("POST", EVENTS, addressed(request, {"user_id": request.external_id}))
            if not isinstance(answer, Reply) or answer.status not in _GONE:
                return receipt_of(answer, "event", self.now)
        return await self._of_known() or await self._of_found()

    async def _of_known(self) -> Receipt | None:
        """To the contact that is known by its id; None where nobody is, or is no more."""
        known = self.known.get(self.request)
        if known is None or self.request.kind == "message":
            return None
        receipt = await self._said(Contact(known))
        if receipt is None:
            self.known.forget(self.request)
        return receipt

    async def _of_found(self) -> Receipt:
        request, contact = self.request, await self._contact()
        if not isinstance(contact, Contact):
            return contact
        self.known.keep(request, contact)
        receipt = kept_from(request, contact) or await self._said(contact)
        if receipt is not None:
            return receipt
        self.known.forget(request)
        if contact.is_new(self.now):
            return Postponed("HTTP 404: the contact was made a moment ago and cannot be told of everywhere yet")
        return Refused("HTTP 404: Intercom found the contact, and does not take anything for it")

    async def _contact(self) -> Contact | Receipt:
        """Of a message as it is now: its owner may have left."""
        request, known = self.request, self.known.get(self.request)
        contact = await contacts.read(f"{CONTACTS}/{known}", self.ask, self.now) if known else None
        contact = contact or await contacts.found(request, self.ask, self.now)
        if contact is not None:
            return contact
        if self.may_create:
            return await contacts.made(request, self.ask, self.now)
        names = " or ".join(name for name in ("external_id", "email") if getattr(request, name))
        return Refused(f"{UNKNOWN} of that {names}; create_contacts=true of the account would make one", "no_address")

    async def _said(self, contact: Contact) -> Receipt | None:
        """The receipt of one call, or of two; None where there is no such contact."""
        request = self.request
        attributes = request.body if request.kind == "attributes" else request.attributes
        if attributes:
            receipt = await self._set(contact, attributes)
            if request.kind == "attributes" or not isinstance(receipt, Accepted):
                return receipt
        if request.kind == "message":
            body = addressed(request, {"to": {"type": contact.role, "id": contact.id}})
        else:
            body = addressed(request, {"id": contact.id})
        answer = await self.ask("POST", MESSAGES if request.kind == "message" else EVENTS, body)
        return None if _is_gone(answer) else receipt_of(answer, request.kind, self.now)

    async def _set(self, contact: Contact, attributes: bytes) -> Receipt | None:
        answer = await self.ask("PUT", f"{CONTACTS}/{contact.id}", attributes)
        if _is_gone(answer):
            return None
        receipt = receipt_of(answer, "attributes", self.now)
        if isinstance(receipt, Refused):
            return await self.attributes.explained(self.request, attributes, receipt, self.ask)
        return receipt


def _is_gone(answer: Reply | Receipt) -> bool:
    return isinstance(answer, Reply) and answer.status in _GONE
