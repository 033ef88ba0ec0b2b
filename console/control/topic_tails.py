"""Topics followed as their records come: one reader a topic for all who follow it, and a short queue for each of them.

A reader that is behind passes over what is old, and whoever takes nothing loses the oldest: both are counted. So nobody
holds up anybody, and a busy topic costs a bounded share of the process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control.topic_records import OwnedRecord, TopicRecord, Wanted, read_record
from schemas.errors import TidingsError, TryLater

MOST_TOPICS, MOST_FOLLOWERS = 8, 40
"""Followed at once by a process."""
QUEUED = 200
"""Records that wait for whoever follows; older ones are passed over."""
_AT_ONCE, _ROUND_SECONDS, _REST_SECONDS = 500, 0.25, 0.1
_MOST_BEHIND = 5_000
"""A reader that is further behind than this goes on near the end."""
_IDLE_SECONDS = 30.0
"""A topic that nobody follows any more is read on for so long."""
_QUIET_SECONDS = 15.0
"""Where nothing comes for so long, Kafka is asked whether it is there."""
_CLOSE_SECONDS = 5.0


@dataclass(slots=True, eq=False)
class Follower:
    """Somebody who follows a topic."""

    project_id: str
    wanted: Wanted
    queue: deque[TopicRecord] = field(default_factory=lambda: deque(maxlen=QUEUED))
    skipped: int = 0
    failure: TidingsError | None = None
    come: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, batch: Sequence[OwnedRecord], skipped: int) -> None:
        """Take in what came, as far as it is wanted."""
        wanted = [one.record for one in batch if self.wanted.fits(self.project_id, one)]
        self.skipped += skipped + max(0, len(self.queue) + len(wanted) - QUEUED)
        self.queue.extend(wanted)
        if wanted or skipped:
            self.come.set()

    async def take(self, seconds: float) -> tuple[list[TopicRecord], int]:
        """Records that came, the oldest first, and how many were passed over; waits so long for any.

        Raises TidingsError where the topic cannot be followed any more.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.come.wait()
        self.come.clear()
        if self.failure is not None and not self.queue:
            raise self.failure
        found, skipped, self.skipped = list(self.queue), self.skipped, 0
        self.queue.clear()
        return found, skipped


class TopicTails:
    """All topics that a process follows."""

    def __init__(self, wiring: Wiring, idle: float = _IDLE_SECONDS) -> None:
        self._wiring, self._idle = wiring, idle
        self._followed: dict[str, _Followed] = {}
        self._ending: list[_Followed] = []

    @property
    def topics(self) -> list[str]:
        """Those that are followed now."""
        return sorted(name for name, one in self._followed.items() if not one.is_over)

    @asynccontextmanager
    async def follow(self, project_id: str, wanted: Wanted) -> AsyncIterator[Follower]:
        """Follow a topic from now on. Raises TryLater where too many do, or Kafka is away, TidingsError."""
        followed = self._of(wanted.topic)
        follower = Follower(project_id, wanted)
        followed.followers.add(follower)
        try:
            await followed.ready()
            yield follower
        finally:
            followed.leave(follower)

    def close(self) -> None:
        """Stop reading."""
        for one in (every := [*self._followed.values(), *self._ending]):
            one.stop()
        for one in every:
            one.thread.join(_CLOSE_SECONDS)

    def _of(self, topic: str) -> _Followed:
        self._ending += [one for one in self._followed.values() if one.is_over]
        self._ending = [one for one in self._ending if one.thread.is_alive()]
        self._followed = {name: one for name, one in self._followed.items() if not one.is_over}
        if sum(len(one.followers) for one in self._followed.values()) >= MOST_FOLLOWERS:
            raise TryLater("so many follow topics now that nobody else can")
        if topic not in self._followed:
            if len(self._followed) >= MOST_TOPICS:
                raise TryLater("so many topics are followed now that no other one can be")
            self._followed[topic] = _Followed(self._wiring, topic, self._idle)
        return self._followed[topic]


