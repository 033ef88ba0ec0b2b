"""Webhook: a signed POST of the event's objects to the user's own address."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

import msgspec

from channels.accounts import AccountBook, ChannelAccounts
from channels.codes.links import Links, no_links
from channels.context import ChannelContext
from channels.contract import AccountCheck, Policy, Repeats
from channels.http.api import HttpChannel, HttpRequest, receipt_by_status
from channels.http.names import Names
from channels.http.ssrf import Reach
from channels.http.transport import BodyLimits, Reply
from channels.webhook.body import body_of
from channels.webhook.calls import Call, Calls
from channels.webhook.shown import call_of
from channels.webhook.signing import Signer
from schemas.account_fields import AccountForm
from schemas.channels.retries import RETRY_POLICIES
from schemas.channels.webhook import SIGNING, WebhookAccountForm, WebhookDelivery, endpoint_account
from schemas.closed import ChannelName
from schemas.errors import AccountHeld, RenderRefused
from schemas.formats.hosts import HostRefused, ascii_url
from schemas.limit import NO_LIMIT, Limit, written_limit
from schemas.receipt import Receipt
from schemas.template import StoredTemplate

USER_AGENT = "Tidings/1 (+webhooks)"
OWN_HEADERS = {"content-type": "application/json", "user-agent": USER_AGENT}
"""Headers of every request, beside the signatures."""
POLICY = Policy.of(RETRY_POLICIES["webhook"])
_WORDS = 100
"""Bytes of a reply that say why it refused."""


class Webhook(HttpChannel[WebhookDelivery]):
    """Receivers know a message by its `webhook-id`, as Standard Webhooks asks of them. `max_bytes` bounds a body."""

    name: ClassVar[ChannelName] = "webhook"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "key"
    taken: ClassVar[str] = "the receiver said 2xx"
    own_headers: ClassVar[Mapping[str, str]] = OWN_HEADERS
    public_headers: ClassVar[frozenset[str]] = frozenset({"webhook-id", "webhook-timestamp"})
    body_limits: ClassVar[BodyLimits] = BodyLimits(kept=4096)  # to be looked at alone

    def __init__(
        self,
        signer: Signer,
        *,
        reach: Reach,
        max_bytes: int,
        links: Links = no_links,
        accounts: ChannelAccounts | None = None,
        names: Names | None = None,
        calls: Calls | None = None,
    ) -> None:
        super().__init__(reach=reach, names=names)
        self._calls, self._accounts = calls, accounts or AccountBook().of(self.name)
        self._signer, self._max_bytes, self._links = signer, max_bytes, links

    @classmethod
    def build(cls, context: ChannelContext) -> Webhook:
        """See `Channel`."""
        return cls(
            context.signer,
            reach=context.reach,
            max_bytes=context.max_bytes,
            links=context.links,
            accounts=context.accounts.of(cls.name),
            calls=context.calls,
        )

    @classmethod
    def account(cls, name: str, form: AccountForm) -> Signer:
        """See `Channel`: the signer of a project's webhooks."""
        del name
        if not isinstance(form, WebhookAccountForm):
            raise TypeError(f"a webhook account, not {type(form).__name__}")
        secrets = (*form.secrets, *form.retiring_secrets)
        return Signer(secrets, form.legacy_secret, written_limit(form.rate, form.concurrency))

    def limit(self, project_id: str, account: str) -> Limit:
        """See `Channel`: an endpoint's own, or the same for each of a project."""
        own: Signer | None = self._accounts.usable(project_id, endpoint_account(account))
        if own is not None and own.limit != NO_LIMIT:
            return own.limit
        signer: Signer = self._accounts.usable(project_id, SIGNING) or self._signer
        return signer.limit

    def render(self, delivery: WebhookDelivery, template: StoredTemplate | None = None) -> HttpRequest:
        """The envelope as JSON, or what was designed. Nothing in it depends on when or how often it is sent."""
        body = msgspec.json.encode(body_of(delivery, self._links))
        if len(body) > self._max_bytes:
            raise RenderRefused("limit", f"the body has {len(body)} bytes, at most {self._max_bytes} are sent")
        address, about = delivery.webhook, (delivery.account, delivery.delivery_id)
        try:
            url = ascii_url(address.url)
        except HostRefused as error:
            raise RenderRefused("no_address", str(error)) from error
        return HttpRequest(url, *about, address.headers, body, project_id=delivery.project_id)

    def attempt_headers(self, request: HttpRequest, now: datetime) -> Mapping[str, str]:
        """The signatures, which carry the time of the attempt."""
        signer = self._signer_of(request.project_id, request.account)
        return signer.headers(request.delivery_id, int(now.timestamp()), request.body)

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """See `HttpChannel`: of the words of a reply the first few."""
        return receipt_by_status(replace(reply, body=reply.body[:_WORDS]) if len(reply.body) > _WORDS else reply, now)

    async def send(self, request: HttpRequest, *, timeout: float, now: datetime) -> Receipt:
        """See `Channel`; whoever wants to see the call is shown it."""
        started = time.perf_counter()
        answer = await self.ask(request, timeout=timeout, now=now)
        receipt = self.judged(answer, now)
        if self._calls is not None and self._calls.wants(request.project_id, request.account, receipt):
            self._calls.add(self._call(request, answer, receipt, now, time.perf_counter() - started))
        return receipt

    def _call(
        self, request: HttpRequest, answer: Reply | Receipt, receipt: Receipt, now: datetime, seconds: float
    ) -> Call:
        try:
            added = self.attempt_headers(request, now)
        except AccountHeld:  # it was paused while it was under way
            added = {}
        names = {"host", "accept", "content-length", *request.headers, *self.own_headers, *added}
        proofs = [part for name, value in added.items() if name not in self.public_headers for part in value.split(" ")]
        return call_of(request, names, proofs, answer if isinstance(answer, Reply) else None, receipt, seconds)

    async def check(self, project_id: str, account: str) -> AccountCheck:
        """See `Channel`: an account of secrets has no server to be tried at."""
        signer = self._accounts.find(project_id, account)
        if not isinstance(signer, Signer):
            return AccountCheck(False, f'there is no webhook account "{account}"')
        return AccountCheck(True, f"{signer.said}; endpoints belong to distributions, so none was called")

    def _signer_of(self, project_id: str, endpoint: str) -> Signer:
        """The endpoint's own, else the project's, else that of the settings. Raises AccountHeld."""
        own: Signer | None = self._accounts.find(project_id, endpoint_account(endpoint))
        return own or self._accounts.find(project_id, SIGNING) or self._signer
