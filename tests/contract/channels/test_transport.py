"""Connections to receivers: used again, closed in time, and dialled where the first address does not answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import psutil
import pytest
import trustme

from channels.fakes.raw import OK, RawReceiver, RawReply
from channels.http.names import Names
from channels.http.reply_heads import Connection, Exchange
from channels.http.ssrf import Reach
from channels.http.transport import BodyLimits, Reply, Transport

HOST = "hooks.example.com"
LOOPBACK = Reach(networks=(ip_network("127.0.0.0/8"),))
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
LONG = 60.0


@pytest.fixture
async def raw() -> AsyncIterator[RawReceiver]:
    made = RawReceiver()
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def opened(*addresses: str) -> AsyncIterator[Transport]:
    made = Transport(LOOPBACK, Names(lambda _: list(addresses or ("127.0.0.1",))))
    yield made
    made.close()


async def post(transport: Transport, url: str, body: bytes = b"x", *, fresh: bool = False) -> Reply:
    limits = BodyLimits(kept=10)
    return await transport.request("POST", url, {}, body, Exchange(), limits, fresh=fresh)


def resting(transport: Transport) -> list[Connection]:
    return [connection for connections in transport._at_rest.values() for connection, _ in connections]


def connections_to(raw: RawReceiver) -> list[object]:
    return [one for one in psutil.Process().net_connections("tcp4") if one.raddr and one.raddr.port == raw.port]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not condition():
            await asyncio.sleep(0.01)


async def test_connections_are_used_again_and_as_many_are_opened_as_are_needed_at_once(raw: RawReceiver) -> None:
    async with opened() as transport:
        for _ in range(3):
            replies = await asyncio.gather(*(post(transport, raw.url) for _ in range(5)))
        assert {(one.status, one.body, one.is_whole) for one in replies} == {(200, b"ok", True)}
        assert (raw.connections, len(raw.requests)) == (5, 15)


async def test_a_fresh_connection_is_its_own_and_says_that_it_ends(raw: RawReceiver) -> None:
    async with opened() as transport:
        for fresh in (False, True, False):
            await post(transport, raw.url, fresh=fresh)
    assert raw.connections == 2
    assert [b"connection: close" in one for one in raw.requests] == [False, True, False]


async def test_hosts_and_ports_do_not_share_connections(raw: RawReceiver) -> None:
    async with opened() as transport:
        for host in ("127.0.0.1", HOST, "other.example"):
            await post(transport, raw.url.replace("127.0.0.1", host))
    assert raw.connections == 3


@pytest.mark.parametrize(
    "reply",
    [
        RawReply((b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",)),
        RawReply((b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",)),
        RawReply((b"HTTP/1.1 413 too large\r\ncontent-length: 2\r\n\r\nok",)),
        RawReply((HEAD + b"ok", HEAD + b"no")),
        RawReply((HEAD + b"ok", b" and more")),
        RawReply((b"HTTP/1.1 101 x\r\nupgrade: y\r\nconnection: upgrade\r\n\r\nno",)),
    ],
    ids=[
        "close",
        "HTTP/1.0",
        "a body that was not read",
        "a reply that nobody asked for",
        "more than was announced",
        "another protocol",
    ],
)
async def test_a_connection_that_is_not_clean_is_not_used_again(raw: RawReceiver, reply: RawReply) -> None:
    raw.replies += [reply, OK]
    async with opened() as transport:
        await post(transport, raw.url)
        await until(lambda: not any(one.is_connected() and not one.should_close for one in resting(transport)))
        assert (await post(transport, raw.url)).body == b"ok"
    assert raw.connections == 2


async def test_a_connection_whose_request_was_not_read_to_its_end_is_not_used_again_and_ends(
    raw: RawReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.http.reply_heads._UNREAD_SECONDS", 0.05)
    raw.reads_bodies = False
    raw.replies.append(RawReply((b"HTTP/1.1 413 too large\r\ncontent-length: 0\r\n\r\n",), stays=LONG))
    async with opened() as transport:
        reply = await asyncio.wait_for(post(transport, raw.url, b"x" * 32_000_000), LONG)
        assert (reply.status, resting(transport)) == (413, [])
        await until(lambda: not connections_to(raw))
        raw.reads_bodies = True
        assert (await post(transport, raw.url)).status == 200
    assert raw.connections == 2


async def test_what_rests_for_long_is_closed(raw: RawReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.http.transport._AT_REST_SECONDS", 0.05)
    async with opened() as transport:
        await asyncio.gather(*(post(transport, raw.url) for _ in range(3)))
        await until(lambda: not raw._writers)
        assert (await post(transport, raw.url)).status == 200
    await until(lambda: not raw._writers)
    assert raw.connections == 4


async def test_where_one_address_does_not_take_us_the_next_one_is_dialled(raw: RawReceiver) -> None:
    async with opened("127.0.0.9", "127.0.0.1") as transport:
        assert (await post(transport, raw.url.replace("127.0.0.1", HOST))).status == 200


async def test_nobody_at_any_address_is_an_error_of_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with opened("127.0.0.9", "127.0.0.1") as transport:
        exchange = Exchange()
        with pytest.raises(OSError):
            await transport.request("POST", f"http://{HOST}:{port}", {}, b"", exchange, BodyLimits(10), fresh=False)
    assert not exchange.connected


async def test_a_large_body_goes_through_tls_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    authority, context, read = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[int]()
    authority.issue_cert(HOST).configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr("channels.http.transport.tls_context", lambda: trusting)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            read.append(len(await reader.readexactly(1_000_000)))
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server, opened() as transport:
        url = f"https://{HOST}:{server.sockets[0].getsockname()[1]}/"
        replies = [await post(transport, url, b"x" * 1_000_000) for _ in range(2)]
    assert [one.body for one in replies] == [b"ok", b"ok"]
    assert read == [1_000_000] * 2
