"""Pictures of codes, drawn beside the event loop and kept while they are asked for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from cachetools import LRUCache

from channels.codes.images import CodeKind, ImageFormat, code_image

KEPT_BYTES = 32 * 1024 * 1024
"""Bytes that the kept pictures of one process may take: some ten thousand usual ones."""

_ENTRY_BYTES = 1024
"""Bytes of an entry beside its picture, rounded up."""

Key = tuple[str, CodeKind, ImageFormat]
Draw = Callable[[str, CodeKind, ImageFormat], bytes]


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes and what names them in an ETag, without quotes."""

    body: bytes = field(repr=False)
    tag: str


class Pictures:
    """The pictures that were asked for last, up to `limit` bytes. For one event loop."""

    def __init__(self, limit: int = KEPT_BYTES, draw: Draw = code_image) -> None:
        self._draw = draw
        self._kept: LRUCache[Key, Picture] = LRUCache(limit, _size)
        self._drawing = asyncio.Lock()

    async def get(self, code: str, kind: CodeKind, image_format: ImageFormat) -> Picture:
        """The picture. One is drawn at a time, so that the loop goes on answering and none is drawn twice.

        Raises RenderRefused for a code that has no picture.
        """
        key = (code, kind, image_format)
        if (known := self._kept.get(key)) is not None:
            return known
        async with self._drawing:
            if (known := self._kept.get(key)) is not None:
                return known
            body = await asyncio.to_thread(self._draw, *key)
            picture = Picture(body, hashlib.sha256(body).hexdigest()[:32])
            with suppress(ValueError):  # it is larger than all that may be kept
                self._kept[key] = picture
            return picture

    @property
    def kept_bytes(self) -> int:
        """Bytes that the kept pictures take."""
        return int(self._kept.currsize)


def _size(picture: Picture) -> int:
    return len(picture.body) + _ENTRY_BYTES
