"""Questions to Kafka that are asked beside those to Postgres: whoever waits for both waits for the slower one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def meanwhile(work: Callable[[], T]) -> AsyncIterator[asyncio.Future[T]]:
    """Do blocking work in a thread while other things are done. Its answer is not waited for where those fail."""
    answer = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        yield answer
    finally:
        if not answer.cancel() and not answer.cancelled():
            answer.exception()  # seen, though nobody may have asked for it
