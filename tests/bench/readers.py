"""One reader of prefilled topics, as a process of its own, pinned to one core where the system can do that.

`trivial-*` do the same little work on each event: read it, one look-up, three tests, one record for every tenth.
`matcher` is the product's own worker with everything on. Each prints when its first and last event were through, and
what memory it took.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiokafka
import faust
import msgspec
import psutil
import uvloop

from agents import interpreter
from agents.broker.records import Output
from agents.roles.matcher.matcher import build_matcher
from agents.telemetry.logs import configure_logs
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.transport.batch import Batch
from agents.wiring import Wiring
from deploy.settings.settings import load_settings
from streams.event_context import EventContext
from streams.events import EventReader
from streams.index.rules import RuleIndex
from tests.bench.rules import trivial

TOPIC = "events.orders"
TARGET = "deliveries.webhook"
TRIVIAL_RULES = 1000
IDLE_SECONDS = 20.0


class Mark(NamedTuple):
    """So many events in all were through, at a moment in Unix seconds, with so much CPU of this process."""

    at: float
    events: int
    cpu: float


@dataclass(slots=True)
class Run:
    """The time and the CPU at which events were through."""

    began: float = 0.0
    began_cpu: float = 0.0
    marks: list[Mark] = field(default_factory=list)

    def begin(self) -> None:
        """Start the clocks, once."""
        if not self.began:
            self.began, self.began_cpu = time.time(), time.process_time()

    def count(self, events: int) -> int:
        """Note that so many more are through; how many in all."""
        total = events + (self.marks[-1].events if self.marks else 0)
        self.marks.append(Mark(time.time(), total, time.process_time()))
        return total

    def report(self) -> dict[str, Any]:
        """In seconds; the second half by itself, for what a warm run does."""
        last = self.marks[-1] if self.marks else Mark(self.began, 0, self.began_cpu)
        half = next((one for one in self.marks if one.events >= last.events / 2), last)
        return {
            "events": last.events,
            "began": self.began,
            "middle": half.at,
            "ended": last.at,
            "seconds": last.at - self.began,
            "cpu_seconds": last.cpu - self.began_cpu,
            "second_half_events": last.events - half.events,
            "second_half_seconds": last.at - half.at,
            "second_half_cpu_seconds": last.cpu - half.cpu,
            "rss_mb": psutil.Process().memory_info().rss / 2**20,
        }


Work = Callable[[bytes | None, bytes], bytes | None]
"""Key and value of an event in, the value of an output or None out."""


def trivial_work(wiring: Wiring) -> Work:
    """Read, look up, test; a record of about 300 bytes where a rule fits."""
    index = RuleIndex()
    for rule in trivial(TRIVIAL_RULES):
        index.insert(rule)
    limits = wiring.settings.matcher
    reader = EventReader(
        TOPIC,
        wiring.codec(TOPIC),
        max_future=limits.max_future,
        max_bytes=limits.max_event_bytes,
        default_project="shop",
    )
    now, encode, filling = datetime.now(UTC), msgspec.json.Encoder().encode, "x" * 160

    def work(key: bytes | None, raw: bytes) -> bytes | None:
        head = reader.read(raw, key, now)
        context = EventContext(head, raw, reader.decode)
        for guard, tests in index.candidates(context)[0]:
            if all(test(context, now) is True for test in tests):
                return encode({"event": head.id, "customer": head.customer_id, "rule": guard.id, "data": filling})
        return None

    return work


async def trivial_ours(wiring: Wiring, count: int) -> Run:
    """The batched transport."""
    app = BatchApp(_group(wiring, "ours"), wiring.settings.kafka, datadir=_folder(wiring, "ours"))
    work, run, done, target = trivial_work(wiring), Run(), asyncio.Event(), wiring.topic(TARGET)

    async def each(batch: Batch) -> None:
        run.begin()
        for number, record in enumerate(batch.records):
            out = work(record.key, record.value or b"")
            if out is not None:
                batch.emit([Output(target, record.key, out, batch.partition)])
            if number % 500 == 499:
                await asyncio.sleep(0)
        await batch.wait_for_capacity()

    def through(batch: Batch) -> None:
        if run.count(len(batch.records)) >= count:
            done.set()

    app.watchers.append(through)
    app.batch_agent(wiring.topic(TOPIC), each, name="each")
    app.finalize()
    await app.start()
    await done.wait()
    return run


async def trivial_idiomatic(wiring: Wiring, count: int) -> Run:
    """An agent as Faust's documentation writes it, on the same bytes."""
    app = faust.App(
        _group(wiring, "idiomatic"),
        broker=f"kafka://{wiring.settings.kafka.bootstrap}",
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=_folder(wiring, "idiomatic"),
    )
    source = app.topic(wiring.topic(TOPIC), key_type=bytes, value_type=bytes, value_serializer="raw")
    target = app.topic(wiring.topic(TARGET), key_type=bytes, value_type=bytes, value_serializer="raw")
    work, run, done = trivial_work(wiring), Run(), asyncio.Event()

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def each(stream: Any) -> None:
        async for event in stream.events():
            run.begin()
            out = work(event.message.key, event.message.value)
            if out is not None:
                await target.send(key=event.message.key, value=out)
            if run.count(1) >= count:
                done.set()

    app.finalize()
    await app.start()
    await done.wait()
    await app.producer.flush()
    return run


