"""Requests over HTTP/1.1 on connections of our own, read by aiohttp's parser.

aiohttp's client does more than a post needs (cookies, redirects, proxies, tracing), and that was more than half of the
CPU of an attempt. And the guard has one way less to be gone round: the addresses that were checked are those dialled.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import aiohappyeyeballs
from aiohttp import ClientError, ClientPayloadError, StreamReader
from aiohttp.http import HttpProcessingError, RawResponseMessage
from yarl import URL

from channels.http.ip_ranges import ip_of
from channels.http.names import Names
from channels.http.reply_heads import Connection, Exchange
from channels.http.ssrf import Reach, Target, target_of

_AT_REST_SECONDS = 15.0
"""A connection that was not used for longer is closed: most receivers close theirs after a minute at most."""
_NEXT_ADDRESS_AFTER = 0.25
"""Seconds after which the next address of a name is tried as well (RFC 8305)."""
_AS_WRITTEN = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+")
"""Source: RFC 3986, 3.3 and 3.4."""
_SWITCHING, _TOO_LARGE = 101, 413
"""Who says 413 has mostly not read the body, and would take the rest of it for the next request."""

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply whose status was read. `headers` have names in any case; `body` is its beginning, and may be missing.

    `is_whole`: whether the body came to its end within what the channel reads of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Of a reply's body: the bytes that are kept, those that are read so that the connection can be used again, and
    for how many seconds.
    """

    kept: int
    read: int = 65_536
    seconds: float = 0.5


class Transport:
    """Connections by scheme, host and port, for one event loop. Whoever calls bounds how many are in use."""

    def __init__(self, reach: Reach, names: Names) -> None:
        self._reach, self._names = reach, names
        self._at_rest: dict[Target, list[tuple[Connection, float]]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        exchange: Exchange,
        limits: BodyLimits,
        *,
        fresh: bool,
    ) -> Reply:
        """The reply, of whose body no trouble changes the status; `fresh`: on a connection that was not used before.

        Raises PlaceRefused; ValueError for headers that cannot be written; OSError and aiohttp's ClientError.
        """
        target = target_of(url)
        data = request_bytes(method, url, {**headers, "connection": "close"} if fresh else headers, body)
        connection = None if fresh else self._take(target)
        if connection is None:
            connection = await self._dial(target)
        exchange.on_connection(connection)
        try:
            message, payload = await _head(connection, data)
            beginning, is_whole = await _beginning(payload, limits)
        except BaseException:
            connection.abort()
            raise
        is_read = connection.is_written and message.code != _TOO_LARGE
        if payload.is_eof() and not connection.should_close and not fresh and is_read:
            self._keep(target, connection)
        else:
            connection.leave()
        if "content-encoding" in message.headers:
            return Reply(message.code, message.headers)
        return Reply(message.code, message.headers, beginning, is_whole)

    def close(self) -> None:
        """Close what is at rest."""
        if self._sweep is not None:
            self._sweep.cancel()
        at_rest, self._at_rest = self._at_rest, {}
        for connections in at_rest.values():
            for connection, _ in connections:
                connection.close()

    def _take(self, target: Target) -> Connection | None:
        """The connection that was used last: those that rest for longer may have been closed by now."""
        at_rest = self._at_rest.get(target, [])
        while at_rest:
            connection, _ = at_rest.pop()
            if connection.is_connected() and not connection.should_close:
                return connection
            connection.close()
        return None

    def _keep(self, target: Target, connection: Connection) -> None:
        self._at_rest.setdefault(target, []).append((connection, time.monotonic()))
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_AT_REST_SECONDS, self._close_rested)

    def _close_rested(self) -> None:
        since, self._sweep = time.monotonic() - _AT_REST_SECONDS, None
        for target, connections in list(self._at_rest.items()):
            for connection, at in connections:
                if at <= since:
                    connection.close()
            self._at_rest[target] = [one for one in connections if one[1] > since]
            if not self._at_rest[target]:
                del self._at_rest[target]
        if self._at_rest:
            self._sweep = asyncio.get_running_loop().call_later(_AT_REST_SECONDS, self._close_rested)

    async def _dial(self, target: Target) -> Connection:
        """A connection to an address that was checked; the name stays in TLS. Raises PlaceRefused, OSError."""
        ip = ip_of(target.host)
        found = [str(ip)] if ip else await self._names.addresses(target.host)
        admitted = self._reach.admitted(target, found)
        infos = [_info(address, target.port) for address in found if address in admitted]
        dialled = await aiohappyeyeballs.start_connection(infos, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER, interleave=1)
        loop, secure = asyncio.get_running_loop(), target.scheme == "https"
        try:
            context = await asyncio.to_thread(tls_context) if secure else None  # reads files, the first time
            _, connection = await loop.create_connection(
                lambda: Connection(loop),
                sock=dialled,
                ssl=context,
                server_hostname=target.host if secure else None,
            )
        except BaseException:
            dialled.close()
            raise
        return connection


async def _head(connection: Connection, data: bytes) -> tuple[RawResponseMessage, StreamReader]:
    """The final head, past interim ones."""
    connection.ask(data)
    while True:
        try:
            message, payload = await connection.read()
        except HttpProcessingError as error:
            raise ClientPayloadError(str(error)) from error
        if not 100 <= message.code < 200 or message.code == _SWITCHING:
            return message, payload


async def _beginning(payload: StreamReader, limits: BodyLimits) -> tuple[bytes, bool]:
    """The first bytes of a body, as they came, and whether they are all. No trouble with them changes the status."""
    if payload.is_eof() and payload.exception() is None:
        body = payload.read_nowait()
        return body[: limits.kept], len(body) <= min(limits.kept, limits.read)
    beginning, read = b"", 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in payload.iter_any():
                beginning += chunk[: limits.kept - len(beginning)]
                read += len(chunk)
                if read > limits.read:
                    return beginning, False
    except (ClientError, OSError, TimeoutError, ValueError):
        return beginning, False
    return beginning, read <= limits.kept


def request_bytes(method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it goes over the wire. Raises ValueError for a header that would be more than one line."""
    path, host = _path_and_host(url)
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"content-length: {len(body)}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise ValueError("a header holds a line end")
    return head.encode() + b"\r\n\r\n" + body


@lru_cache(maxsize=4096)
def _path_and_host(url: str) -> tuple[str, str]:
    """As it is written where that can stand in a request: some addresses are signed to the letter."""
    read, written = URL(url), URL(url, encoded=True)
    is_same = (read.path, read.query) == (written.path, written.query)
    path = written.raw_path_qs if is_same and _AS_WRITTEN.fullmatch(written.raw_path_qs) else read.raw_path_qs
    return path, read.host_port_subcomponent or ""


def _info(address: str, port: int) -> AddressInfo:
    host, _, zone = address.partition("%")
    if ":" not in host:
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    scope = socket.if_nametoindex(zone) if zone else 0
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, scope))


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Certificates that the system trusts, and HTTP/1.1 alone."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
