"""The recorder: decisions, ends of deliveries and purchases into Postgres, for those who ask what happened.

How far a partition is in stands in Postgres, in the transaction of its rows: whoever dies when, each record is in once.
Where Postgres is behind what Kafka was told, since it was restored, reading goes back to there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from faust.types import TP

from agents.broker.records import Incoming
from agents.clock import Clock, utc_now
from agents.dead_letters import DeadLetters
from agents.ingest_time import stamp
from agents.intake import Chunk, Intake
from agents.recorded_rows import PurchaseReader, decision_reader, status_reader
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.transport.progress import Limit
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.purchase import PURCHASE_TOPICS
from schemas.topics import DECISIONS, DELIVERY_STATUS
from store.read_models.positions import positions
from store.read_models.recorded import Behind, Put, Recorded, Row, Source, Sourced

log = structlog.get_logger()

_CHUNK_SIZE = 5000
"""Records of one transaction: as many as a fetch brings. The more they are, the fewer times a count is written."""
_LARGE_FETCHES: dict[str, Any] = {"broker_max_poll_records": _CHUNK_SIZE, "consumer_max_fetch_size": 4 * 2**20}
_IN_FLIGHT = Limit(batches=2, records=1000, most=32, waiting=2)
"""Of a partition: one that is being written and one that is read meanwhile, as large as they are."""
_SLICE_SIZE = 50
"""Records that are read before what Postgres answered about others is looked at: it is to have something to do."""
_TIDY_SECONDS = 30.0


def build_recorder(
    wiring: Wiring, recorded: Recorded, metrics: Metrics, *, clock: Clock = utc_now, **settings: Any
) -> tuple[BatchApp, Recorder]:
    """The Faust app of one recorder process, and the recorder whose `run` goes with it."""
    app = BatchApp(wiring.group("recorder"), wiring.settings.kafka, **{**_LARGE_FETCHES, **settings})
    app.in_flight = _IN_FLIGHT
    recorder = Recorder(app, wiring, recorded, metrics, clock)
    for topic, intake in recorder.intakes.items():
        app.batch_agent(wiring.topic(topic), intake.take, name=f"recorded-{topic}")
    return app, recorder


class Recorder:
    """Writes read models. Any number of processes share the work, each partition one at a time."""

    def __init__(self, app: BatchApp, wiring: Wiring, recorded: Recorded, metrics: Metrics, clock: Clock) -> None:
        self._app, self._recorded, self._metrics = app, recorded, metrics
        self._positions = partial(positions, recorded.pool)
        self._put_to: dict[TP, tuple[int, int]] = {}
        """By partition, the offset up to which this process has put records, and in which epoch."""
        dead_letters = DeadLetters("recorder", wiring, metrics)
        take_in = partial(
            Intake[Row | None],
            metrics=metrics,
            clock=clock,
            size=_CHUNK_SIZE,
            counted="recorded",
            slice_size=_SLICE_SIZE,
            reads_ahead=True,
        )
        decision = decision_reader(wiring.codec(DECISIONS))
        status = status_reader(wiring.codec(DELIVERY_STATUS))
        put_decisions = partial(self._keep, "decisions", recorded.put_decisions)
        put_statuses = partial(self._keep, "statuses", recorded.put_statuses)
        self.intakes = {
            DECISIONS: take_in(lambda one: decision(one.value or b""), put_decisions, dead_letters),
            DELIVERY_STATUS: take_in(lambda one: status(one.value or b""), put_statuses, dead_letters),
        }
        put_purchases = partial(self._keep, "purchases", recorded.put_purchases)
        for topic in PURCHASE_TOPICS:
            read = partial(_purchase, PurchaseReader(wiring, topic), clock)
            self.intakes[topic] = take_in(read, put_purchases, dead_letters)

    async def _keep(
        self, what: str, put: Callable[[Source, Sequence[Sourced]], Awaitable[Put]], taken: Chunk[Row | None]
    ) -> int:
        """Keep the rows of a chunk; how many were new. Records that could not be read are passed by with it."""
        batch = taken.batch
        if not taken.records or batch.is_past:
            return 0
        epoch, put_to = self._put_to.get(batch.tp, (None, 0))
        begin = put_to if epoch == batch.epoch else taken.records[0].offset
        end, latest = taken.records[-1].offset + 1, max(map(stamp, taken.records))
        source = Source(str(batch.tp.topic), batch.partition, end, latest, begin)
        rows = [Sourced(record.offset, stamp(record), row) for record, row in taken.read if row is not None]
        try:
            done = await retry_until_available(partial(put, source, rows), what="Postgres")
        except Behind as error:
            if self._go_back(batch.tp, error.next_offset, begin):
                return 0
            done = await retry_until_available(partial(put, replace(source, begin=None), rows), what="Postgres")
        self._app.arrived(batch.tp, taken.records[0].offset)
        self._put_to[batch.tp] = batch.epoch, end
        for name, count in (("new", done.new), ("known", done.known), ("late", done.late)):
            self._metrics.recorded.labels(what, name).inc(count)
        if done.late:
            log.warning("recorded_late", topic=source.topic, partition=source.partition, records=done.late)
        return done.new

    def _go_back(self, tp: TP, to: int, missing: int) -> bool:
        """Read from there on again; False where the log has nothing there any more."""
        is_going = self._app.go_back(tp, to)
        if is_going:
            log.warning(
                "goes_back", topic=tp.topic, partition=tp.partition, from_offset=missing, to_offset=to,
                because="Postgres has not got what was read before: it was restored, or the log lost its beginning",
            )  # fmt: skip
        return is_going

    async def _look_back(self) -> None:
        """Go back also where nothing comes that would show what is missing."""
        done = self._app.committed()
        done |= {tp: end for tp, (epoch, end) in self._put_to.items() if epoch == self._app.epoch}
        known = await retry_until_available(self._positions, what="Postgres")
        kept = {(one.topic, one.partition): one.next_offset for one in known}
        for tp, end in done.items():
            if (here := kept.get((tp.topic, tp.partition), 0)) < end:
                self._go_back(tp, here, end)

    async def run(self) -> None:
        """Drop days that are kept no longer, until cancelled. An error that escapes ends the process."""
        while True:
            await self._look_back()
            if days := await retry_until_available(self._recorded.tidy, what="Postgres"):
                log.info("tidied", recorded_days=days)
            await asyncio.sleep(_TIDY_SECONDS)


def _purchase(reader: PurchaseReader, clock: Clock, record: Incoming) -> Row | None:
    return reader.row(record.value, record.key, record.headers, clock())
