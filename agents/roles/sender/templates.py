"""Templates that messages are made of, remembered by content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
from cachetools import LRUCache

from schemas.template import StoredTemplate

_MOST_BYTES = 64 * 2**20
"""Bytes of templates that are remembered. Each edit makes another digest and a sender may run for months, so that with
none forgotten it would hold every version there ever was. Bytes, not a number: one may be large, in many locales."""


class TemplateCache:
    """By content, so what is known once never changes; the least recently used gives way.

    `load` asks the store and raises TryLater while it is away.
    """

    def __init__(
        self, load: Callable[[str], Awaitable[StoredTemplate | None]], *, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._load = load
        self._known: LRUCache[str, StoredTemplate] = LRUCache(most_bytes, _size)

    async def get(self, digest: str) -> StoredTemplate | None:
        """The template; None where the store does not have it, which is asked anew each time. Raises TryLater."""
        known = self._known.get(digest)
        if known is not None:
            return known
        template = await self._load(digest)
        if template is not None:
            with suppress(ValueError):  # it is larger than all that may be kept
                self._known[digest] = template
        return template


def _size(template: StoredTemplate) -> int:
    return len(msgspec.json.encode(template))
