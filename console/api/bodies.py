"""Bodies as they come: within limits of size and time, so that whoever sends slowly costs nobody anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web

from console.api.problems import refused

BODY_SECONDS = 10.0
MOST_AT_ONCE = 64
"""Bodies that are read or worked on in one process."""
JSON = ("application/json", "application/octet-stream")
"""The types of a body; the second is what the library says where the header is missing."""
CSV = ("text/csv",)


class Bodies:
    """The bodies of a process."""

    def __init__(self, most_at_once: int = MOST_AT_ONCE, seconds: float = BODY_SECONDS) -> None:
        self._free, self._seconds = most_at_once, seconds

    async def read(self, request: web.Request, most: int, types: Sequence[str] = JSON) -> bytes:
        """A body whole. Raises Refused."""
        _check_head(request, most, types)
        if self._free <= 0:
            raise refused("later", "too many bodies at once", retry_after="1")
        self._free -= 1
        try:
            async with asyncio.timeout(self._seconds):
                return await _whole(request, most)
        except TimeoutError:
            raise refused("too_slow", f"the body must come within {self._seconds:g} s") from None
        finally:
            self._free += 1


async def _whole(request: web.Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _check_head(request: web.Request, most: int, types: Sequence[str]) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise refused("unsupported", "content-encoding must be left out")
    if request.content_type not in types:
        raise refused("unsupported", f"content-type must be {types[0]}", accept=types[0])
    if (request.content_length or 0) > most:
        raise _too_large(most)


def _too_large(most: int) -> Exception:
    return refused("too_large", f"a body has at most {most:,} bytes")
