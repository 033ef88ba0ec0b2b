"""Files that were applied with a distribution, as senders ask for them: by content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

KeptFile = Callable[[str], Awaitable[bytes | None]]
"""Reads a file by its digest; None where it is not kept. Raises TryLater."""


async def no_kept_file(digest: str) -> bytes | None:
    """Nothing: no file is kept."""
    del digest
    return None
