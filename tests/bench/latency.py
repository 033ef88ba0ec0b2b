"""Latency of a matcher at a steady rate: from an event's production to its delivery record being readable."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer

from agents.broker.producer import Producer
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from tests.bench import cpu, workers
from tests.bench.feeds import rule_records
from tests.bench.rules import a_rule, order
from tests.bench.topics import fill, placed

_SECONDS, _RATE = int(os.environ.get("LATENCY_SECONDS", "40")), 5000
_DELIVERED_ONE_IN = 10

Report = dict[str, Any]


def measure(settings: Settings, servers: Servers, say: Callable[[str], None]) -> Report:
    """5,000 events/s, one in ten delivered, with nothing in its way."""
    return measure_with(placed(settings, "latency"), servers, say, {"consent": "transactional"})


def measure_with(settings: Settings, servers: Servers, say: Callable[[str], None], changes: dict[str, Any]) -> Report:
    """Milliseconds from the event's production to its delivery record being readable, and what an event costs."""
    wiring = Wiring(settings)
    Provision(wiring).apply()
    asyncio.run(fill(wiring, rule_records(wiring, [a_rule(0, {"order.amount": {"at_least": 5000}}, **changes)])))
    took, late = list[float](), list[float]()

    def live() -> list[workers.Run]:
        worker = workers.start("matcher", wiring, _SECONDS * _RATE, "any")
        took.extend(asyncio.run(_feed_and_read(wiring, _SECONDS, _RATE, late)))
        return [workers.result(worker)]

    used = workers.watched(servers, live)[0]["second_half_cpu_us"]
    cuts = statistics.quantiles(took, n=100)
    say(f"  {_RATE} events/s: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms until a delivery is readable")
    behind = statistics.quantiles(late[len(late) // 2 :], n=100)[98]
    say(f"  the feeder itself was behind its plan by {behind:.1f} ms at p99, which is not in these")
    say(f"  {cpu.shown(used, 'event')}, one in {_DELIVERED_ONE_IN} delivered")
    return {"events_per_second": _RATE, "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "count": len(took),
            "feeder_late_p99_ms": round(behind, 1), "cpu_us_an_event": used}  # fmt: skip


async def _feed_and_read(wiring: Wiring, seconds: int, rate: int, late: list[float]) -> list[float]:
    """The first half is warm-up: the broker has just been started, and compiles itself meanwhile.

    `late` is told how far behind its plan the feeder was at each of its ticks, in ms.
    """
    codec = wiring.codec("deliveries.webhook")
    reader = Consumer({**wiring.settings.kafka.client(), "group.id": "bench-latency", "auto.offset.reset": "earliest",
                       "fetch.queue.backoff.ms": 5, "fetch.wait.max.ms": 5})  # fmt: skip
    reader.subscribe([wiring.topic("deliveries.webhook")])
    took: list[float] = []
    wanted = seconds * rate // _DELIVERED_ONE_IN

    def read() -> None:
        seen, deadline = 0, time.monotonic() + seconds + 60
        while seen < wanted and time.monotonic() < deadline:
            message = reader.poll(0.05)  # at once, where consume would wait for more
            if message is not None:
                at, made = time.time(), codec.decode(message.value() or b"")["event"]["created_at"].timestamp()
                seen += 1
                if seen > wanted // 2:
                    took.append((at - made) * 1000)
        reader.close()

    reading = asyncio.get_running_loop().run_in_executor(None, read)
    producer = Producer(wiring.settings.kafka.client(), **{"linger.ms": 1})
    topic, began = wiring.topic("events.orders"), time.perf_counter() + 3.0
    for tick in range(seconds * 200):
        delay = began + tick / 200 - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        late.append(max(0.0, (time.perf_counter() - began - tick / 200) * 1000))
        for number in range(tick * rate // 200, (tick + 1) * rate // 200):
            customer: dict[str, Any] = {"id": f"c{number % 5000}", "consents": {"marketing": True}}
            raw = order(number, customer, amount=9000 if number % _DELIVERED_ONE_IN == 0 else 10, now=datetime.now(UTC))
            producer.produce(Output(topic, customer["id"].encode(), raw), lambda _error, _record: None)
        await producer.wait_for_capacity()
    await reading
    producer.close()
    return took
