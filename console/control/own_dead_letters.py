"""Dead-letters of one project, for those who ask over HTTP, read aside (`topic_reading.py`).

Nobody else who asks is held up by it. Whose a record is, its key says, unless its value names another project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control import dead_letters
from console.control.dead_letters import Filter, Letter, Place, Replay, Replayed
from console.control.not_found import NotFound, not_found
from console.control.topic_reading import deadline, in_time, read_aside
from schemas.dead_letter import DeadLetter
from schemas.topics import DEAD_LETTERS

T = TypeVar("T")

NEWEST = 1000
"""Of each partition, so many are looked at: beyond them is the command's."""
SHOWN_BYTES = 4000


MOST_AT_ONCE = 1000
"""Dead-letters that one request puts back."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """Dead-letters that were put back, or counted, each with its end; and the ends of the partitions."""

    letters: tuple[tuple[DeadLetter, Replayed], ...]
    ends: Mapping[int, int]


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

    async def put_back(self, wanted: Filter, seen: Mapping[int, int] | None, *, dry_run: bool) -> PutBack:
        """Put back all that a filter takes, as they were, or count them: of the newest of each partition.

        `seen`: the ends of partitions when somebody counted them, behind which none is put back. Raises TidingsError,
        TryLater.
        """

        def work(reader: TopicReader) -> PutBack:
            ends = {one: reader.bounds(one)[1] for one in reader.partitions} if seen is None else dict(seen)
            facts = dict[str, DeadLetter]()

            def chosen() -> Iterator[Letter]:
                for one in in_time(dead_letters.behind(reader, None, newest=NEWEST), deadline(), DEAD_LETTERS):
                    place = dead_letters.place_of(one.place)
                    if place.offset < ends.get(place.partition, 0) and wanted.takes(one.facts) and self._is_mine(one):
                        facts[one.place] = one.facts
                        yield one

            done = tuple(Replay(self.wiring).run(islice(chosen(), MOST_AT_ONCE), dry_run=dry_run))
            return PutBack(tuple((facts[one.place], one) for one in done), ends)

        return await self.reading(work)

    async def put_back_at(self, places: Sequence[str]) -> tuple[Replayed, ...]:
        """Put back those of some places, as they were, each with its end: also one that is not there any more.

        Raises TidingsError, TryLater.
        """

        def work(reader: TopicReader) -> tuple[Replayed, ...]:
            found, gone = list[Letter](), list[Replayed]()
            for place in places:
                try:
                    found.append(self.find(reader, place))
                except NotFound as error:
                    gone.append(Replayed(place, "", None, str(error)))
            return (*Replay(self.wiring).run(found), *gone)

        return await self.reading(work)

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
