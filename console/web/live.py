"""Pages that stay true while somebody looks at them: at the address of each, its parts that have changed, as events.

A part stands between two marks of its template, and has an id. The page is made again every few seconds, as whoever
looks may see it then; a session that is over, or a right that was taken away, ends it.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler

from console.web.guard import TokenCookie
from console.web.streams import ReaderGone, Stream, Streams, wants_stream
from schemas.errors import TryLater

EVERY_SECONDS = 5.0
_SHARE = 20
"""A page that is slow to make is made less often: at most this part of the time goes into it."""
_LONGEST_PAUSE = 60.0
_LONGEST_SECONDS = 900.0
"""Then its reader comes back, and is known anew."""
_TIMES_SECONDS = 30.0
"""Times such as "3 minutes ago" are sent so often where nothing else changes."""
_OK, _LATER = 200, 503
_PART = re.compile(r'<!--live-->\s*(<(?:div|section) id="(live-[a-z]+)".*?)\s*<!--/live-->', re.DOTALL)
_TIME = re.compile(r"<time[^>]*>[^<]*</time>")


class Live:
    """The live ones of the pages of a process."""

    def __init__(self, streams: Streams, cookie: TokenCookie, every: float = EVERY_SECONDS) -> None:
        self._streams, self._cookie, self._every = streams, cookie, every

    def beside(self, show: Handler, look: Handler) -> Handler:
        """The answers at an address: the page, or its stream, for which `look` makes the page."""

        async def look_again(request: web.Request) -> web.StreamResponse:
            try:
                return await look(request)
            except web.HTTPException as error:
                return web.Response(status=error.status)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await (self._follow(request, look_again) if wants_stream(request) else show(request))

        return handle

    async def _follow(self, request: web.Request, look: Handler) -> web.StreamResponse:
        first = await look(request)
        if first.status == _LATER:
            return first
        try:
            async with self._streams.open(request, self._cookie.read(request)) as (stream, response):
                with suppress(ReaderGone):
                    await _Followed(stream, request, look, self._every).run(first)
                return response
        except TryLater as error:
            return web.Response(status=_LATER, text=str(error), headers={"retry-after": "30"})


class _Followed:
    """A page, as far as its reader has it."""

    def __init__(self, stream: Stream, request: web.Request, look: Handler, every: float) -> None:
        self._stream, self._request, self._look, self._every = stream, request, look, every
        self._digest, self._parts, self._is_late = stream.last_id, dict[str, str](), False
        self._sent_at = time.monotonic() if stream.last_id else -math.inf

    async def run(self, page: web.StreamResponse) -> None:
        """Send what changes, until the page is not to be seen any more. Raises ReaderGone."""
        began, took, pause = time.monotonic(), 0.0, self._every
        while time.monotonic() < began + _LONGEST_SECONDS:
            if page.status == _OK:
                pause = max(self._every, _SHARE * took)
                await self._send(parts_of(page))
            elif page.status == _LATER:
                pause, self._is_late = min(2 * pause, _LONGEST_PAUSE), True
                await self._stream.send(event="late", data="late")
            else:
                await self._stream.send(event="over", data="over")
                return
            await self._stream.pause(pause)
            looked = time.monotonic()
            page = await self._look(self._request)
            took = time.monotonic() - looked

    async def _send(self, parts: Mapping[str, str]) -> None:
        if self._is_late:
            await self._stream.send(event="again", data="again")
        digest, self._is_late = _digest(parts), False
        is_old = time.monotonic() > self._sent_at + _TIMES_SECONDS
        if digest == self._digest and not is_old:
            await self._stream.send()
            return
        changed = {name: part for name, part in parts.items() if part != self._parts.get(name)}
        self._digest, self._parts, self._sent_at = digest, dict(parts), time.monotonic()
        await self._stream.send("\n".join(map(_partial, changed, changed.values())), identity=digest)


def parts_of(page: web.StreamResponse) -> dict[str, str]:
    """The live parts of a page, by their ids."""
    text = page.text if isinstance(page, web.Response) else None
    return {found[2]: found[1] for found in _PART.finditer(text or "")}


def _partial(name: str, part: str) -> str:
    return f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{part}</hx-partial>'


def _digest(parts: Mapping[str, str]) -> str:
    """Of what counts: not of how long ago something was."""
    text = "\0".join(_TIME.sub("", part) for part in parts.values())
    return hashlib.sha256(text.encode()).hexdigest()[:16]
