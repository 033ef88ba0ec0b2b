"""A mailbox tried without a message: each failure in words, with what would mend it."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

from channels.email.check import check_mailbox
from channels.email.smtp_session import EmailAccount
from channels.fakes.email import SmtpSink
from channels.fakes.raw import RawReply
from channels.fakes.raw_smtp import RawSmtp
from tests.unit.channels.email.dkim_keys import record, signer

PLANTED = "pl4nted-pa55word"


def account(port: int, **changes: Any) -> EmailAccount:
    given: dict[str, Any] = {"host": "127.0.0.1", "security": "none", "sender": "a@example.com", **changes}
    return EmailAccount(name="main", port=port, **given)


async def said(sink: SmtpSink, **changes: Any) -> tuple[bool, str]:
    await sink.start()
    try:
        found = await check_mailbox(account(sink.port, **changes), 20.0)
    finally:
        await sink.stop()
    assert PLANTED not in found.said
    assert sink.mails == []
    return found.is_well, found.said


async def test_a_mailbox_that_lets_us_in_is_well() -> None:
    is_well, words = await said(SmtpSink(login=("u", PLANTED)), username="u", password=PLANTED)
    assert (is_well, "lets u in, without TLS" in words) == (True, True)
    assert (await said(SmtpSink()))[0]


async def test_over_tls_it_is_well_where_its_certificate_is_trusted_and_else_says_so() -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    for security in ("starttls", "tls"):
        sink = SmtpSink(tls=server, implicit_tls=security == "tls")
        assert (await said(sink, security=security, tls=trusting))[0]
        is_well, words = await said(sink, security=security, tls=ssl.create_default_context())
        assert (is_well, "is not trusted" in words, "ssl_cafile" in words) == (False, True, True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"username": "u", "password": PLANTED}, "the login of u is refused (535"),
        ({"security": "starttls", "tls": ssl.create_default_context()}, "does not offer STARTTLS"),
        ({"security": "tls", "tls": ssl.create_default_context()}, "it may have to be starttls"),
        ({"host": "no-such-host.invalid"}, "cannot be resolved. Check host"),
    ],
)
async def test_what_is_wrong_is_said_with_what_would_mend_it(changes: dict[str, Any], expected: str) -> None:
    is_well, words = await said(SmtpSink(login=("u", "another") if "username" in changes else None), **changes)
    assert (is_well, expected in words) == (False, True), words


async def test_nobody_there_and_somebody_who_does_not_let_us_in() -> None:
    sink = SmtpSink()
    await sink.start()
    port = sink.port
    await sink.stop()
    assert "refuses connections" in (await check_mailbox(account(port), 20.0)).said
    sink.greeting = "554 5.7.1 not from there"
    assert "does not let us in (554" in (await said(sink))[1]


async def test_a_server_that_repeats_the_password_is_not_quoted() -> None:
    one = account(1, username="u", password=PLANTED)
    assert one.without_secrets(f"535 {PLANTED} AHUAcGw0bnRlZC1wYTU1d29yZA==") == "535 [secret] [secret]"
    assert PLANTED not in repr(one)


@pytest.mark.parametrize("farewell", [RawReply((), stays=600.0), RawReply((), resets=True), RawReply((b"no\r\n",))])
async def test_whoever_lets_us_in_is_well_whatever_the_farewell(
    farewell: RawReply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.smtp_session._REST_SECONDS", 0.1)
    server = RawSmtp()
    await server.start()
    server.once["quit"] = farewell
    try:
        found = await check_mailbox(account(server.port, username="u", password=PLANTED), 60.0)
    finally:
        await server.stop()
    assert found.is_well, found.said


@pytest.mark.parametrize(
    ("records", "sender", "is_well", "expected"),
    [
        ([record(signer("ed25519"))], "a@example.com", True, "is the one that signs"),
        ([record(signer("ed25519"))], "a@other.example", True, "DMARC does not count"),
        ([], "a@example.com", False, f"Publish there: {record(signer('ed25519'))}"),
        (None, "a@example.com", True, "could not be asked"),
    ],
    ids=["its key", "of another domain", "no key", "no answer"],
)
async def test_a_signing_account_is_well_where_dns_has_its_key(
    records: list[str] | None, sender: str, is_well: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def published(_place: str) -> list[str] | None:
        return records

    monkeypatch.setattr("channels.email.dkim_record.published", published)
    found, words = await said(SmtpSink(), sender=sender, signer=signer("ed25519"))
    assert (found, expected in words) == (is_well, True), words