async def trivial_bare(wiring: Wiring, count: int) -> Run:
    """A loop on aiokafka that gathers its acknowledgements and commits, and is nothing else."""
    kafka = wiring.settings.kafka.bootstrap
    consumer = aiokafka.AIOKafkaConsumer(
        wiring.topic(TOPIC), bootstrap_servers=kafka, group_id=_group(wiring, "bare"),
        auto_offset_reset="earliest", enable_auto_commit=False, max_poll_records=2000,
    )  # fmt: skip
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=262_144
    )
    await consumer.start()
    await producer.start()
    work, run, target, total = trivial_work(wiring), Run(), wiring.topic(TARGET), 0
    while total < count:
        futures, records = [], 0
        for fetched in (await consumer.getmany(timeout_ms=200)).values():
            run.begin()
            for record in fetched:
                out = work(record.key, record.value)
                if out is not None:
                    futures.append(await producer.send(target, out, record.key, partition=record.partition))
            records += len(fetched)
        await asyncio.gather(*futures)
        await consumer.commit()
        if records:
            total = run.count(records)
    return run


async def matcher(wiring: Wiring, count: int) -> Run:
    """The product's matcher. Ends when it has had `count` events, or none for a while: others may have had the rest."""
    name = os.environ.get("BENCH_INSTANCE", "matcher")
    app, rules = build_matcher(wiring, Metrics(), datadir=_folder(wiring, name))
    run, done, topic = Run(), asyncio.Event(), wiring.topic(TOPIC)

    def through(batch: Batch) -> None:
        if batch.tp.topic == topic and run.count(len(batch.records)) >= count:
            done.set()

    app.watchers.append(through)
    await rules.start()
    await rules.complete.wait()
    app.finalize()
    interpreter.settle()
    asked = time.time()
    await app.start()
    while not app.consumer.progress.busy() and not done.is_set():
        await asyncio.sleep(0.001)
    run.begin()
    print(f"ready after {run.began - asked:.2f} s", file=sys.stderr)  # noqa: T201 - for who watches
    while not done.is_set():
        heard = run.marks[-1][0] if run.marks else run.began
        if time.time() - heard > IDLE_SECONDS:
            break
        await asyncio.sleep(0.05)
    await app.stop_within(20)
    await rules.stop()
    return run


async def load(wiring: Wiring, count: int) -> Run:
    """The matcher again, told to stop once so many customers are in its table."""
    app, rules = build_matcher(wiring, Metrics(), datadir=_folder(wiring, "matcher"))
    run, done = Run(), asyncio.Event()

    def through(batch: Batch) -> None:
        run.begin()
        if run.count(len(batch.records)) >= count:
            done.set()

    app.watchers.append(through)
    await rules.start()
    app.finalize()
    await app.start()
    await done.wait()
    await app.stop()
    await rules.stop()
    return run


async def restore(wiring: Wiring, count: int) -> Run:
    """A matcher that starts with full changelog topics: until its tables have all rows."""
    app, rules = build_matcher(wiring, Metrics(), datadir=_folder(wiring, "restore"))
    run, recovery = Run(), app.tables.recovery
    await rules.start()
    app.finalize()
    run.begin()
    await app.start()
    while not recovery.completed.is_set():
        await asyncio.sleep(0.01)
    run.count(count or 1)
    await app.stop()
    await rules.stop()
    return run


def _group(wiring: Wiring, name: str) -> str:
    return f"{wiring.settings.topics.prefix}{name}-{os.getpid()}"


def _folder(wiring: Wiring, name: str) -> str:
    return str(Path(wiring.settings.data) / name)


READERS = {
    "trivial-ours": trivial_ours,
    "trivial-idiomatic": trivial_idiomatic,
    "trivial-bare": trivial_bare,
    "matcher": matcher,
    "load": load,
    "restore": restore,
}


def main() -> None:
    name, file, count, core = sys.argv[1:]
    configure_logs("warning", role="matcher")
    if core != "any" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    uvloop.run(_report(name, Wiring(load_settings({}, Path(file))), int(count)))


async def _report(name: str, wiring: Wiring, count: int) -> None:
    """Print, and end at once: what is measured is over, and services need not be stopped in order."""
    run = await READERS[name](wiring, count)
    sys.stdout.write(msgspec.json.encode(run.report()).decode() + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
