"""The base of channels over HTTP: sessions, time-outs, connections that break, replies that cannot be read.

A provider's own file says what is posted (`render`), what each attempt adds (`attempt_headers`) and what a reply means
(`receipt`); where the status alone decides, the table of `channels/http/replies.py` does.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import ClassVar, TypeVar, assert_never

import aiohttp

from channels.contract import Channel, Repeats, shortened
from channels.http.names import Names
from channels.http.replies import status_meaning
from channels.http.reply_heads import Exchange
from channels.http.retry_after import asked_seconds, window_seconds
from channels.http.ssrf import PlaceRefused, Reach
from channels.http.transport import BodyLimits, Reply, Transport
from schemas.delivery import Delivery
from schemas.receipt import (
    Accepted,
    Blocked,
    Deferred,
    Gone,
    Postponed,
    Receipt,
    Refused,
    Throttled,
    Unanswered,
    Unreached,
)
from schemas.template import StoredTemplate

_OF_THE_CONNECTION = (408, 421)
"""Said of a connection that was used before, these are about it, not about the request: some servers end one so."""
_SHORTEST_SECRET = 8
_IS_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)

D = TypeVar("D", bound=Delivery)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, the same at each attempt. What only an attempt has (its time, a secret) is added by `send`."""

    url: str
    account: str
    delivery_id: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"
    project_id: str = ""


class HttpChannel(Channel[D, HttpRequest]):
    """A transport for the whole process. A reply decides by its status; what it means its channel says."""

    own_headers: ClassVar[Mapping[str, str]] = {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "Tidings/1",
    }
    """Headers of every request; nothing else can replace them."""
    public_headers: ClassVar[frozenset[str]] = frozenset()
    """Names of headers that an attempt adds and that are no secret: replies that repeat them are shown as they are."""
    body_limits: ClassVar[BodyLimits] = BodyLimits(kept=1_048_576, read=1_048_576, seconds=5.0)

    def __init__(self, *, reach: Reach, names: Names | None = None) -> None:
        self._problem = lru_cache(maxsize=4096)(reach.problem)
        self._transport = Transport(reach, names or Names())

    def render(self, delivery: D, template: StoredTemplate | None = None) -> HttpRequest:
        """See `Channel`."""
        raise NotImplementedError

    def attempt_headers(self, request: HttpRequest, now: datetime) -> Mapping[str, str]:
        """Headers that an attempt adds: a signature with its time, the secret of its account."""
        return {}

    def repeats_of(self, request: HttpRequest) -> Repeats:
        """A repeat of one request at its receiver: here, as of every one of the channel."""
        return self.repeats

    def receipt(self, reply: Reply, now: datetime) -> Receipt:
        """The meaning of a reply: here, that of its status alone."""
        return receipt_by_status(reply, now)

    async def send(self, request: HttpRequest, *, timeout: float, now: datetime) -> Receipt:
        """See `Channel`. Redirects are not followed."""
        return self.judged(await self.ask(request, timeout=timeout, now=now), now)

    def judged(self, answer: Reply | Receipt, now: datetime) -> Receipt:
        """The receipt of what `ask` came to."""
        if not isinstance(answer, Reply):
            return answer
        try:
            return self.receipt(answer, now)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return not_understood(answer, now, error)

    async def ask(self, request: HttpRequest, *, timeout: float, now: datetime) -> Reply | Receipt:
        """The reply, or what becomes of a request that got none. The status decides, whatever comes after it.

        A receiver may close a connection at rest just as the next request leaves: that one is asked again at once
        on a connection of its own, where the receiver knows a message by its key in case it had it all the same.
        """
        added = self.attempt_headers(request, now)
        for name, value in added.items():
            if not (value.isascii() and value.isprintable()):  # a secret that was copied with its line end, mostly
                return Blocked(f"the header {name} cannot be written: a secret of the account is not printable ASCII")
        headers, exchange = {**request.headers, **added, **self.own_headers}, Exchange()
        try:
            self._check(request.url)
            async with asyncio.timeout(timeout):
                reply = await self._ask(request, headers, exchange)
                if reply is None:
                    exchange = Exchange()
                    reply = await self._ask(request, headers, exchange, fresh=True)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _unread(exchange) or unanswered(error, timeout, is_connected=exchange.connected)
        if reply is None:
            return Unanswered("connection lost")
        secrets = [value for name, value in added.items() if name not in self.public_headers]
        body = without(secrets, reply.body)
        return reply if body == reply.body else replace(reply, body=body)

    async def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    async def _ask(
        self, request: HttpRequest, headers: Mapping[str, str], exchange: Exchange, *, fresh: bool = False
    ) -> Reply | None:
        """None where the receiver had closed the connection before it saw the request."""
        try:
            reply = await self._transport.request(
                request.method, request.url, headers, request.body, exchange, self.body_limits, fresh=fresh
            )
        except _IS_LOST:
            if self.repeats_of(request) != "none" and exchange.on_used_connection and not exchange.answered:
                return None
            raise
        return None if exchange.on_used_connection and reply.status in _OF_THE_CONNECTION else reply

    def _check(self, url: str) -> None:
        problem = self._problem(url)
        if problem is not None:
            raise PlaceRefused(problem)


