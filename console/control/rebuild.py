"""Read models made anew from the topics, while the old ones go on being read and written.

The same writer fills tables beside the old ones, from the topics' beginning up to where recorders are. Then each day
that the topics still hold whole takes the place of the old one; a day of which they have lost something stays as it is.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby, islice
from operator import methodcaller
from typing import TypeVar

import asyncpg

from agents.broker.reader import Fetched, TopicReader, headers_of
from agents.ingest_time import moment
from agents.recorded_rows import PurchaseReader, decision_reader, status_reader
from agents.wiring import Wiring
from schemas.errors import BadRecord, TidingsError, TryLater
from schemas.purchase import PURCHASE_TOPICS
from schemas.topics import DECISIONS, DELIVERY_STATUS
from store.read_models.rebuild import Rebuild, Rebuilt
from store.read_models.recorded import Put, Row, Source, Sourced
from store.rebuilds import RebuildProgress, ReplacedDay

T = TypeVar("T")

_CHUNK_SIZE = 2000
_TRIES, _PAUSE = 600, 1.0
"""A day that somebody reads is waited for; and so is Postgres."""

_RowOf = Callable[[Fetched], Row | None]
_PutRows = Callable[[Source, Sequence[Sourced]], Awaitable[Put]]


@dataclass(frozen=True, slots=True)
class ReadModelsRebuilt:
    """The days that were replaced, those that stay since the topics do not hold them whole, and the records read."""

    replaced: tuple[ReplacedDay, ...]
    kept: tuple[date, ...]
    read: int
    unreadable: int


async def rebuild_read_models(
    pool: asyncpg.Pool, wiring: Wiring, *, actor: str, now: datetime, progress: RebuildProgress | None = None
) -> ReadModelsRebuilt:
    """Make them anew, beginning from nothing whoever began before; `progress` is kept up to date.

    Raises TryLater, TidingsError.
    """
    run, progress = uuid.uuid4().hex, progress or RebuildProgress()
    rebuild, writer = Rebuild(pool, run), Rebuilt(pool, wiring.settings.retention.recorded, run)
    await rebuild.begin(actor)
    decision, status = decision_reader(wiring.codec(DECISIONS)), status_reader(wiring.codec(DELIVERY_STATUS))
    sources: list[tuple[str, _RowOf, _PutRows]] = [
        (DECISIONS, lambda one: decision(one.value() or b""), writer.put_decisions),
        (DELIVERY_STATUS, lambda one: status(one.value() or b""), writer.put_statuses),
    ]
    sources += [(topic, _purchases(wiring, topic, now), writer.put_purchases) for topic in PURCHASE_TOPICS]
    with ExitStack() as open_readers:
        feeds = []
        for topic, row_of, put in sources:
            reader = open_readers.enter_context(await _in_thread(partial(TopicReader, wiring, topic)))
            feeds.append(_Feed(reader, row_of, put, progress))
        progress.to_read = sum([await _in_thread(feed.count) for feed in feeds])
        for feed in feeds:
            await feed.catch_up()
        whole, kept = await _whole_days(rebuild, feeds, now, wiring.settings.matcher.max_future)
        progress.is_replacing, progress.kept = True, kept
        for day in whole:
            progress.replaced.append(await _replace(rebuild, feeds, day, progress))
    await rebuild.end()
    return ReadModelsRebuilt(tuple(progress.replaced), tuple(kept), progress.read, progress.unreadable)


async def forget_rebuild(pool: asyncpg.Pool) -> None:
    """Forget what one that nobody goes on with has made, but for the days that it replaced. Raises TryLater."""
    run = uuid.uuid4().hex
    await Rebuild(pool, run).begin("nobody")
    await Rebuild(pool, run).end()


async def _in_thread(work: Callable[[], T]) -> T:
    """Blocking work, which is waited for even by who is canceled: nothing is closed that it still uses."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.gather(working, return_exceptions=True)
        raise


def _purchases(wiring: Wiring, topic: str, now: datetime) -> _RowOf:
    reader = PurchaseReader(wiring, topic)

    def row_of(record: Fetched) -> Row | None:
        key = record.key()
        at = max(now, moment(_stamp(record)))  # what comes meanwhile is not of the future
        return reader.row(record.value(), key.encode() if isinstance(key, str) else key, headers_of(record), at)

    return row_of


