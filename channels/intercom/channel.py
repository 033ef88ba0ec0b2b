"""Intercom: attributes of contacts, events, and messages of an admin, each about a contact that is found first.

Nobody becomes a contact unless the account says so. What may be repeated stands in `replies.py`, call by call.
Source: the API's reference, version 2.16.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from channels.accounts import ChannelAccounts
from channels.codes.links import Links, no_links
from channels.context import ChannelContext
from channels.contract import AccountCheck, Policy, Repeats
from channels.http.api import HttpRequest
from channels.http.names import Names
from channels.http.provider import ProviderChannel
from channels.http.ssrf import Reach
from channels.http.transport import Reply
from channels.intercom.account import ME, AttributeNames, checked
from channels.intercom.attempt import Attempt
from channels.intercom.calls import CALLS, events_of
from channels.intercom.contacts import KnownContacts
from channels.intercom.message import Messages
from channels.intercom.request import CONTACTS, EVENTS, MESSAGES, SEARCH, IntercomRequest, parts_of
from channels.payload import transfer_variables
from channels.status_calls import CallForm, StatusCall, StatusEvent
from channels.templates.engine import Templates
from channels.unsubscribe import NO_UNSUBSCRIBE_LINKS, UnsubscribeLinks
from schemas.channels.intercom import IntercomAccountForm, IntercomDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.receipt import Receipt
from schemas.template import StoredTemplate

POLICY = replace(Policy.of(RETRY_POLICIES["intercom"]), rate=80, concurrency=80)
"""10,000 requests a minute in windows of ten seconds are 166 a second; a message takes two where its contact is new."""
_LEAST_SECONDS = 0.05


class Intercom(ProviderChannel[IntercomDelivery]):
    """Ids of contacts are kept for a while, so that most data transfers are one request."""

    name: ClassVar[ChannelName] = "intercom"
    policy: ClassVar[Policy] = POLICY
    calls: ClassVar[CallForm] = CALLS
    repeats: ClassVar[Repeats] = "none"
    taken: ClassVar[str] = "queued by Intercom, of a message sent by it; the contact has the attributes"
    lists_fields: ClassVar[bool] = True

    def __init__(
        self, accounts: ChannelAccounts, *, reach: Reach, links: Links = no_links, names: Names | None = None,
        templates: Templates | None = None, unsubscribe: UnsubscribeLinks = NO_UNSUBSCRIBE_LINKS,
    ) -> None:  # fmt: skip
        super().__init__(accounts, reach=reach, links=links, names=names)
        self._messages = Messages(templates or Templates(), links, unsubscribe)
        self._known, self._attributes = KnownContacts(), AttributeNames()

    @classmethod
    def build(cls, context: ChannelContext) -> Intercom:
        """See `Channel`."""
        accounts, templates = context.accounts.of(cls.name), Templates(context.zone)
        return cls(
            accounts, reach=context.reach, links=context.links, templates=templates, unsubscribe=context.unsubscribe
        )

    @classmethod
    def statuses(cls, call: StatusCall, account: IntercomAccountForm) -> list[StatusEvent]:
        """See `Channel`: the app's own webhooks."""
        return events_of(call, account)

    def render(self, delivery: IntercomDelivery, template: StoredTemplate | None = None) -> IntercomRequest:
        """See `Channel`. The contact is put in by `send`, which finds it."""
        form: IntercomAccountForm = self.form(delivery.project_id, delivery.account)
        to, message = delivery.intercom, delivery.intercom.message
        attributes = b""
        if message is None:
            kind, body, attributes = parts_of(delivery, transfer_variables(delivery, self._links))
        else:
            kind, body = "message", self._messages.body(delivery, message, template, form.admin_id)
        path, method = {"attributes": (CONTACTS, "PUT"), "event": (EVENTS, "POST"), "message": (MESSAGES, "POST")}[kind]
        return IntercomRequest(
            form.url + path, delivery.account, delivery.delivery_id, _version(form), body, method, delivery.project_id,
            kind=kind, base=form.url, external_id=to.external_id or "", email=to.email or "", attributes=attributes,
            is_email=message is not None and message.is_email,
        )  # fmt: skip

    def proof(self, form: IntercomAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`."""
        return {"authorization": f"Bearer {form.token}"}

    def repeats_of(self, request: HttpRequest) -> Repeats:
        """See `HttpChannel`: what only looks, and attributes, may be asked twice."""
        return self.repeats if request.method == "POST" and not request.url.endswith(SEARCH) else "natural"

    async def send(self, request: HttpRequest, *, timeout: float, now: datetime) -> Receipt:
        """See `Channel`. All calls of an attempt share its time."""
        assert isinstance(request, IntercomRequest)  # noqa: S101 - what `render` makes
        ends = time.monotonic() + timeout

        async def ask(method: str, path: str, body: bytes) -> Reply | Receipt:
            left = max(ends - time.monotonic(), _LEAST_SECONDS)
            call = replace(request, url=request.base + path, method=method, body=body)
            return await self.ask(call, timeout=left, now=now)

        form: Any = self._accounts.find(request.project_id, request.account)
        may_create = form is not None and form.create_contacts
        return await Attempt(request, ask, now, self._known, self._attributes, may_create=may_create).made()

    async def tried(self, form: IntercomAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: whose token it is, and the attributes of its workspace."""
        answer = await self.called(form, project_id, account, ME, _version(form))
        if not isinstance(answer, Reply):
            return AccountCheck(False, f"{answer.detail}. Check url (that of the workspace's region) and token")
        listed = await self.called(form, project_id, account, AttributeNames.path, _version(form))
        return checked(form, answer, listed)


def _version(form: IntercomAccountForm) -> Mapping[str, str]:
    return {"intercom-version": form.version, "accept": "application/json"}
