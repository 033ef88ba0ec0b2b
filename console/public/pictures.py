"""Pictures of codes, drawn beside the event loop and kept while they are asked for."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

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
        self._limit, self._draw = limit, draw
        self._kept: OrderedDict[Key, Picture] = OrderedDict()
        self._bytes = 0
        self._drawing = asyncio.Lock()

    async def get(self, code: str, kind: CodeKind, image_format: ImageFormat) -> Picture:
        """The picture. One is drawn at a time, so that the loop goes on answering and none is drawn twice.

        Raises RenderRefused for a code that has no picture.
        """
        key = (code, kind, image_format)
        if (known := self._known(key)) is not None:
            return known
        async with self._drawing:
            if (known := self._known(key)) is not None:
                return known
            body = await asyncio.to_thread(self._draw, *key)
            return self._keep(key, Picture(body, hashlib.sha256(body).hexdigest()[:32]))

    @property
    def kept_bytes(self) -> int:
        """Bytes that the kept pictures take."""
        return self._bytes

    def _known(self, key: Key) -> Picture | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _keep(self, key: Key, picture: Picture) -> Picture:
        self._kept[key] = picture
        self._bytes += _size(picture)
        while self._bytes > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)
        return picture


def _size(picture: Picture) -> int:
    return len(picture.body) + _ENTRY_BYTES
