"""E-mail over SMTP, from an account of the user's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import ClassVar

from channels.access_tokens import Tokens
from channels.accounts import ChannelAccounts
from channels.attachments import AnyFile, Attachments, remote_file
from channels.codes.links import Links, no_links
from channels.codes.references import with_inline_codes
from channels.context import ChannelContext
from channels.contract import AccountCheck, Channel, Policy, Repeats
from channels.email.check import check_mailbox
from channels.email.content import Contents
from channels.email.dkim import signed
from channels.email.headers import list_header, mailbox_header, text_header, valid_address
from channels.email.mime import Mail, dated
from channels.email.reports import NotReport, mail_events
from channels.email.smtp_session import EmailAccount, SmtpSession
from channels.status_calls import StatusCall, StatusEvent, must_be_signed, signed_events
from channels.templates.engine import Templates
from channels.tracked import NO_TRACKED_LINKS, TrackedLinks
from channels.unsubscribe import NO_UNSUBSCRIBE_LINKS, UnsubscribeLinks
from schemas.account_fields import LONGEST_HEADER_URL, AccountForm
from schemas.channels.email import EmailAccountForm, EmailDelivery
from schemas.channels.retries import RETRY_POLICIES
from schemas.closed import ChannelName
from schemas.distribution import TRANSACTIONAL
from schemas.errors import RenderRefused, TemplateFailed, TryLater
from schemas.failover import NO_FAILOVER, Failover
from schemas.limit import NO_LIMIT, Limit
from schemas.receipt import Blocked, Receipt, Throttled
from schemas.template import StoredTemplate

_KEPT_SENDERS = 256
_SHARE_OF_FILES = 0.5
"""Of an attempt's time: what is left is the mail server's."""
_FEWER_SECONDS = 60.0
"""For which an account does with fewer sessions, once its server has said that there are too many."""


@dataclass(frozen=True, slots=True)
class EmailRequest:
    """A message ready for SMTP, but for its Date: that is the time of each attempt."""

    project_id: str
    account: EmailAccount
    sender: str
    recipient: str
    mail: Mail
    files: tuple[AnyFile, ...] = ()

    @property
    def message(self) -> bytes:
        """The message as every server takes it, without the files that are yet to be fetched."""
        return self.mail.written()


POLICY = Policy.of(RETRY_POLICIES["email"])


class Email(Channel[EmailDelivery, EmailRequest]):
    """All accounts of a process; each has a few connections that are used again."""

    name: ClassVar[ChannelName] = "email"
    policy: ClassVar[Policy] = POLICY
    repeats: ClassVar[Repeats] = "none"
    taken: ClassVar[str] = "the mail server took it"

    def __init__(
        self,
        accounts: ChannelAccounts,
        templates: Templates,
        links: Links = no_links,
        unsubscribe: UnsubscribeLinks = NO_UNSUBSCRIBE_LINKS,
        tokens: Tokens | None = None,
        attachments: Attachments | None = None,
        tracked: TrackedLinks = NO_TRACKED_LINKS,
    ) -> None:
        self._attachments = attachments or Attachments()
        self._contents = Contents(templates, links, unsubscribe, tracked)
        self._tokens = tokens or Tokens()
        self._accounts = accounts
        self._pools: dict[EmailAccount, _Pool] = {}
        accounts.on_change(self._end_replaced)

    @classmethod
    def build(cls, context: ChannelContext) -> Email:
        """See `Channel`."""
        accounts, templates = context.accounts.of(cls.name), Templates(context.zone)
        tokens = Tokens(context.reach, on_newer=accounts.renew)
        attachments = Attachments(context.reach, context.file_limits, context.kept_file)
        return cls(accounts, templates, context.links, context.unsubscribe, tokens, attachments, context.tracked)

    @classmethod
    def account(cls, name: str, form: AccountForm) -> EmailAccount:
        """See `Channel`."""
        if not isinstance(form, EmailAccountForm):
            raise TypeError(f"an email account, not {type(form).__name__}")
        return EmailAccount.of(name, form)

    @classmethod
    def statuses(cls, call: StatusCall, account: EmailAccountForm) -> list[StatusEvent]:
        """See `Channel`; beside the form of all channels a mail that came back, as it came."""
        if call.content_type != "message/rfc822":
            return signed_events(call, account.callback_secrets)
        must_be_signed(call, account.callback_secrets)
        try:
            return mail_events(call.body)
        except NotReport:  # whoever passes on a whole mailbox has such, and would stop at a refusal
            return []

    def at_once(self, project_id: str, account: str) -> int | None:
        """As many as it has connections."""
        found = self._accounts.usable(project_id, account)
        return found.connections if found else None

    def failover(self, project_id: str, account: str) -> Failover:
        """See `Channel`."""
        found = self._accounts.usable(project_id, account)
        if found is None or not found.failover:
            return NO_FAILOVER
        usable = tuple(one for one in found.failover if self._accounts.usable(project_id, one) is not None)
        return Failover(usable, found.failover_ambiguous)

    def limit(self, project_id: str, account: str) -> Limit:
        """See `Channel`."""
        found = self._accounts.usable(project_id, account)
        return found.limit if found else NO_LIMIT

    def domain_limit(self, project_id: str, account: str, domain: str) -> Limit:
        """See `Channel`."""
        found = self._accounts.usable(project_id, account)
        return found.domain_limits.get(domain, NO_LIMIT) if found else NO_LIMIT

    def render(self, delivery: EmailDelivery, template: StoredTemplate | None) -> EmailRequest:
        """The whole message. The same delivery gives the same Message-ID, so that a repeat can be recognised."""
        return self.render_through(delivery, template, delivery.account)

    def render_through(self, delivery: EmailDelivery, template: StoredTemplate | None, account: str) -> EmailRequest:
        """See `Channel`: from the other account's address, with the Message-ID that it would have had."""
        own, used = (self._accounts.find(delivery.project_id, one) for one in (delivery.account, account))
        if used is None:
            there = ", ".join(self._accounts.names(delivery.project_id)) or "none"
            raise RenderRefused("no_address", f"no email account {account}; there are: {there}")
        if template is None:
            raise TemplateFailed(
                f"template {delivery.email.template.name} ({delivery.email.template.digest[:8]}) is missing"
            )
        recipient = valid_address(delivery.email.to)
        mail, files = self._mail(delivery, used, template, (own or used).sender.rpartition("@")[2])
        return EmailRequest(delivery.project_id, used, used.sender, recipient, mail, files)

    def _mail(
        self, delivery: EmailDelivery, account: EmailAccount, template: StoredTemplate, domain: str
    ) -> tuple[Mail, tuple[AnyFile, ...]]:
        """The message, and the files that are yet to be fetched; `domain` is that of its Message-ID."""
        mail, distribution = delivery.email, delivery.distribution
        made = self._contents.filled(delivery, template, account)
        headers = {
            "From": _from_header(mail.sender_name or account.sender_name, account.sender),
            **({"Reply-To": mailbox_header("Reply-To", "", mail.reply_to)} if mail.reply_to else {}),
            "To": mailbox_header("To", mail.name or "", mail.to),
            "Subject": text_header("Subject", made.subject),
            "Message-ID": f"<{delivery.delivery_id}@{domain}>",
            "Auto-Submitted": "auto-generated",
            "Feedback-ID": text_header(
                "Feedback-ID", f"{distribution.id}:{delivery.category}:{delivery.project_id}:tidings"
            ),
            **_unsubscribe(delivery, made.unsubscribe_url, made.mailto),
        }
        html, images = with_inline_codes(made.html, delivery, domain)
        fetched = (remote_file(one, made.in_url, made.line) for one in mail.attachments)
        return Mail.of(headers, made.text, html, f"=_{delivery.delivery_id}", images), (*template.files, *fetched)

    async def send(self, request: EmailRequest, *, timeout: float, now: datetime) -> Receipt:
        """One SMTP transaction on a pooled connection, once its files are there.

        A refusal of the account speaks of the one that it was made for: where that is another one by now, it is asked.
        """
        if request.files:
            began = time.monotonic()
            files = await self._attachments.fetched(request.files, timeout=timeout * _SHARE_OF_FILES, now=now)
            if not isinstance(files, tuple):
                return files
            request = replace(request, mail=replace(request.mail, files=files))
            timeout -= time.monotonic() - began
        receipt = await self._pool(request.account).send(request, now, timeout, lambda: self._must_stand(request))
        if isinstance(receipt, Blocked):
            self._must_stand(request)
        return receipt

    def _must_stand(self, request: EmailRequest) -> None:
        """Raises AccountHeld, or TryLater where its account is another one since the request was rendered."""
        name = request.account.name
        if self._accounts.find(request.project_id, name) != request.account:
            raise TryLater(f"account {self.name}/{name} was changed while the message was on its way")

    def _pool(self, account: EmailAccount) -> _Pool:
        if account not in self._pools:
            self._pools[account] = _Pool(account, self._tokens)
        return self._pools[account]

    def _end_replaced(self) -> None:
        """Take leave of servers whose account was changed or removed; what is under way there comes to its end."""
        in_use = self._accounts.in_use()
        for account in [one for one in self._pools if one not in in_use]:
            self._pools.pop(account).retire()
        self._tokens.keep({one.grant for one in in_use if isinstance(one, EmailAccount) and one.grant})

    async def check(self, project_id: str, account: str) -> AccountCheck:
        """See `Channel`: connect, greet, encrypt, log in and take leave."""
        found = self._accounts.find(project_id, account)
        if found is None:
            there = ", ".join(self._accounts.names(project_id)) or "none"
            return AccountCheck(False, f'there is no email account "{account}"; there are: {there}')
        return await check_mailbox(found, self.policy.timeout.total_seconds(), self._tokens)

    async def close(self) -> None:
        """Say goodbye on every connection."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))
        self._tokens.close()
        self._attachments.close()


class _Pool:
    """At most `connections` sessions with one server; a broken one is dropped, never repaired."""

    def __init__(self, account: EmailAccount, tokens: Tokens) -> None:
        self._account, self._tokens = account, tokens
        self._slots = asyncio.Semaphore(account.connections)
        self._idle: list[SmtpSession] = []
        self._under_way = 0
        self._is_retired = False
        self._pipelines = True

    async def send(
        self, request: EmailRequest, now: datetime, timeout: float, must_stand: Callable[[], None]
    ) -> Receipt:
        while True:
            await self._slots.acquire()
            is_one_too_many = False
            try:
                must_stand()  # it may have waited for long
                receipt, is_one_too_many = await self._send(request, now, timeout)
                if receipt is not None and not is_one_too_many:
                    return receipt
            finally:
                if is_one_too_many:  # the others go on, and this place stays empty for a while
                    asyncio.get_running_loop().call_later(_FEWER_SECONDS, self._slots.release)
                else:
                    self._slots.release()

    async def _send(self, request: EmailRequest, now: datetime, timeout: float) -> tuple[Receipt | None, bool]:
        """No receipt where the session had ended; and whether the sessions are too many rather than the messages."""
        session = self._idle.pop() if self._idle else self._new()
        self._under_way += 1

        def written(*, eight_bit: bool) -> bytes:
            signer = request.account.signer
            if signer is not None:
                return signed(dated(request.mail.written(), now), signer, now)
            return dated(request.mail.written(eight_bit=eight_bit), now)

        try:
            receipt = await session.send(request.sender, request.recipient, written, timeout)
        finally:
            self._under_way -= 1
        self._pipelines = self._pipelines and not session.is_out_of_step
        if session.is_open and not self._is_retired:
            self._idle.append(session)
        elif self._is_retired:
            session.close()
        is_kept_out = isinstance(receipt, Throttled) and not session.was_greeted
        return receipt, is_kept_out and bool(self._under_way or self._idle)

    def _new(self) -> SmtpSession:
        return SmtpSession(self._account, self._tokens, pipelines=self._pipelines)

    def retire(self) -> None:
        """Keep no session any longer than its message takes."""
        self._is_retired = True
        self._end_idle()

    async def close(self) -> None:
        self._end_idle()

    def _end_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()


@lru_cache(_KEPT_SENDERS)
def _from_header(name: str, sender: str) -> str:
    return mailbox_header("From", name, sender)


def _unsubscribe(delivery: EmailDelivery, link: str, mailto: str) -> dict[str, str]:
    """Of mail that needs consent: what is transactional is not a list that one leaves. A link too long for its line
    is left out.

    Source: RFC 2369 and RFC 8058 (one click needs an https address).
    """
    if delivery.category == TRANSACTIONAL:
        return {}
    url = link if link.startswith(("https://", "http://")) and len(link) <= LONGEST_HEADER_URL else ""
    links = [url, mailto]
    shown = {"List-Unsubscribe": list_header("List-Unsubscribe", [link for link in links if link])}
    one_click = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if url.startswith("https://") else {}
    return shown | one_click if any(links) else {}
