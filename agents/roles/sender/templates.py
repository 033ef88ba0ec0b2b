"""Templates that messages are made of, remembered by content."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec

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
        self._load, self._most_bytes = load, most_bytes
        self._known: OrderedDict[str, tuple[StoredTemplate, int]] = OrderedDict()
        self._bytes = 0

    async def get(self, digest: str) -> StoredTemplate | None:
        """The template; None where the store does not have it, which is asked anew each time. Raises TryLater."""
        if digest in self._known:
            self._known.move_to_end(digest)
            return self._known[digest][0]
        template = await self._load(digest)
        if template is not None and digest not in self._known:  # else another message asked for it meanwhile
            self._keep(digest, template)
        return template

    def _keep(self, digest: str, template: StoredTemplate) -> None:
        size = len(msgspec.json.encode(template))
        self._known[digest] = template, size
        self._bytes += size
        while self._bytes > self._most_bytes:
            _, (_, freed) = self._known.popitem(last=False)
            self._bytes -= freed
