"""E-mail over SMTP, from an account of the user's own."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import aiosmtplib

from channels.code_links import Links, no_links, with_links
from channels.contract import Accepted, Deferred, Receipt, Refused, shortened
from channels.headers import list_header, mailbox_header, text_header, valid_address
from channels.inline_codes import with_inline_codes
from channels.mime import dated, message_bytes
from channels.templates import Templates
from schemas.closed import ChannelName
from schemas.delivery import EmailDelivery
from schemas.distribution import TRANSACTIONAL
from schemas.errors import RenderRefused, TemplateFailed
from schemas.template import StoredTemplate

_TAGS = re.compile(r"<(style|script)\b.*?</\1>|<[^>]+>", re.IGNORECASE | re.DOTALL)
_CLOSING = 421
"""With it a server says goodbye. Source: RFC 5321, 3.8."""


@dataclass(frozen=True, slots=True)
class EmailAccount:
    """A mailbox to send from. `security` is none, starttls or tls. The password is not part of its `repr`."""

    name: str
    host: str
    port: int
    security: str
    sender: str
    sender_name: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    connections: int = 4
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class EmailRequest:
    """A message ready for SMTP, but for its Date: that is the time of each attempt."""

    account: str
    sender: str
    recipient: str
    message: bytes = field(repr=False)


class Email:
    """All accounts of a process; each has a few connections that are used again."""

    name: ChannelName = "email"

    def __init__(self, accounts: Mapping[str, EmailAccount], templates: Templates, links: Links = no_links) -> None:
        self._code_links = links
        self._accounts = accounts
        self._templates = templates
        self._pools = {name: _Pool(account) for name, account in accounts.items()}

    def render(self, delivery: EmailDelivery, template: StoredTemplate | None) -> EmailRequest:
        """The whole message. The same delivery gives the same Message-ID, so that a repeat can be recognised."""
        account = self._accounts.get(delivery.account)
        if account is None:
            there = ", ".join(self._accounts) or "none"
            raise RenderRefused("no_address", f"no email account {delivery.account}; there are: {there}")
        if template is None:
            raise TemplateFailed(
                f"template {delivery.email.template.name} ({delivery.email.template.digest[:8]}) is missing"
            )
        recipient = valid_address(delivery.email.to)
        return EmailRequest(account.name, account.sender, recipient, self._message(delivery, account, template))

    def _message(self, delivery: EmailDelivery, account: EmailAccount, template: StoredTemplate) -> bytes:
        event, distribution = delivery.event, delivery.distribution
        own = {
            "distribution": {"id": distribution.id, "name": distribution.name},
            "delivery_id": delivery.delivery_id,
            "category": delivery.category,
        }
        envelope = {"id": event.id, "type": event.type, "created_at": event.created_at.isoformat()}
        variables = {
            "event": envelope,
            **with_links(delivery.data, self._code_links),
            **own,
            **_links(account, delivery, template),
        }
        customer = delivery.customer
        rendered = self._templates.render(template, variables, locale=customer.locale, timezone=customer.timezone)
        headers = {
            "From": mailbox_header("From", account.sender_name, account.sender),
            "To": mailbox_header("To", delivery.email.name or "", delivery.email.to),
            "Subject": text_header("Subject", rendered.subject),
            "Message-ID": f"<{delivery.delivery_id}@{account.sender.rpartition('@')[2]}>",
            "Auto-Submitted": "auto-generated",
            "Feedback-ID": text_header(
                "Feedback-ID", f"{distribution.id}:{delivery.category}:{delivery.project_id}:tidings"
            ),
            **_unsubscribe(account, delivery),
        }
        text = rendered.text if rendered.text is not None else plain_text(rendered.html or "")
        html, images = with_inline_codes(rendered.html, delivery, account.sender.rpartition("@")[2])
        return message_bytes(headers, text, html, boundary=f"=_{delivery.delivery_id}", images=images)

    async def send(self, request: EmailRequest, *, timeout: float, now: datetime) -> Receipt:
        """One SMTP transaction on a pooled connection."""
        dated_now = dataclasses.replace(request, message=dated(request.message, now))
        return await self._pools[request.account].send(dated_now, timeout)

    async def close(self) -> None:
        """Say goodbye on every connection."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))