def without(secrets: Iterable[str], body: bytes) -> bytes:
    """A body without what the request proved itself by: some providers repeat a key that they do not accept."""
    for secret in (part for header in secrets for part in _parts(header)):
        if len(secret) >= _SHORTEST_SECRET:
            body = body.replace(secret.encode(), b"[secret]")
    return body


def _parts(header: str) -> list[str]:
    """The secrets of a header: its words, and what HTTP Basic makes one word of (RFC 7617)."""
    scheme, _, credentials = header.partition(" ")
    if scheme != "Basic":
        return header.split()
    return [credentials, *base64.b64decode(credentials).decode().split(":")]


def _unread(exchange: Exchange) -> Reply | None:
    """A reply that could not be read to its end, where at least its status was."""
    if exchange.status is None:
        return None
    return Reply(exchange.status, exchange.waits)


def unanswered(error: Exception, timeout: float, *, is_connected: bool) -> Receipt:
    """The receipt where no status came back."""
    if isinstance(error, PlaceRefused):
        return Refused(shortened(str(error)))
    if isinstance(error, ssl.SSLCertVerificationError):  # a ValueError as well; it may be renewed in time
        return Unreached(
            shortened(f"cannot connect: the receiver's certificate is not trusted: {error.verify_message or error}")
        )
    if isinstance(error, ValueError):
        return Refused(f"the request cannot be written: {type(error).__name__}")
    if not is_connected and isinstance(error, OSError) and error.args:  # a time-out of ours has none
        return Unreached(shortened(f"cannot connect: {error.strerror or error}"))
    outcome = Unanswered if is_connected else Unreached
    if isinstance(error, TimeoutError):
        return outcome(f"no {'answer' if is_connected else 'connection'} within {timeout:g} s")
    return outcome(shortened(f"connection lost: {type(error).__name__}"))


def not_understood(reply: Reply, now: datetime, error: Exception) -> Receipt:
    """A body that is not as documented: an error is known by its status, a success is not proved by it."""
    receipt = receipt_by_status(reply, now)
    if isinstance(receipt, Accepted):
        return Unanswered(f"HTTP {reply.status} with a body that cannot be read: {type(error).__name__}")
    return receipt


def receipt_by_status(reply: Reply, now: datetime) -> Receipt:
    """The receipt that the table has for a status. The words of a reply are shown where it refuses the request."""
    detail, meaning = f"HTTP {reply.status}", status_meaning(reply.status)
    match meaning.meaning:
        case "accepted":
            spent = window_seconds(reply.headers, now)
            return Accepted(detail, retry_after=spent) if spent else _accepted(reply.status)
        case "later":
            kind = Postponed if 400 <= reply.status < 500 else Deferred
            return kind(detail, asked_seconds(reply.headers, now, is_throttled=False))
        case "throttled":
            return Throttled(detail, asked_seconds(reply.headers, now, is_throttled=True))
        case "blocked":
            return Blocked(f"{detail}: {meaning.why}")
        case "gone":
            return Gone(f"{detail}: {meaning.why}")
        case "refused":
            words = reply.body.decode(errors="replace") if 400 <= reply.status < 500 else meaning.why
            return Refused(shortened(f"{detail}: {words or meaning.why}"))
        case _:
            assert_never(meaning.meaning)


@lru_cache(maxsize=100)
def _accepted(status: int) -> Accepted:
    return Accepted(f"HTTP {status}")
