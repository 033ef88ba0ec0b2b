"""Latency of live events while something else is worked off, against the same load without it."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from schemas.closed import Role
from schemas.distribution import Distribution
from schemas.topics import DISTRIBUTIONS
from streams.documents.distribution import DefinitionContext, parse_definition
from tests.bench import cpu
from tests.bench.rules import HOOK, order
from tests.e2e.harness import Product, product

_RATE = int(os.environ.get("RATE", "500"))
_SECONDS = float(os.environ.get("SECONDS_A_ROUND", "15"))
_TICKS = 200
CUSTOMERS = 5000
PATIENCE = 1800.0
"""So long a busy machine may take for what is left: a figure is worth waiting for."""

Work = Callable[[Product], Awaitable[None]]
Left = Callable[[Product], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work beside live events: made ready, then set off; `left` tells how much of it there still is."""

    roles: tuple[Role, ...]
    rule: Distribution
    make_ready: Work
    set_off: Work
    left: Left


async def measure(settings: Settings, folder: Path, backlog: Backlog, servers: Servers) -> dict[str, Any]:
    """Percentiles in ms, quiet and beside the backlog, and how fast that went meanwhile and alone.

    The CPU is of a live event while it is quiet, and of one of the backlog's, alone.
    """
    async with product(settings, folder, roles=backlog.roles) as running:
        wiring = running.wiring
        topic, codec = wiring.topic(DISTRIBUTIONS), wiring.codec(DISTRIBUTIONS)
        thanks = parsed("thanks", "customer.order.paid", {"webhook": {"url": HOOK, "type": "bench"}})
        rules = [Output(topic, one.id.encode(), codec.encode(one)) for one in (thanks, backlog.rule)]
        await write_all(running.producer, rules)
        await backlog.make_ready(running)
        with _Latencies(wiring) as took:
            await _live(running, _SECONDS)
            await running.until(took.has_all, "the first are read", PATIENCE)
            took.start_anew()
            with cpu.spent(servers, backlog.roles) as used_quiet:
                await _live(running, _SECONDS)
                await running.until(took.has_all, "the quiet ones are read", PATIENCE)
            quiet = took.start_anew()
            await backlog.set_off(running)
            left = await backlog.left(running)
            began = time.perf_counter()
            await _live(running, _SECONDS)
            after = await backlog.left(running)
            rate = (left - after) / (time.perf_counter() - began)
            await running.until(took.has_all, "those beside it are read", PATIENCE)
            beside = took.start_anew()
        began, left = time.perf_counter(), await backlog.left(running)
        with cpu.spent(servers, backlog.roles) as used_alone:
            while await backlog.left(running):
                assert time.perf_counter() - began < PATIENCE, running.logs()
                running.workers.look()
                await asyncio.sleep(0.1)
        alone = left / (time.perf_counter() - began)
    return {
        "quiet": _cuts(quiet),
        "beside": _cuts(beside),
        "per_second": {"beside": round(rate), "alone": round(alone)},
        "cpu_us": {"quiet": cpu.a_unit(used_quiet, live_events()), "alone": cpu.a_unit(used_alone, left)},
        "over_too_early": after == 0,
    }


def parsed(name: str, trigger: str, channel: dict[str, Any], **more: Any) -> Distribution:
    """A distribution by one channel."""
    source = {"distribution": name, "trigger": trigger, "consent": "transactional", "channels": [channel], **more}
    around = DefinitionContext("shop", 1, datetime.now(UTC), {"sms": ("main",)}, {})
    return parse_definition(source, around).distribution


def live_events() -> int:
    """The number of live events of a round."""
    return int(_SECONDS * _TICKS) * _RATE // _TICKS


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
        return len(self._took) >= live_events()

    def start_anew(self) -> list[float]:
        """Those so far; later ones are counted anew."""
        took, self._took = self._took, []
        return took

    def _read(self) -> None:
        codec = self._wiring.codec("deliveries.webhook")
        reader = Consumer({
            **self._wiring.settings.kafka.client(), "group.id": "bench-beside", "auto.offset.reset": "earliest",
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
            raw = order(time.time_ns(), {"id": f"c{number % CUSTOMERS}"}, amount=9000, now=datetime.now(UTC))
            running.producer.produce(
                Output(topic, f"c{number % CUSTOMERS}".encode(), raw), lambda _error, _record: None
            )
        await running.producer.wait_for_capacity()


def _cuts(took: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(took, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "count": len(took)}