class _Followed:
    """A topic, read in a thread of its own while somebody follows it, and a little longer."""

    def __init__(self, wiring: Wiring, topic: str, idle: float) -> None:
        self._wiring, self._topic, self._idle = wiring, topic, idle
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.create_future()
        self._begun.add_done_callback(lambda one: one.exception())  # which nobody may wait for any more
        self._left_at = time.monotonic()
        self._stopping = threading.Event()
        self.followers: set[Follower] = set()
        self.is_over = False
        self.thread = threading.Thread(target=self._run, name=f"follows-{topic}", daemon=True)
        self.thread.start()

    async def ready(self) -> None:
        """Wait until it is read. Raises TidingsError."""
        await asyncio.shield(self._begun)

    def leave(self, follower: Follower) -> None:
        """Forget somebody."""
        self.followers.discard(follower)
        self._left_at = time.monotonic()

    def stop(self) -> None:
        """Have its thread end."""
        self._stopping.set()

    def _run(self) -> None:
        failure: TidingsError | None = None
        try:
            with TopicReader(self._wiring, self._topic) as reader:
                self._read(reader)
        except TidingsError as error:
            failure = error
        self._tell(self._end, failure)

    def _read(self, reader: TopicReader) -> None:
        places = {partition: reader.bounds(partition)[1] for partition in reader.partitions}
        reader.begin_at(places)
        self._tell(self._begin)
        came_at = time.monotonic()
        while not self._stopping.is_set():
            batch, skipped = reader.come(_AT_ONCE, _ROUND_SECONDS), 0
            for message in batch:
                places[message.partition() or 0] = (message.offset() or 0) + 1
            if batch:
                came_at = time.monotonic()
            if len(batch) == _AT_ONCE:
                skipped = self._caught_up(reader, places)
                self._stopping.wait(_REST_SECONDS)
            if time.monotonic() > came_at + _QUIET_SECONDS:
                reader.bounds(reader.partitions[0])
                came_at = time.monotonic()
            read = [read_record(reader, one, self._wiring.default_project, with_text=True) for one in batch]
            if batch or skipped or not self.followers:
                self._tell(self._put, [one for one in read if one is not None], skipped)

    def _caught_up(self, reader: TopicReader, places: dict[int, int]) -> int:
        """Go on near the end where it is far; how many were passed over."""
        ends = {partition: reader.bounds(partition)[1] for partition in places}
        near = {partition: max(place, ends[partition] - _AT_ONCE) for partition, place in places.items()}
        if sum(ends.values()) - sum(places.values()) <= _MOST_BEHIND:
            return 0
        skipped = sum(near.values()) - sum(places.values())
        places.update(near)
        reader.begin_at(places)
        return skipped

    def _tell(self, what: object, *arguments: object) -> None:
        """Have the event loop do something; one that is closed has nobody who follows."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)  # type: ignore[arg-type]

    def _begin(self) -> None:
        if not self._begun.done():
            self._begun.set_result(None)

    def _put(self, batch: Sequence[OwnedRecord], skipped: int) -> None:
        for one in self.followers:
            one.put(batch, skipped)
        if not self.followers and time.monotonic() > self._left_at + self._idle:
            self.is_over = True
            self.stop()

    def _end(self, failure: TidingsError | None) -> None:
        self.is_over = True
        error = failure or TryLater(f"{self._topic} is not followed any more")
        if not self._begun.done():
            self._begun.set_exception(error)
        for one in self.followers:
            one.failure = error
            one.come.set()


def places_in(text: str) -> Mapping[int, int]:
    """By partition, the offset to go on from, as an event's id says it: `0:12,1:40`; nothing where it says none."""
    found = {}
    for one in text.split(",")[:10_000]:
        partition, _, offset = one.partition(":")
        if not (partition.isascii() and offset.isascii() and partition.isdigit() and offset.isdigit()):
            return {}
        if len(partition) > 9 or len(offset) > 18:
            return {}
        found[int(partition)] = int(offset)
    return found


def places_as_text(places: Mapping[int, int]) -> str:
    """The same, written."""
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(places.items()))
