"""One reader of the prefilled topic, as a process of its own: ours, an idiomatic Faust agent, or a bare aiokafka loop.

All do the same work on each event: read it, check it, match it against the same rules, write the deliveries as Avro.
Prints the seconds from the first event to the last acknowledged output.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiokafka
import faust
import uvloop

from agents.matcher import build_matcher
from agents.metrics import Metrics
from agents.wiring import Wiring
from deploy.settings import load_settings
from streams.events import read_event
from streams.index import RuleIndex
from streams.match import match_event
from tests.bench.rules import RULES, a_rule

TOPIC = "events.orders"


def index() -> RuleIndex:
    made = RuleIndex()
    for number in range(RULES):
        made.insert(a_rule(number))
    return made


def matching(wired: Wiring) -> Callable[[bytes, bytes], list[tuple[bytes, bytes]]]:
    """The work on one event, for the readers that are not ours."""
    rules, reading = index(), wired.codec(TOPIC)
    writing, decisions = wired.codec("deliveries.webhook"), wired.codec("decisions")
    limit = wired.settings.matcher.max_future

    def work(key: bytes, raw: bytes) -> list[tuple[bytes, bytes]]:
        now = datetime.now(UTC)
        event = read_event(reading.decode(raw), TOPIC, key, now=now, max_future=limit)
        matched = match_event(event, None, rules, now)
        outputs = [(key, writing.encode(one)) for one in matched.deliveries]
        return outputs + [(key, decisions.encode(one)) for one in matched.decisions]

    return work


async def ours(wired: Wiring, count: int) -> float:
    app, rules = build_matcher(wired, Metrics(), datadir=str(Path(wired.settings.data) / "bench"))
    seen, done, times = 0, asyncio.Event(), [0.0]

    def watch(batch: Any) -> None:
        nonlocal seen
        seen += len(batch.records)
        if seen >= count:
            done.set()

    app.watchers.append(watch)
    await rules.start()
    await rules.complete.wait()
    app.finalize()
    await app.start()
    while not app.consumer.progress.busy():
        await asyncio.sleep(0.001)
    times[0] = time.perf_counter()
    await done.wait()
    took = time.perf_counter() - times[0]
    await app.stop()
    await rules.stop()
    return took


async def idiomatic(wired: Wiring, count: int) -> float:
    app = faust.App(
        f"{wired.settings.topics.prefix}faust",
        broker=f"kafka://{wired.settings.kafka.bootstrap}",
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=str(Path(wired.settings.data) / "faust"),
    )
    source = app.topic(wired.topic(TOPIC), key_type=bytes, value_type=bytes, value_serializer="raw")
    target = app.topic(wired.topic("deliveries.webhook"), key_type=bytes, value_type=bytes, value_serializer="raw")
    work, done, seen, began = matching(wired), asyncio.Event(), 0, 0.0

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def match(stream: Any) -> None:
        nonlocal seen, began
        async for event in stream.events():
            began = began or time.perf_counter()
            for key, value in work(event.message.key, event.message.value):
                await target.send(key=key, value=value)
            seen += 1
            if seen == count:
                done.set()

    app.finalize()
    await app.start()
    await done.wait()
    await app.producer.flush()
    took = time.perf_counter() - began
    await app.stop()
    return took


async def bare(wired: Wiring, count: int) -> float:
    kafka = wired.settings.kafka.bootstrap
    consumer = aiokafka.AIOKafkaConsumer(
        wired.topic(TOPIC), bootstrap_servers=kafka, group_id=f"{wired.settings.topics.prefix}bare",
        auto_offset_reset="earliest", enable_auto_commit=False, max_poll_records=2000,
    )  # fmt: skip
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=262_144
    )
    await consumer.start()
    await producer.start()
    work, seen, began, target = matching(wired), 0, 0.0, wired.topic("deliveries.webhook")
    while seen < count:
        futures = []
        for records in (await consumer.getmany(timeout_ms=200)).values():
            began = began or time.perf_counter()
            for record in records:
                futures += [await producer.send(target, value, key) for key, value in work(record.key, record.value)]
            seen += len(records)
        if futures:
            await asyncio.gather(*futures)
        await consumer.commit()
    took = time.perf_counter() - began
    await producer.stop()
    await consumer.stop()
    return took


if __name__ == "__main__":
    readers = {"ours": ours, "idiomatic": idiomatic, "bare": bare}
    name, file, events = sys.argv[1:]
    print(uvloop.run(readers[name](Wiring(load_settings({}, Path(file))), int(events))))  # noqa: T201 - its one output
