"""E-mail through accounts that log in by OAuth 2: tokens are got, kept, shared and renewed, and shown to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from channels.access_tokens import TokenAway, TokenRefused, Tokens
from channels.email.check import check_mailbox
from channels.email.smtp_session import EmailAccount, SmtpSession
from channels.fakes.email import SmtpSink
from channels.fakes.http import Reply
from channels.fakes.tokens import TokenEndpointFake
from channels.http.ssrf import OWN_NETWORKS, Reach
from schemas.channels.mail_oauth import Grant
from schemas.receipt import Accepted, Blocked, Receipt, Unreached

MESSAGE = b"From: a@example.com\r\nTo: b@example.com\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n"
SECRETS = ("client-secret", "refresh-1")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Mail:
    """A mail server and the endpoint whose tokens it takes."""

    def __init__(self, sink: SmtpSink, endpoint: TokenEndpointFake) -> None:
        self.sink, self.endpoint, self.clock = sink, endpoint, Clock()
        self.newer: list[tuple[Grant, str]] = []
        self.tokens = Tokens(OWN_NETWORKS, clock=self.clock, on_newer=lambda *one: self.newer.append(one))

    @property
    def grant(self) -> Grant:
        return Grant(self.endpoint.url, "client", *SECRETS, scope="mail")

    @property
    def account(self) -> EmailAccount:
        return EmailAccount(
            "main", "127.0.0.1", self.sink.port, "none", "a@example.com", username="shop@example.com", grant=self.grant
        )

    async def send(self, account: EmailAccount | None = None) -> Receipt | None:
        session = SmtpSession(account or self.account, self.tokens)
        try:
            return await session.send("a@example.com", "b@example.com", lambda eight_bit: MESSAGE, 60.0)
        finally:
            session.close()


async def served(stack: AsyncExitStack, *logins: str) -> Mail:
    sink, endpoint = SmtpSink(token_logins=logins or ("XOAUTH2",)), TokenEndpointFake()
    endpoint.given_to.append(sink.tokens)
    for one in (sink, endpoint):
        await one.start()
        stack.push_async_callback(one.stop)
    mail = Mail(sink, endpoint)
    stack.callback(mail.tokens.close)
    return mail


@pytest.fixture
async def mail() -> AsyncIterator[Mail]:
    async with AsyncExitStack() as stack:
        yield await served(stack)


async def test_a_token_is_got_once_for_all_connections_and_renewed_before_it_ends(mail: Mail) -> None:
    receipts = await asyncio.gather(*(mail.send() for _ in range(8)))
    assert [type(one) for one in receipts] == [Accepted] * 8
    assert mail.endpoint.asked == [
        {
            "grant_type": "refresh_token",
            "client_id": "client",
            "client_secret": "client-secret",
            "refresh_token": "refresh-1",
            "scope": "mail",
        }
    ]
    assert set(mail.sink.shown) == {("XOAUTH2", "shop@example.com")}
    mail.clock.now += 3600 - 121
    await mail.send()
    assert len(mail.endpoint.given) == 1
    mail.clock.now += 2
    await mail.send()
    assert len(mail.endpoint.given) == 2


async def test_a_token_that_is_not_taken_is_renewed_once_for_all_who_have_it(mail: Mail) -> None:
    await mail.send()
    mail.sink.tokens.clear()
    receipts = await asyncio.gather(*(mail.send() for _ in range(6)))
    assert [type(one) for one in receipts] == [Accepted] * 6
    assert len(mail.endpoint.given) == 2
    assert set(mail.sink.ended) == {b""}


async def test_a_login_that_stays_refused_blocks_the_account_and_shows_no_token(mail: Mail) -> None:
    mail.endpoint.given_to.clear()
    receipt = await mail.send()
    assert isinstance(receipt, Blocked)
    assert receipt.detail.startswith("auth: 535 5.7.8 not [secret]: Username not accepted")
    assert len(mail.endpoint.given) == 2


@pytest.mark.parametrize("size", [20, 400, 6000])
async def test_a_token_of_any_length_fits(mail: Mail, size: int) -> None:
    mail.endpoint.token_bytes = size
    assert isinstance(await mail.send(), Accepted)
    mail.sink.tokens.clear()
    assert isinstance(await mail.send(), Accepted)


@pytest.mark.parametrize(
    ("logins", "used"), [(("OAUTHBEARER",), "OAUTHBEARER"), (("OAUTHBEARER", "XOAUTH2"), "XOAUTH2")]
)
async def test_the_other_mechanism_is_used_where_it_is_alone(logins: tuple[str, ...], used: str) -> None:
    async with AsyncExitStack() as stack:
        mail = await served(stack, *logins)
        account = replace(mail.account, username="a=b,c@example.com")
        assert isinstance(await mail.send(account), Accepted)
        assert [one[0] for one in mail.sink.shown] == [used]
        mail.sink.tokens.clear()
        assert isinstance(await mail.send(account), Accepted)
        assert mail.sink.ended == [b"\x01" if used == "OAUTHBEARER" else b""]


async def test_a_server_without_a_login_by_token_blocks_the_account(mail: Mail) -> None:
    sink = SmtpSink(login=("u", "p"))
    await sink.start()
    try:
        receipt = await mail.send(replace(mail.account, port=sink.port))
    finally:
        await sink.stop()
    assert isinstance(receipt, Blocked)
    assert "offers no login by OAuth 2" in receipt.detail
    assert mail.endpoint.asked == []


async def test_a_grant_that_has_ended_blocks_the_account_with_what_would_mend_it(mail: Mail) -> None:
    mail.endpoint.refresh_tokens.clear()
    receipt = await mail.send()
    assert isinstance(receipt, Blocked)
    assert "sign in again and write refresh_token anew" in receipt.detail
    assert "Token [secret] has been expired or revoked" in receipt.detail
    found = await check_mailbox(mail.account, 60.0, mail.tokens)
    assert (found.is_well, "sign in again" in found.said) == (False, True)
    assert len(mail.endpoint.asked) == 1, "a failure is told to whoever asks soon after"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(503), "gives no token (HTTP 503)"),
        (Reply(429), "gives no token (HTTP 429)"),
        (Reply(400, body=b'{"error":"temporarily_unavailable"}'), "HTTP 400 temporarily_unavailable"),
        (Reply(302, headers=(("location", "http://127.0.0.1/"),)), "gives no token (HTTP 302)"),
        (Reply(drop=True), "does not answer"),
    ],
)
async def test_an_endpoint_that_is_away_is_asked_again_later(mail: Mail, reply: Reply, expected: str) -> None:
    mail.endpoint.replies.append(reply)
    receipt = await mail.send()
    assert isinstance(receipt, Unreached)
    assert expected in receipt.detail
    assert isinstance(await mail.send(), Unreached), "for a moment"
    mail.clock.now += 6
    assert isinstance(await mail.send(), Accepted)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"error":"invalid_client","error_description":"AADSTS7000222"}',
            "check client_id and client_secret",
        ),
        (b'{"error":"invalid_scope"}', "check scope"),
        (b'{"error":"unauthorized_client"}', "check its permissions, and tenant"),
        (b"<html>", "check token_url"),
        (b'{"error":["x"]}', "check token_url"),
    ],
)
async def test_a_refusal_says_what_would_mend_it(mail: Mail, body: bytes, expected: str) -> None:
    mail.endpoint.replies.append(Reply(400, body=body))
    with pytest.raises(TokenRefused, match=expected):
        await mail.tokens.token(mail.grant)


@pytest.mark.parametrize("url", ["http://169.254.169.254/token", "https://127.0.0.1:1/token", "https://10.1.2.3/token"])
async def test_an_endpoint_that_is_not_public_is_not_asked(url: str) -> None:
    with pytest.raises(TokenRefused, match="may not be called"):
        await Tokens(Reach()).token(Grant(url, "client", *SECRETS))


async def test_a_newer_refresh_token_is_used_and_the_written_one_where_it_is_not_taken(mail: Mail) -> None:
    mail.endpoint.rotates, mail.endpoint.lasts = True, 1
    for _ in range(2):
        await mail.tokens.token(mail.grant)
        mail.clock.now += 2
    assert mail.newer == [(mail.grant, "refresh-2"), (mail.grant, "refresh-3")]
    mail.endpoint.refresh_tokens = {"refresh-1"}
    await mail.tokens.token(mail.grant)
    assert [one["refresh_token"] for one in mail.endpoint.asked] == ["refresh-1", "refresh-2", "refresh-3", "refresh-1"]


async def test_an_application_alone_asks_in_its_own_name(mail: Mail) -> None:
    await mail.tokens.token(replace(mail.grant, refresh_token=""))
    assert mail.endpoint.asked[0]["grant_type"] == "client_credentials"


@pytest.mark.parametrize("lasts", ["3599", None, 0, "soon", -1])
async def test_the_life_of_a_token_is_read_as_providers_write_it(mail: Mail, lasts: Any) -> None:
    mail.endpoint.lasts = lasts
    first = await mail.tokens.token(mail.grant)
    mail.clock.now += 3000
    assert await mail.tokens.token(mail.grant) == first
    mail.clock.now += 600
    assert await mail.tokens.token(mail.grant) != first


@pytest.mark.parametrize("token", ["", "with\nline", "ż", "x" * 20_000])
async def test_a_token_that_no_login_takes_is_not_used(mail: Mail, token: str) -> None:
    body = b'{"access_token":"%s"}' % token.replace("\n", "\\n").encode()
    mail.endpoint.answered = lambda *_: (Reply(200, body=body), [])  # type: ignore[method-assign]
    with pytest.raises(TokenAway, match="gives no token"):
        await mail.tokens.token(mail.grant)


def test_no_secret_is_part_of_a_repr() -> None:
    grant = Grant("https://t.example/token", "client", *SECRETS)
    account = EmailAccount("main", "h", 1, "none", "a@example.com", grant=grant)
    assert not [one for one in SECRETS if one in repr(grant) + repr(account)]
