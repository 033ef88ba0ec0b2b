"""Dead-letters of one project, for those who ask over HTTP: read in threads of their own, few at once.

Nobody else who asks is held up by it. Whose a record is, its key says, unless its value names another project.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control import dead_letters
from console.control.dead_letters import Filter, Letter, Place
from console.control.not_found import not_found
from schemas.errors import TryLater
from schemas.topics import DEAD_LETTERS

T = TypeVar("T")

NEWEST = 1000
"""Of each partition, so many are looked at: beyond them is the command's."""
SHOWN_BYTES = 4000
_READ_SECONDS = 25.0
"""Less than a request may take."""
_READERS = ThreadPoolExecutor(2, "dead-letters")


@dataclass(frozen=True, slots=True)
class OwnLetters:
    """The dead-letters of a project."""

    wiring: Wiring
    project_id: str

    async def reading(self, read: Callable[[TopicReader], T]) -> T:
        """The answer of a function that reads their topic, in a thread. Raises TidingsError, TryLater."""

        def work() -> T:
            with TopicReader(self.wiring, DEAD_LETTERS) as reader:
                return read(reader)

        return await asyncio.get_running_loop().run_in_executor(_READERS, work)

    async def page(self, wanted: Filter, after: Place | None, limit: int) -> list[Letter]:
        """Some of the newest that a filter takes, behind a place, by partition and offset. Raises TryLater."""

        def read(reader: TopicReader) -> list[Letter]:
            found = _in_time(dead_letters.behind(reader, after, newest=NEWEST))
            return list(islice((one for one in found if wanted.takes(one.facts) and self._is_mine(one)), limit))

        return await self.reading(read)

    def find(self, reader: TopicReader, name: str) -> Letter:
        """The one of a place. Raises NotFound, also for another project's."""
        letter = dead_letters.find(reader, name)
        if not self._is_mine(letter):
            raise not_found("dead-letter", name, see="the list of them")
        return letter

    def _is_mine(self, letter: Letter) -> bool:
        return dead_letters.is_of(letter, self.project_id, self.wiring.default_project)


def text_of(raw: bytes | None) -> str | None:
    """The first bytes as a text; what is not UTF-8 is written out."""
    return None if raw is None else raw[:SHOWN_BYTES].decode(errors="backslashreplace")


def _in_time(letters: Iterator[Letter]) -> Iterator[Letter]:
    """End the reading where nobody waits for it any more."""
    ends_at = time.monotonic() + _READ_SECONDS
    for one in letters:
        if time.monotonic() > ends_at:
            raise TryLater("the dead-letters take too long to read")
        yield one