class _Feed:
    """A topic on its way into the new tables."""

    def __init__(
        self,
        reader: TopicReader,
        row_of: _RowOf,
        put: _PutRows,
        progress: RebuildProgress,
    ) -> None:
        self.reader, self._row_of, self._put, self._progress = reader, row_of, put, progress
        self.first: dict[int, tuple[int, datetime]] = {}
        """Offset and time of the first record of a partition."""
        self.replaced: set[date] = set()
        self._next: dict[int, int] = {}

    def count(self) -> int:
        """The records that are on the topic by now, or were, where it is compacted or has transactions."""
        bounds = map(self.reader.bounds, self.reader.partitions)
        return sum(end - first for first, end in bounds)

    async def catch_up(self) -> None:
        """Everything that is on the topic by now."""
        messages = self.reader.until_now(start=self._next)
        while chunk := await _in_thread(lambda: _some(messages)):
            for partition, records in groupby(sorted(chunk, key=_partition), _partition):
                await self._take(partition, list(records))
                await asyncio.sleep(0)

    async def _take(self, partition: int, records: Sequence[Fetched]) -> None:
        rows: list[Sourced] = []
        for record in records:
            self._progress.read += 1
            try:
                row = self._row_of(record)
            except BadRecord:  # a recorder has dead-lettered it
                self._progress.unreadable += 1
                continue
            if row is not None and row.day not in self.replaced:
                rows.append(Sourced(record.offset(), _stamp(record), row))
        offset = records[-1].offset() + 1
        self.first.setdefault(partition, (records[0].offset(), moment(_stamp(records[0]))))
        self._next[partition] = offset
        await self._put(Source(self.reader.name, partition, offset, max(map(_stamp, records))), rows)


def _some(messages: Iterator[Fetched]) -> list[Fetched]:
    return list(islice(messages, _CHUNK_SIZE))


_partition: Callable[[Fetched], int] = methodcaller("partition")


def _stamp(record: Fetched) -> int:
    return int(record.timestamp()[1])


async def _whole_days(
    rebuild: Rebuild, feeds: Sequence[_Feed], now: datetime, ahead: timedelta
) -> tuple[list[date], list[date]]:
    """The days that the topics hold whole, and the others.

    What a topic has lost was written before its first record, and is about events that were at most `ahead` of that.
    Where nothing tells of a loss, since a topic was made anew, an old row tells that is from before its first record.
    """
    lost = [at for feed in feeds for at in await _losses(rebuild, feed, now)]
    begin = max(((at + ahead).date() + timedelta(days=1) for at in lost), default=date.min)
    firsts = [min((at for _, at in feed.first.values()), default=now) for feed in feeds]
    whole, kept = list[date](), list[date]()
    for day in await rebuild.days():
        is_whole = day >= begin and not await rebuild.has_more(day, *firsts)
        (whole if is_whole else kept).append(day)
    return whole, kept


async def _losses(rebuild: Rebuild, feed: _Feed, now: datetime) -> list[datetime]:
    """The times up to which partitions have lost what was on them."""
    lost: list[datetime] = []
    for partition in feed.reader.partitions:
        offset, at = feed.first.get(partition, (None, now))
        if offset is None:
            _, end = await _in_thread(partial(feed.reader.bounds, partition))
            stamp = await rebuild.latest_read(feed.reader.name, partition) if end else None
            if end:
                lost.append(now if stamp is None else moment(stamp))
        elif offset > 0:
            lost.append(at)
    return lost


async def _replace(rebuild: Rebuild, feeds: Sequence[_Feed], day: date, progress: RebuildProgress) -> ReplacedDay:
    async def catch_up() -> None:
        for feed in feeds:
            await feed.catch_up()

    await catch_up()  # most of it before recorders have to wait
    for left in range(_TRIES, -1, -1):
        try:
            rows = await rebuild.replace(day, catch_up)
            break
        except TryLater as error:
            if not left:
                raise TidingsError(
                    f"{day} cannot be replaced: {error}. Look for long transactions and dumps, and rebuild again"
                ) from error
            progress.waits = f"{day} waits: {error}"
            await asyncio.sleep(_PAUSE)
    progress.waits = ""
    for feed in feeds:
        feed.replaced.add(day)
    return ReplacedDay(day, rows.decisions, rows.statuses, rows.purchases)
