"""Topics read for those who ask over HTTP: in threads of their own, few at once, and no longer than somebody waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from schemas.errors import TryLater

T = TypeVar("T")

_READ_SECONDS = 25.0
"""Less than a request may take."""
_READERS = ThreadPoolExecutor(4, "topics")


async def read_aside(wiring: Wiring, topic: str, read: Callable[[TopicReader], T]) -> T:
    """The answer of a function that reads a topic, in a thread. Raises TidingsError, TryLater."""

    def work() -> T:
        with TopicReader(wiring, topic) as reader:
            return read(reader)

    return await asyncio.get_running_loop().run_in_executor(_READERS, work)


def deadline() -> float:
    """The moment of the steady clock until which somebody waits who asks now."""
    return time.monotonic() + _READ_SECONDS


def in_time(found: Iterable[T], until: float, topic: str) -> Iterator[T]:
    """The records of a topic, as they are read. Raises TryLater where nobody waits for it any more."""
    for one in found:
        if time.monotonic() > until:
            raise TryLater(f"{topic} takes too long to read")
        yield one
