"""A webhook receiver on loopback that verifies both signatures and remembers what it got."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import math
import time
from collections import Counter, deque
from dataclasses import dataclass

from aiohttp import web

from channels.fakes.limit import Limit
from channels.webhook.signing import PREFIX


@dataclass(frozen=True, slots=True)
class Reply:
    """How to answer: a status after a delay in seconds; `drop` closes the connection instead."""

    status: int = 200
    delay: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One accepted request. `at` is in Unix seconds."""

    id: str
    body: bytes
    at: float


class WebhookReceiver:
    """`await start()`, then `url`. `replies` is used up first, then `usually` answers.

    Beyond `limit` it answers 429, and with `says_when` how long that holds.
    """

    def __init__(self, secret: str, legacy_secret: str = "") -> None:
        self._key = base64.b64decode(secret.removeprefix(PREFIX))
        self._legacy = legacy_secret.encode()
        self.usually = Reply()
        self.replies: deque[Reply] = deque()
        self.received: list[Received] = []
        self.tried: Counter[str] = Counter()
        self.unverified = 0
        self.limit: Limit | None = None
        self.says_when = False
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}/hook"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes a free one."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.add_routes([web.post("/{path:.*}", self._take)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        message_id = request.headers.get("webhook-id", "")
        self.tried[message_id] += 1
        if not self._verified(request, message_id, body):
            self.unverified += 1
            return web.Response(status=401)
        if self.limit is not None and not self.limit.takes():
            when = {"retry-after": str(math.ceil(self.limit.free_in))} if self.says_when else {}
            return web.Response(status=429, headers=when)
        reply = self.replies.popleft() if self.replies else self.usually
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.drop and request.transport is not None:
            request.transport.close()
        elif 200 <= reply.status < 300:
            self.received.append(Received(message_id, body, time.time()))
        return web.Response(status=reply.status, headers=dict(reply.headers))

    def _verified(self, request: web.Request, message_id: str, body: bytes) -> bool:
        signed = f"{message_id}.{request.headers.get('webhook-timestamp', '')}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        legacy = hmac.new(self._legacy, body, hashlib.sha256).hexdigest() if self._legacy else ""
        same_legacy = hmac.compare_digest(legacy, request.headers.get("x-voucherify-signature", ""))
        return same_legacy and any(hmac.compare_digest(expected, one) for one in given)
