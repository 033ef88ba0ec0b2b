"""Mail servers whose encryption fails: nothing of the account or of a message leaves in the clear, and none is lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import trustme

from channels.accounts import fixed_accounts
from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.fakes.email import SmtpSink
from channels.fakes.raw import RawReply
from channels.fakes.raw_smtp import RawSmtp
from channels.templates.engine import Templates
from schemas.receipt import Blocked, Deferred, Receipt, Throttled
from tests.factory import TEMPLATE, delivery

LONG = 60.0
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)
ACCOUNT = EmailAccount(
    "main", "127.0.0.1", 0, "starttls", "shop@example.com", username="user", password="hush-password"
)
Issue = Callable[[trustme.CA], trustme.LeafCert]
UNTRUSTED: dict[str, Issue] = {
    "wrong name": lambda authority: authority.issue_cert("other.example"),
    "over": lambda authority: authority.issue_cert("127.0.0.1", not_before=LONG_AGO[0], not_after=LONG_AGO[1]),
    "of nobody that is trusted": lambda _: trustme.CA().issue_cert("127.0.0.1"),
}


async def send(account: EmailAccount, timeout: float = LONG) -> Receipt:
    """One message through a channel of its own."""
    channel = Email(fixed_accounts("email", {"main": account}), Templates())
    try:
        return await channel.send(channel.render(delivery("email"), TEMPLATE), timeout=timeout, now=datetime.now(UTC))
    finally:
        await channel.close()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("issue", UNTRUSTED.values(), ids=list(UNTRUSTED))
async def test_a_certificate_that_is_not_trusted_blocks_the_account(issue: Issue, security: str) -> None:
    authority, served = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issue(authority).configure_cert(served)
    sink = SmtpSink(tls=served, implicit_tls=security == "tls", login=("user", "hush-password"))
    await sink.start()
    receipt = await send(replace(ACCOUNT, port=sink.port, security=security, tls=trusting(authority)))
    await sink.stop()
    assert isinstance(receipt, Blocked), receipt
    assert "certificate is not trusted" in receipt.detail
    assert "hush" not in receipt.detail
    assert sink.mails == []


STARTTLS_FAULTS: dict[str, tuple[RawReply, type[Receipt]]] = {
    "reset": (RawReply((), resets=True), Deferred),
    "gone": (RawReply((), ends=True), Deferred),
    "silent": (RawReply((), stays=600.0), Deferred),
    "later": (RawReply((b"454 4.7.0 TLS not available due to temporary reason\r\n",)), Throttled),
    "no code": (RawReply((b"hello?\r\n",)), Deferred),
    "gone after it was said": (RawReply((b"220 go\r\n",), ends=True), Deferred),
    "no handshake": (RawReply((b"220 go\r\n", b"250 ok\r\n"), ends=True), Deferred),
    "slipped in before the handshake": (RawReply((b"220 go\r\n250 AUTH PLAIN\r\n",), ends=True), Deferred),
}


async def _starttls(fault: RawReply, kind: type[Receipt]) -> None:
    server = RawSmtp()
    await server.start()
    server.once |= {"ehlo": RawReply((b"250-raw.test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n",)), "starttls": fault}
    receipt = await send(replace(ACCOUNT, port=server.port, tls=ssl.create_default_context()), timeout=5.0)
    await server.stop()
    assert isinstance(receipt, kind), receipt
    assert "hush" not in repr(receipt)
    assert server.mails == []


async def test_encryption_that_does_not_begin() -> None:
    """All at once, since silence takes as long as its timeout."""
    await asyncio.gather(*(_starttls(fault, kind) for fault, kind in STARTTLS_FAULTS.values()))
