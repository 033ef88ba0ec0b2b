"""Text messages: the text of a template, as many parts as are allowed, by Twilio or a gateway of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from channels.accounts import ChannelAccounts
from channels.codes.links import Links, no_links
from channels.context import ChannelContext
from channels.contract import AccountCheck, Policy, Repeats
from channels.http.api import HttpRequest, not_understood, without
from channels.http.provider import ProviderChannel
from channels.http.ssrf import Reach
from channels.http.transport import Reply
from channels.sms import gateway, twilio
from channels.sms.request import SmsRequest
from channels.sms.text import Texts
from channels.status_calls import OWN_CALLS, CallForm, StatusCall, StatusEvent, signed_events
from channels.templates.engine import Templates
from channels.unsubscribe import NO_UNSUBSCRIBE_LINKS, UnsubscribeLinks
from schemas.channels.retries import RETRY_POLICIES
from schemas.channels.sms import SmsAccountForm, SmsDelivery
from schemas.channels.sms_gateway import read_headers
from schemas.closed import ChannelName
from schemas.receipt import Accepted, Deferred, Receipt, Refused
from schemas.template import StoredTemplate

POLICY = Policy.of(RETRY_POLICIES["sms"])


class Sms(ProviderChannel[SmsDelivery]):
    """No provider here knows a message again: one that it may have had is looked up first, where it can be."""

    name: ClassVar[ChannelName] = "sms"
    policy: ClassVar[Policy] = POLICY
    own_headers: ClassVar[Mapping[str, str]] = {"accept-encoding": "identity", "user-agent": "Tidings/1"}
    repeats: ClassVar[Repeats] = "none"
    taken: ClassVar[str] = "queued by Twilio; of a gateway, what its account says"
    calls: ClassVar[CallForm] = CallForm(
        ((twilio.SIGNATURE,), *OWN_CALLS.proofs),
        frozenset({twilio.FORM, *OWN_CALLS.types}),
        ("text/xml", b"<Response/>"),
    )

    def __init__(
        self,
        accounts: ChannelAccounts,
        templates: Templates,
        *,
        reach: Reach,
        links: Links = no_links,
        unsubscribe: UnsubscribeLinks = NO_UNSUBSCRIBE_LINKS,
        public_url: str = "",
    ) -> None:
        super().__init__(accounts, reach=reach, links=links)
        self._texts, self._public_url = Texts(templates, links, unsubscribe), public_url.rstrip("/")

    @classmethod
    def build(cls, context: ChannelContext) -> Sms:
        """See `Channel`."""
        return cls(
            context.accounts.of(cls.name), Templates(context.zone), reach=context.reach, links=context.links,
            unsubscribe=context.unsubscribe, public_url=context.unsubscribe.public_url,
        )  # fmt: skip

    def render(self, delivery: SmsDelivery, template: StoredTemplate | None = None) -> SmsRequest:
        """See `Channel`. The text is refused where it takes more parts than are allowed."""
        account: SmsAccountForm = self.form(delivery.project_id, delivery.account)
        text = self._texts.text(delivery, template, account.max_parts)
        if account.provider == "http":
            return gateway.message(account, delivery, text)
        return twilio.message(account, delivery, text, twilio.callback(self._public_url, delivery))

    def is_own(self, form: SmsAccountForm, request: HttpRequest) -> bool:
        """See `ProviderChannel`: the address of a gateway is filled in, so it is compared as it was before."""
        return isinstance(request, SmsRequest) and request.place == form.place

    def proof(self, form: SmsAccountForm) -> Mapping[str, str]:
        """See `ProviderChannel`."""
        return read_headers(form.headers) if form.provider == "http" else twilio.authorization(form)

    async def ask(self, request: HttpRequest, *, timeout: float, now: datetime) -> Reply | Receipt:
        """See `HttpChannel`; of a reply also without what its headers say in another form."""
        account: SmsAccountForm = self.still(request)
        answer = await super().ask(request, timeout=timeout, now=now)
        if not isinstance(answer, Reply):
            return answer
        return dataclasses.replace(answer, body=without((account.auth_token, account.api_secret), answer.body))

    async def send(self, request: HttpRequest, *, timeout: float, now: datetime) -> Receipt:
        """See `Channel`."""
        account: SmsAccountForm = self.still(request)
        answer = await self.ask(request, timeout=timeout, now=now)
        if not isinstance(answer, Reply):
            return answer
        try:
            is_gateway = account.provider == "http"
            return gateway.receipt(answer, account, now) if is_gateway else twilio.receipt(answer, now)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return not_understood(answer, now, error)

    async def look_up(
        self, request: HttpRequest, *, since: datetime, timeout: float, now: datetime
    ) -> list[Accepted] | Receipt | None:
        """See `Channel`. A gateway is not asked."""
        account: SmsAccountForm = self.still(request)
        if account.provider == "http" or not isinstance(request, SmsRequest):
            return None
        answer = await self.ask(twilio.listing(account, request, since), timeout=timeout, now=now)
        if not isinstance(answer, Reply):
            return answer
        try:
            return twilio.same_messages(answer, request, since)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            receipt = not_understood(answer, now, error)
            return Deferred(f"cannot be looked up: {receipt.detail}") if isinstance(receipt, Refused) else receipt

    @classmethod
    def statuses(cls, call: StatusCall, account: SmsAccountForm) -> list[StatusEvent]:
        """See `Channel`; of a gateway in the form of our own."""
        if account.provider == "http" or call.content_type != twilio.FORM:
            return signed_events(call, account.callback_secrets)
        return twilio.events(call, account)

    async def tried(self, form: SmsAccountForm, project_id: str, account: str) -> AccountCheck:
        """See `ProviderChannel`: a list of messages is asked for."""
        if form.provider == "http":
            return gateway.checked(form)
        asked, now = twilio.first_page(form, account, project_id), datetime.now(UTC)
        answer = await self.ask(asked, timeout=self.policy.timeout.total_seconds(), now=now)
        return twilio.checked(form, answer, now)
