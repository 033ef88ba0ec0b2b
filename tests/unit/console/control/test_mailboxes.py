"""Mailboxes that are read by OAuth 2."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from channels.access_tokens import Tokens
from channels.email.mailbox import Mailbox
from channels.fakes.http import Reply
from channels.fakes.imap import EVERYTHING, ImapServer
from channels.fakes.tokens import TokenEndpointFake
from channels.http.ssrf import OWN_NETWORKS
from console.control.mailboxes import mailbox_of, waiting_in
from deploy.secret import Secret
from deploy.settings.mailboxes import MailboxSettings
from schemas.errors import CannotStart, TryLater


@dataclass(frozen=True, slots=True)
class Read:
    server: ImapServer
    endpoint: TokenEndpointFake
    tokens: Tokens

    @property
    def mailbox(self) -> Mailbox:
        settings = MailboxSettings(
            host="127.0.0.1",
            port=self.server.port,
            security="none",
            username="bounces@example.com",
            client_id="client",
            client_secret=Secret("client-secret"),
            refresh_token=Secret("refresh-1"),
            token_url=self.endpoint.url,
        )
        settings.check("bounces")
        return mailbox_of("bounces", settings)

    async def waiting(self) -> int:
        return await waiting_in(self.mailbox, self.tokens)


@pytest.fixture(params=["AUTH=XOAUTH2", "AUTH=OAUTHBEARER"])
async def read(request: pytest.FixtureRequest) -> AsyncIterator[Read]:
    server, endpoint = ImapServer(offers=EVERYTHING | {str(request.param)}), TokenEndpointFake()
    endpoint.given_to.append(server.tokens)
    async with AsyncExitStack() as stack:
        for one in (server, endpoint):
            await one.start()
            stack.push_async_callback(one.stop)
        tokens = Tokens(OWN_NETWORKS)
        stack.callback(tokens.close)
        yield Read(server, endpoint, tokens)


@pytest.mark.parametrize("size", [20, 6000])
async def test_a_mailbox_is_read_with_a_token_that_is_kept(read: Read, size: int) -> None:
    read.endpoint.token_bytes = size
    read.server.deliver(b"Subject: x\r\n\r\n")
    assert [await read.waiting() for _ in range(3)] == [1, 1, 1]
    assert len(read.endpoint.given) == 1


async def test_a_token_that_has_ended_is_renewed_once(read: Read) -> None:
    await read.waiting()
    read.server.tokens.clear()
    assert await read.waiting() == 0
    assert len(read.endpoint.given) == 2
    assert read.server.ended in ([b""], [b"AQ=="])


async def test_a_login_that_stays_refused_is_a_persons_and_shows_no_token(read: Read) -> None:
    read.endpoint.given_to.clear()
    with pytest.raises(CannotStart, match=r"login: .*not bounces@example.com with \[secret\]") as caught:
        await read.waiting()
    assert "Check username, and that client_id may read mail" in str(caught.value)
    assert not [token for token in read.endpoint.given if token in str(caught.value)]


async def test_a_grant_that_has_ended_is_a_persons(read: Read) -> None:
    read.endpoint.refresh_tokens.clear()
    with pytest.raises(CannotStart, match="sign in again and write refresh_token anew"):
        await read.waiting()


async def test_an_endpoint_that_is_away_is_asked_later(read: Read) -> None:
    read.endpoint.replies.append(Reply(503))
    with pytest.raises(TryLater, match="gives no token"):
        await read.waiting()


async def test_a_server_without_a_login_by_token_is_a_persons(read: Read) -> None:
    read.server.offers = EVERYTHING
    with pytest.raises(CannotStart, match="offers no login by OAuth 2"):
        await read.waiting()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_id": ""}, "client_id is missing"),
        ({"password": Secret("p")}, "password must be left out"),
        ({"token_url": "http://t.example"}, "token_url must begin with https"),
        ({"host": "imap.shop.example", "security": "tls", "token_url": ""}, "token_url is missing"),
    ],
)
def test_what_cannot_be_stops_the_start(changes: dict[str, object], said: str) -> None:
    written = {
        "host": "127.0.0.1", "security": "none", "username": "u", "client_id": "c", "refresh_token": Secret("r"),
        "token_url": "https://t.example/token", **changes,
    }  # fmt: skip
    with pytest.raises(CannotStart, match=f"mailboxes.bounces.{said}"):
        MailboxSettings(**written).check("bounces")  # type: ignore[arg-type]
