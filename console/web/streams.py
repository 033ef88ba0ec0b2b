"""Answers that stay open, as server-sent events: so many at once, for readers that read, until the process stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from schemas.errors import TryLater

MOST = 200
MOST_OF_ONE = 4
"""Of one session, whose hidden pages have none: over HTTP/1.1 a browser has six connections to a server, and a page
that is opened beside six streams would wait for ever."""
_WRITE_SECONDS = 10.0
"""A reader that takes nothing for so long has lost it."""
_KIND = "text/event-stream"
_HEADERS = {"content-type": f"{_KIND}; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no"}


class ReaderGone(Exception):
    """Nobody reads it any more, or the process stops."""


class Stream:
    """An answer that is open."""

    def __init__(self, request: web.Request, response: web.StreamResponse, stopping: asyncio.Event) -> None:
        self._request, self._response, self._stopping = request, response, stopping

    @property
    def last_id(self) -> str:
        """The id of the last event that its reader had, where it comes back."""
        return self._request.headers.get("last-event-id", "")

    async def send(self, data: str = "", *, event: str = "", identity: str = "") -> None:
        """An event; one without anything is a sign of life. Raises ReaderGone."""
        lines = [f"{name}: {value}" for name, value in (("event", event), ("id", identity)) if value]
        lines += [f"data: {line}" for line in data.splitlines()]
        await self._write("\n".join(lines or [":"]) + "\n\n")

    async def pause(self, seconds: float) -> None:
        """Wait. Raises ReaderGone."""
        self._check()
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
        self._check()

    async def _write(self, text: str) -> None:
        self._check()
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._response.write(text.encode())
        except (TimeoutError, ConnectionError) as error:
            raise ReaderGone from error

    def _check(self) -> None:
        transport = self._request.transport
        if self._stopping.is_set() or transport is None or transport.is_closing():
            raise ReaderGone


class Streams:
    """All of a process."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._open = Counter[str]()
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def open(self, request: web.Request, whose: str) -> AsyncIterator[tuple[Stream, web.StreamResponse]]:
        """One of a session, and the answer that it is; ends in order where its reader goes.

        Raises TryLater where too many are open.
        """
        if self._open.total() >= self._most or self._open[whose] >= self._most_of_one:
            raise TryLater("so many pages are live that this one is not")
        self._open[whose] += 1
        try:
            response = web.StreamResponse(headers=_HEADERS)
            await response.prepare(request)
            yield Stream(request, response, self._stopping), response
        finally:
            self._open[whose] -= 1
            self._open += Counter()  # forgets who has none

    async def stop(self, _: web.Application) -> None:
        """End all."""
        self._stopping.set()


def wants_stream(request: web.Request) -> bool:
    """True of a request for events in place of a page."""
    return _KIND in request.headers.get("accept", "")
