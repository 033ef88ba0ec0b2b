"""Templates that messages are made of, remembered by content."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from schemas.template import StoredTemplate

_MOST = 1000
"""Templates that are remembered. Each edit makes another digest and a sender may run for months, so that with none
forgotten it would hold every version there ever was; the least recently used gives way."""


class TemplateCache:
    """By content, so what is known once never changes. `load` asks the store and raises TryLater while it is away."""

    def __init__(self, load: Callable[[str], Awaitable[StoredTemplate | None]], *, most: int = _MOST) -> None:
        self._load, self._most = load, most
        self._known: OrderedDict[str, StoredTemplate] = OrderedDict()

    async def get(self, digest: str) -> StoredTemplate | None:
        """The template; None where the store does not have it, which is asked anew each time. Raises TryLater."""
        if digest in self._known:
            self._known.move_to_end(digest)
            return self._known[digest]
        template = await self._load(digest)
        if template is not None:
            self._known[digest] = template
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return template
