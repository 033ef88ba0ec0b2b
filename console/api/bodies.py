"""Bodies as they come: within limits of size and time, so that whoever sends slowly costs nobody anything."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO

from aiohttp import web

from console.api.problems import refused
from console.control.imports import Upload
from store.imports import ImportForm

BODY_SECONDS = 10.0
MOST_AT_ONCE = 64
"""Bodies that are read or worked on in one process."""
JSON = ("application/json", "application/octet-stream")
"""The types of a body; the second is what the library says where the header is missing."""
CSV = "text/csv"
NDJSON = "application/x-ndjson"
LARGE_SECONDS = 600.0
MOST_LARGE = 8
"""Large bodies that come in at once in one process: each is a file on its disk."""
_PART_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Received:
    """A large body, and the digest of what is in it."""

    upload: Upload
    digest: bytes


class Bodies:
    """The bodies of a process."""

    def __init__(self, most_at_once: int = MOST_AT_ONCE, seconds: float = BODY_SECONDS) -> None:
        self._free, self._seconds = most_at_once, seconds
        self._receiving = 0

    async def read(self, request: web.Request, most: int) -> bytes:
        """A body of JSON, whole. Raises Refused."""
        _check_head(request, most, JSON)
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

    async def receive(self, request: web.Request, most: int, types: Sequence[str]) -> Received:
        """A body into a file that has no name, so that it may be large, and come slowly. Raises Refused.

        Whoever asked closes it.
        """
        _check_head(request, most, types)
        if self._receiving >= MOST_LARGE:
            raise refused("later", "too many files at once", retry_after="5")
        self._receiving += 1
        file = TemporaryFile()  # noqa: SIM115
        try:
            async with asyncio.timeout(LARGE_SECONDS):
                return await _received(request, most, file)
        except BaseException as error:
            file.close()
            if isinstance(error, TimeoutError):
                raise refused("too_slow", f"the file must come within {LARGE_SECONDS:g} s") from None
            raise
        finally:
            self._receiving -= 1


async def _received(request: web.Request, most: int, file: BinaryIO) -> Received:
    digest, size = hashlib.sha256(), 0
    async for chunk in request.content.iter_chunked(_PART_BYTES):
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        digest.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    form: ImportForm = "ndjson" if request.content_type == NDJSON else "csv"
    return Received(Upload(file, size, form), digest.digest())


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
        allowed = [one for one in types if one != JSON[1]]
        raise refused("unsupported", f"content-type must be {' or '.join(allowed)}", accept=", ".join(allowed))
    if (request.content_length or 0) > most:
        raise _too_large(most)


def _too_large(most: int) -> Exception:
    return refused("too_large", f"a body has at most {most:,} bytes")
