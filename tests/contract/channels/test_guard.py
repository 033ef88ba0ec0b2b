"""The guard on real connections: where they go, and what of the environment and of replies is not listened to."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
import trustme

from channels.fakes.raw import RawReceiver, RawReply
from channels.http.names import Lookup, Names
from channels.http.ssrf import OWN_NETWORKS, Reach
from channels.webhook.channel import Webhook
from channels.webhook.signing import Signer
from schemas.receipt import Accepted, Deferred, Receipt, Refused, Unreached
from tests.factory import SECRET, delivery

LOOPBACK = Reach(networks=(ip_network("127.0.0.1/32"),))
HOST = "hooks.example.com"


class Dns:
    """The answers of DNS, one after another; the last one stays."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str) -> list[str]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


@pytest.fixture
async def raw() -> AsyncIterator[RawReceiver]:
    made = RawReceiver()
    await made.start()
    yield made
    await made.stop()


async def post(url: str, lookup: Lookup, reach: Reach = LOOPBACK, *, timeout: float = 60.0, times: int = 1) -> Receipt:
    """The receipt of the last."""
    channel = Webhook(Signer([SECRET]), reach=reach, max_bytes=100_000, names=Names(lookup))
    request = channel.render(delivery("webhook", url=url))
    receipts = [await channel.send(request, timeout=timeout, now=datetime.now(UTC)) for _ in range(times)]
    await channel.close()
    return receipts[-1]


async def test_a_connection_goes_to_the_address_that_was_checked_and_the_name_stays_its_host(raw: RawReceiver) -> None:
    url, dns = raw.url.replace("127.0.0.1", HOST), Dns(["10.9.9.9", "127.0.0.1"], ["10.9.9.9"])
    assert isinstance(await post(url, dns, times=3), Accepted)
    assert (dns.asked, raw.connections) == (1, 1)
    assert f"\r\nhost: {HOST}:".encode() in raw.requests[0].lower()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254", "fe80::1%lo"]
)
async def test_a_name_that_leads_to_a_closed_address_is_refused_for_good_and_not_called(
    raw: RawReceiver, address: str
) -> None:
    url = raw.url.replace("http://127.0.0.1", f"https://{HOST}")
    reach = Reach(networks=(ip_network("10.9.0.0/16"),))
    receipt = await post(url, Dns([address]), reach)
    assert isinstance(receipt, Refused)
    assert receipt.detail.startswith(f"{HOST} leads to an address that is not public")
    assert raw.connections == 0


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_NODATA])
async def test_a_name_that_leads_nowhere_now_is_tried_again(raw: RawReceiver, code: int) -> None:
    receipt = await post(f"https://{HOST}/x", Dns(socket.gaierror(code, "Name or service not known")), Reach())
    assert receipt == Unreached("cannot connect: Name or service not known")


async def test_a_name_that_is_not_answered_ends_with_the_attempt() -> None:
    answered = threading.Event()

    def hang(host: str) -> list[str]:
        answered.wait(60.0)
        return []

    receipt = await post(f"https://{HOST}/x", hang, timeout=0.2)
    answered.set()
    assert receipt == Unreached("no connection within 0.2 s")


async def test_a_receiver_is_told_and_proved_by_name_at_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority, server_side, names = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[str | None]()
    authority.issue_cert(HOST).configure_cert(server_side)
    server_side.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr("channels.http.transport.tls_context", lambda: trusting)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_side) as server:
        port = server.sockets[0].getsockname()[1]
        assert isinstance(await post(f"https://{HOST}:{port}/x", Dns(["127.0.0.1"])), Accepted)
        other = await post(f"https://other.example:{port}/x", Dns(["127.0.0.1"]))
    assert names == [HOST, "other.example"]
    assert isinstance(other, Deferred)
    assert "certificate is not trusted" in other.detail


@contextmanager
def environment(monkeypatch: pytest.MonkeyPatch, proxy: str) -> Iterator[None]:
    with monkeypatch.context() as patched:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patched.setenv(name, proxy)
            patched.setenv(name.upper(), proxy)
        patched.delenv("no_proxy", raising=False)
        patched.delenv("NO_PROXY", raising=False)
        yield


async def test_a_proxy_of_the_environment_is_not_used(raw: RawReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = RawReceiver()
    await proxy.start()
    with environment(monkeypatch, proxy.url):
        assert isinstance(await post(raw.url, Dns([])), Accepted)
    await proxy.stop()
    assert (proxy.connections, len(raw.requests)) == (0, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(raw: RawReceiver, status: int) -> None:
    elsewhere = RawReceiver()
    await elsewhere.start()
    raw.replies.append(
        RawReply((b"HTTP/1.1 %d x\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % (status, elsewhere.url.encode()),))
    )
    receipt = await post(raw.url, Dns([]))
    await elsewhere.stop()
    assert isinstance(receipt, Refused)
    assert "redirects are not followed" in receipt.detail
    assert (elsewhere.connections, len(raw.requests)) == (0, 1)


@pytest.mark.parametrize("layers", [1, 2])
async def test_what_a_receiver_compressed_is_never_unpacked(
    raw: RawReceiver, monkeypatch: pytest.MonkeyPatch, layers: int
) -> None:
    bomb, encoding = b"\x00" * 20_000_000, b", ".join([b"gzip"] * layers)
    for _ in range(layers):
        bomb = gzip.compress(bomb)
    raw.replies.append(
        RawReply(
            (b"HTTP/1.1 400 x\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n" % (encoding, len(bomb)), bomb)
        )
    )
    monkeypatch.setattr("zlib.decompressobj", None)
    assert await post(raw.url, Dns([])) == Refused("HTTP 400: the receiver does not want this request")


async def test_cookies_of_a_receiver_are_not_kept(raw: RawReceiver) -> None:
    raw.replies.append(RawReply((b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n",)))
    assert isinstance(await post(raw.url, Dns([]), OWN_NETWORKS, times=2), Accepted)
    assert b"cookie" not in raw.requests[1].lower()
