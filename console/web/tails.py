"""`/p/<project>/topics/follow`: records of a topic as they come, as events; each has rows of the table of records."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from agents.wiring import Wiring
from console.control.topic_records import TopicRecord, Wanted, since
from console.control.topic_tails import Follower, TopicTails, places_as_text, places_in
from console.web.guard import TokenCookie
from console.web.streams import ReaderGone, Stream, Streams
from schemas.errors import TidingsError

_WAIT_SECONDS, _REST_SECONDS = 1.0, 0.3
_LIFE_SECONDS, _KNOWN_SECONDS, _LONGEST_SECONDS = 5.0, 15.0, 900.0
"""How often a sign of life is sent, and whoever reads is known anew; and when they have to come back."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to follow records behind some places, each batch of them shown as rows."""

    project_id: str
    wanted: Wanted
    places: Mapping[int, int]
    rows: Callable[[Sequence[TopicRecord]], str]


class Permitted(web.Response):
    """The answer to whoever may follow; others get another one."""

    def __init__(self, permit: Permit) -> None:
        super().__init__()
        self.permit = permit


class Tails:
    """The topics that are followed on pages of a process."""

    def __init__(self, wiring: Wiring, streams: Streams, cookie: TokenCookie) -> None:
        self._wiring, self._streams, self._cookie = wiring, streams, cookie
        self.topics = TopicTails(wiring)

    def handler(self, look: Handler) -> Handler:
        """The answer at the address of a route whose page is a permit."""

        async def handle(request: web.Request) -> web.StreamResponse:
            found = await look(request)
            return await self._follow(request, look, found.permit) if isinstance(found, Permitted) else found

        return handle

    async def _follow(self, request: web.Request, look: Handler, permit: Permit) -> web.StreamResponse:
        response: web.StreamResponse | None = None
        try:
            async with (
                self.topics.follow(permit.project_id, permit.wanted) as follower,
                self._streams.open(request, self._cookie.read(request)) as (stream, response),
            ):
                with suppress(ReaderGone):
                    places = await self._catch_up(stream, permit)
                    await _Tail(stream, permit, follower, places).run(request, look)
        except TidingsError as error:
            if response is None:
                return web.Response(status=503, text=str(error), headers={"retry-after": "30"})
        return response or web.Response(status=503)

    async def _catch_up(self, stream: Stream, permit: Permit) -> dict[int, int]:
        """Send what came before it was followed, and return the place of what comes then."""
        places = places_in(stream.last_id) or permit.places
        if not places:
            return {}
        found, newer, skipped = await since(self._wiring, permit.project_id, permit.wanted, places)
        await _send(stream, permit, found, skipped, newer)
        return newer


class _Tail:
    """Somebody who follows, and what they have."""

    def __init__(self, stream: Stream, permit: Permit, follower: Follower, places: dict[int, int]) -> None:
        self._stream, self._permit, self._follower, self._places = stream, permit, follower, places

    async def run(self, request: web.Request, look: Handler) -> None:
        """Send what comes, until it is not to be followed any more. Raises ReaderGone, TidingsError."""
        began = known_at = sent_at = time.monotonic()
        while (now := time.monotonic()) < began + _LONGEST_SECONDS:
            if now > known_at + _KNOWN_SECONDS:
                if not await _is_permitted(request, look):
                    await self._stream.send(event="over", data="over")
                    return
                known_at = now
            found, skipped = await self._follower.take(_WAIT_SECONDS)
            fresh = [one for one in found if one.offset >= self._places.get(one.partition, 0)]
            for one in fresh:
                self._places[one.partition] = one.offset + 1
            if fresh or skipped:
                await _send(self._stream, self._permit, fresh, skipped, self._places)
                sent_at = now
            elif now > sent_at + _LIFE_SECONDS:
                await self._stream.send()
                sent_at = now
            await self._stream.pause(_REST_SECONDS)


async def _is_permitted(request: web.Request, look: Handler) -> bool:
    try:
        found = await look(request)
    except web.HTTPException:
        return False
    return isinstance(found, Permitted) or found.status == 503


async def _send(
    stream: Stream, permit: Permit, found: Sequence[TopicRecord], skipped: int, places: Mapping[int, int]
) -> None:
    if skipped:
        await stream.send(str(skipped), event="skipped")
    if found:
        await stream.send(permit.rows(found), identity=places_as_text(places))
