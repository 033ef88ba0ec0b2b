"""Latency of live events while a matcher works off a blast of manual sends, against the same load without one."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from schemas.distribution import Distribution
from schemas.events.triggers import MANUAL
from schemas.topics import DISTRIBUTIONS
from streams.documents.distribution import DefinitionContext, parse_definition
from tests.bench.rules import HOOK, order
from tests.e2e.harness import Product, product

_COUNT = int(os.environ.get("BLAST", "100000"))
_RATE = int(os.environ.get("RATE", "500"))
_SECONDS = float(os.environ.get("SECONDS_A_ROUND", "15"))
_TICKS = 200
_CUSTOMERS = 5000
_CHUNK = 20_000
_BLAST_SECONDS = 1800.0
"""So long a busy machine may take for what is left of it: a figure is worth waiting for."""


async def measure(settings: Settings, folder: Path) -> dict[str, Any]:
    """Percentiles in ms, quiet and beside the blast, and how fast the blast went meanwhile and alone."""
    async with product(settings, folder, roles=("matcher",)) as running:
        wiring = running.wiring
        topic, codec = wiring.topic(DISTRIBUTIONS), wiring.codec(DISTRIBUTIONS)
        rules = [Output(topic, one.id.encode(), codec.encode(one)) for one in (_thanks(), _news())]
        await write_all(running.producer, rules)
        with _Latencies(wiring) as took:
            await _live(running, _SECONDS)
            await running.until(took.has_all, "the first are read", _BLAST_SECONDS)
            took.start_anew()
            await _live(running, _SECONDS)
            await running.until(took.has_all, "the quiet ones are read", _BLAST_SECONDS)
            quiet = took.start_anew()
            for chunk in range(0, _COUNT, _CHUNK):
                await write_all(
                    running.producer, [_manual(running, one) for one in range(chunk, min(chunk + _CHUNK, _COUNT))]
                )
                running.workers.look()
            left = running.lag_left()
            took.start_anew()
            began = time.perf_counter()
            await _live(running, _SECONDS)
            done = left - running.lag_left()
            rate = done / (time.perf_counter() - began)
            is_over = running.lag_left() == 0
            await running.until(took.has_all, "those beside it are read", _BLAST_SECONDS)
            beside = took.start_anew()
        began, left = time.perf_counter(), running.lag_left()
        await running.until(running.all_processed, "the blast is over", _BLAST_SECONDS)
        alone = left / (time.perf_counter() - began)
    return {
        "quiet": _cuts(quiet),
        "beside": _cuts(beside),
        "blast_per_second": {"beside": round(rate), "alone": round(alone)},
        "over_too_early": is_over,
    }


class _Latencies:
    """From an event's making to its delivery being readable, read by a thread."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring, self._took, self._over = wiring, list[float](), threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> _Latencies:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def has_all(self) -> bool:
        """True once every live event of a round is read: what is late counts as late."""
        return len(self._took) >= int(_SECONDS * _TICKS) * _RATE // _TICKS

    def start_anew(self) -> list[float]:
        """Those so far; later ones are counted anew."""
        took, self._took = self._took, []
        return took

    def _read(self) -> None:
        codec = self._wiring.codec("deliveries.webhook")
        reader = Consumer({
            **self._wiring.settings.kafka.client(), "group.id": "bench-blast", "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5, "fetch.wait.max.ms": 5,
        })  # fmt: skip
        reader.subscribe([self._wiring.topic("deliveries.webhook")])
        while not self._over.is_set():
            message = reader.poll(0.05)
            if message is not None:
                at, made = time.time(), codec.decode(message.value() or b"")["event"]["created_at"].timestamp()
                self._took.append((at - made) * 1000)
        reader.close()


async def _live(running: Product, seconds: float) -> None:
    topic, began = running.wiring.topic("events.orders"), time.perf_counter()
    for tick in range(int(seconds * _TICKS)):
        delay = began + tick / _TICKS - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        for number in range(tick * _RATE // _TICKS, (tick + 1) * _RATE // _TICKS):
            raw = order(time.time_ns(), {"id": f"c{number % _CUSTOMERS}"}, amount=9000, now=datetime.now(UTC))
            running.producer.produce(
                Output(topic, f"c{number % _CUSTOMERS}".encode(), raw), lambda _error, _record: None
            )
        await running.producer.wait_for_capacity()


def _manual(running: Product, number: int) -> Output:
    customer = f"c{number % _CUSTOMERS}"
    data = {"customer": {"id": customer, "phone": "+48500000000"}, "distribution": {"id": "news", "status": "SENDING"}}
    event = {"id": f"m{number}", "project_id": "shop", "type": MANUAL, "created_at": datetime.now(UTC), "data": data}
    return Output(running.wiring.topic("events.manual"), customer.encode(), msgspec.json.encode(event))


def _thanks() -> Distribution:
    return _parsed("thanks", "customer.order.paid", {"webhook": {"url": HOOK, "type": "bench"}})


def _news() -> Distribution:
    return _parsed("news", MANUAL, {"sms": {"account": "main", "text": "News"}})


def _parsed(name: str, trigger: str, channel: dict[str, Any]) -> Distribution:
    source = {"distribution": name, "trigger": trigger, "consent": "transactional", "channels": [channel]}
    around = DefinitionContext("shop", 1, datetime.now(UTC), {"sms": ("main",)}, {})
    return parse_definition(source, around).distribution


def _cuts(took: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(took, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "count": len(took)}