class _Pool:
    """At most `connections` sessions with one server; a broken one is dropped, never repaired."""

    def __init__(self, account: EmailAccount) -> None:
        self._account = account
        self._places = asyncio.Semaphore(account.connections)
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, request: EmailRequest, timeout: float) -> Receipt:
        session: aiosmtplib.SMTP | None = None
        handed_over = False
        try:
            async with self._places, asyncio.timeout(timeout):
                while session is None:
                    is_used = bool(self._idle)
                    session = self._idle.pop() if is_used else await self._connect(timeout)
                    if not await _begins(session, request.sender, is_used=is_used):
                        session.close()
                        session = None
                await session.rcpt(request.recipient)
                handed_over = True
                answer = await session.data(request.message)
                self._idle.append(session)
                session = None
                return Accepted(shortened(f"{answer.code} {answer.message}"))
        except aiosmtplib.SMTPAuthenticationError as error:
            said = f"{error.code}: the server does not accept account {self._account.name}"
            return Deferred(shortened(said), pause_destination=True)
        except aiosmtplib.SMTPResponseException as error:
            receipt = _refusal(error.code, error.message)
            session = await self._keep_after_refusal(session, error.code)
            return receipt
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Deferred(shortened(f"{type(error).__name__}: {error}"), possibly_accepted=handed_over)
        except (UnicodeError, ValueError) as error:
            return Refused(f"the address cannot be used: {type(error).__name__}")
        finally:
            if session is not None:
                session.close()

    async def _connect(self, timeout: float) -> aiosmtplib.SMTP:
        account = self._account
        session = aiosmtplib.SMTP(
            hostname=account.host,
            port=account.port,
            timeout=timeout,
            use_tls=account.security == "tls",
            start_tls=account.security == "starttls",
            tls_context=account.tls if account.security != "none" else None,
            username=account.username or None,
            password=account.password or None,
        )
        await session.connect()
        return session

    async def _keep_after_refusal(self, session: aiosmtplib.SMTP | None, code: int) -> aiosmtplib.SMTP | None:
        """A refusal ends the transaction, not the connection; except 421, by which the server says goodbye."""
        if session is None or code == _CLOSING:
            return session
        try:
            await session.rset()
        except (aiosmtplib.SMTPException, OSError):
            return session
        self._idle.append(session)
        return None

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


async def _begins(session: aiosmtplib.SMTP, sender: str, *, is_used: bool) -> bool:
    """Begin a transaction. False where the server has closed a session that was used before: as it may, at rest."""
    try:
        await session.mail(sender)
    except aiosmtplib.SMTPServerDisconnected:
        if not is_used:
            raise
        return False
    except aiosmtplib.SMTPSenderRefused as error:
        if error.code != _CLOSING or not is_used:
            raise
        return False
    return True


def _refusal(code: int, text: str) -> Receipt:
    """Source: RFC 5321 and the enhanced status codes of RFC 3463."""
    detail = shortened(f"{code} {text}")
    if 400 <= code < 500:
        return Deferred(detail)
    dead = re.match(r"5\.1\.\d", text.strip()) is not None
    return Refused(detail, suppress=dead)


def plain_text(html: str) -> str:
    """A text part where only HTML was written."""
    return re.sub(r"\n\s*\n+", "\n\n", _TAGS.sub("", html)).strip()


def _links(account: EmailAccount, delivery: EmailDelivery, template: StoredTemplate) -> dict[str, str]:
    """The customer's own pages, as far as the settings know them."""
    mailto = f"mailto:{account.unsubscribe_mailto}" if account.unsubscribe_mailto else ""
    links = {
        "unsubscribe_url": account.unsubscribe_url or mailto,
        "preferences_url": str(template.brand.get("preferences_url", "")),
    }
    return {name: link.replace("{delivery_id}", delivery.delivery_id) for name, link in links.items() if link}


def _unsubscribe(account: EmailAccount, delivery: EmailDelivery) -> dict[str, str]:
    """Of mail that needs consent: what is transactional is no list that one leaves.

    Source: RFC 2369 and RFC 8058 (one click needs an https address).
    """
    if delivery.category == TRANSACTIONAL:
        return {}
    url = account.unsubscribe_url.replace("{delivery_id}", delivery.delivery_id)
    links = [url, f"mailto:{account.unsubscribe_mailto}" if account.unsubscribe_mailto else ""]
    shown = {"List-Unsubscribe": list_header("List-Unsubscribe", [f"<{link}>" for link in links if link])}
    one_click = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if url.startswith("https://") else {}
    return shown | one_click if any(links) else {}
