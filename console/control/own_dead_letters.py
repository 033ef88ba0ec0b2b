"""Dead-letters of one project, for those who ask over HTTP, read aside (`topic_reading.py`).

Nobody else who asks is held up by it. Whose a record is, its key says, unless its value names another project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control import dead_letters
from console.control.dead_letters import Filter, Letter, Place
from console.control.not_found import not_found
from console.control.topic_reading import deadline, in_time, read_aside
from schemas.topics import DEAD_LETTERS

T = TypeVar("T")

NEWEST = 1000
"""Of each partition, so many are looked at: beyond them is the command's."""
SHOWN_BYTES = 4000


@dataclass(frozen=True, slots=True)
class OwnLetters:
    """The dead-letters of a project."""

    wiring: Wiring
    project_id: str

    async def reading(self, read: Callable[[TopicReader], T]) -> T:
        """The answer of a function that reads their topic, in a thread. Raises TidingsError, TryLater."""

        return await read_aside(self.wiring, DEAD_LETTERS, read)

    async def page(self, wanted: Filter, after: Place | None, limit: int) -> list[Letter]:
        """Some of the newest that a filter takes, behind a place, by partition and offset. Raises TryLater."""

        def read(reader: TopicReader) -> list[Letter]:
            found = in_time(dead_letters.behind(reader, after, newest=NEWEST), deadline(), DEAD_LETTERS)
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
