"""The base of fakes over HTTP: a server on loopback that remembers what it took and misbehaves on request."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from channels.fakes.limit import Limit


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a status after a delay in seconds; `drop` closes the connection instead.

    `is_lost`: the connection is closed as well, and what was asked is done.
    """

    status: int = 200
    delay: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    drop: bool = False
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One accepted request. `at` is in Unix seconds."""

    id: str
    body: bytes
    at: float


class HttpFake:
    """`await start()`, then `url`. `replies` is used up first, then `usually` answers.

    Beyond `limit` it answers 429, and with `says_when` how long that holds. `tried` counts every request by the
    delivery that it is about, `unverified` those that a provider would not let in.
    """

    path = "/"

    def __init__(self) -> None:
        self.usually = Reply()
        self.replies: deque[Reply] = deque()
        self.received: list[Received] = []
        self.tried: Counter[str] = Counter()
        self.unverified = 0
        self.limit: Limit | None = None
        self.says_when = False
        self._runner: web.AppRunner | None = None
        self._port = 0

    def message_id(self, request: web.Request, body: bytes) -> str:
        """The delivery that a request is about, from where its provider would look for a key."""
        raise NotImplementedError

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """The status by which a provider would turn a request away: who asks, or what is asked, is not right."""
        return None

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """An answer that takes a request, as its provider words it, and the deliveries that were taken."""
        return reply, [self.message_id(request, body)]

    def beside(self, request: web.Request) -> Reply | None:
        """The answer to a call that is about no delivery, for which neither `replies` nor `usually` are meant."""
        return None

    @property
    def port(self) -> int:
        """The port of loopback that it listens at."""
        return self._port

    @property
    def url(self) -> str:
        """The address that is posted to."""
        return f"http://127.0.0.1:{self._port}{self.path}"

    @property
    def by_key(self) -> dict[str, bytes]:
        """The messages of a provider that knows one again: the first under each key."""
        return {one.id: one.body for one in reversed(self.received)}

    @property
    def ids(self) -> list[str]:
        """The deliveries that were taken, one entry each time."""
        return [one.id for one in self.received]

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes a free one."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.add_routes([web.route("*", "/{path:.*}", self._take)])
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
        message_id = self.message_id(request, body)
        self.tried[message_id] += 1
        refused = self.refusal(request, body)
        if refused is not None:
            self.unverified += 1
            return web.Response(status=refused)
        if self.limit is not None and not self.limit.takes():
            when = {"retry-after": str(math.ceil(self.limit.free_in))} if self.says_when else {}
            return web.Response(status=429, headers=when)
        aside = self.beside(request)
        if aside is not None:
            return _response(aside)
        reply = self.replies.popleft() if self.replies else self.usually
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.drop and request.transport is not None:
            request.transport.close()
        elif 200 <= reply.status < 300:
            ordered = reply
            reply, taken = self.answered(request, body, ordered)
            self.received += [Received(one, body, time.time()) for one in taken]
            if (ordered.is_lost or reply.is_lost) and request.transport is not None:
                request.transport.close()
        return _response(reply)


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body or None)
