"""Webhooks through everything, and through the sender alone, beside a loop that signs and posts the same bodies."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from channels.fakes.webhook import WebhookReceiver
from channels.webhook.signing import Signer
from console.cli.context import database
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from tests.bench import cpu
from tests.e2e.harness import SECRET, Product, product, thanks

_DELIVERIES = int(os.environ.get("DELIVERIES", "6000"))
_WARM_UP = 15_000
"""Until the broker, a Java program, has compiled itself: before that, it costs several times as much."""
_CUSTOMERS = 5000
"""Each gets a few: with two hundred, most of the matcher's work was to write down what they had had."""
_AT_ONCE = 50
_ROLES = ("matcher", "sender")

Report = dict[str, Any]
Say = Callable[[str], None]


@dataclass(slots=True)
class Cost:
    """Deliveries a second, and the CPU of each in µs by process."""

    rate: float
    cpu: dict[str, float]

    @property
    def total(self) -> float:
        """Over all processes."""
        return sum(self.cpu.values())


async def measure(settings: Settings, servers: Servers, folder: Path, rounds: int, say: Say) -> Report:
    """Rounds of each in turn, on the same servers."""
    async with product(settings, folder) as running:
        bench = _Bench(running, servers)
        await bench.begin()
        found: dict[str, list[Cost]] = {name: [] for name in ("whole", "sender", "bare")}
        for number in range(rounds):
            found["whole"].append(await bench.timed(bench.whole))
            found["sender"].append(await bench.timed(bench.sender))
            found["bare"].append(await bench.timed(bench.bare))
            for name, costs in found.items():
                used = cpu.shown(costs[-1].cpu, "delivery")
                say(f"  round {number + 1}  {name:<6} {costs[-1].rate:>6,.0f}/s, {used}")
    return _report(found, say)


class _Bench:
    """One product, driven in rounds; each leaves nothing that the next would find at work."""

    def __init__(self, running: Product, servers: Servers) -> None:
        self._running, self._random, self._number = running, random.Random(1), 0
        self._servers = servers
        self._deliveries: list[dict[str, Any]] = []

    async def begin(self) -> None:
        """Warm up, and remember deliveries to be sent by the sender alone."""
        url = self._running.receiver.url
        hook = {"webhook": {"url": url, "type": "bench"}}
        when = {"order.amount": {"at_least": 0}}
        await self._running.apply(thanks(url, consent="transactional", channels=[hook], when=when))
        await self._running.load_customers(_CUSTOMERS)
        await self._publish(_WARM_UP)
        with TopicReader(self._running.wiring, "deliveries.webhook") as reader:
            self._deliveries = [reader.decode(message) for message in reader.until_now()]

    async def timed(self, work: Callable[[], Awaitable[None]]) -> Cost:
        """The cost of some work for so many deliveries."""
        with cpu.spent(self._servers, _ROLES) as used:
            began = time.perf_counter()
            await work()
            took = time.perf_counter() - began
        return Cost(_DELIVERIES / took, cpu.a_unit(used, _DELIVERIES))

    async def whole(self) -> None:
        """From events to what `delivery.status` is told and the ledger knows of."""
        await self._publish(_DELIVERIES)

    async def sender(self) -> None:
        """The same from the deliveries on."""
        await self._over(_DELIVERIES, lambda: write_all(self._running.producer, list(self._copies())))

    async def bare(self) -> None:
        """Sign and post, and nothing else."""
        await _posts([one.body for one in self._running.receiver.received[-_DELIVERIES:]])

    def _copies(self) -> Iterator[Output]:
        wiring = self._running.wiring
        codec, topic = wiring.codec("deliveries.webhook"), wiring.topic("deliveries.webhook")
        for number in range(_DELIVERIES):
            row = self._deliveries[number % len(self._deliveries)]
            identity = f"dlv_{self._random.getrandbits(128):032x}"
            yield Output(topic, row["customer"]["id"].encode(), codec.encode({**row, "delivery_id": identity}))

    async def _publish(self, count: int) -> None:
        numbers = range(self._number, self._number + count)
        self._number += count
        orders = (self._running.order(number, self._random) for number in numbers)
        await self._over(count, lambda: self._running.publish(orders))

    async def _over(self, count: int, publish: Callable[[], Awaitable[None]]) -> None:
        received = self._running.receiver.received
        wanted = len(received) + count
        await publish()
        await self._running.until(lambda: len(received) >= wanted, "all arrived")
        async with database(self._running.wiring) as pool:
            while await pool.fetchval("select exists (select from open_deliveries)"):
                await asyncio.sleep(0.01)


async def _posts(bodies: list[bytes]) -> None:
    receiver, signer = WebhookReceiver(SECRET), Signer([SECRET])
    await receiver.start()
    places = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(number: int, body: bytes) -> None:
            headers = {"content-type": "application/json", **signer.headers(f"dlv_{number}", int(time.time()), body)}
            async with places, session.post(receiver.url, data=body, headers=headers) as answer:
                await answer.read()

        await asyncio.gather(*(post(number, body) for number, body in enumerate(bodies)))
    await receiver.stop()
    assert receiver.unverified == 0


def _report(found: dict[str, list[Cost]], say: Say) -> Report:
    rates = {name: statistics.median(one.rate for one in costs) for name, costs in found.items()}
    used = {name: statistics.median(one.total for one in costs) for name, costs in found.items()}
    ratios = {name: round(rates[name] / rates["bare"], 2) for name in ("whole", "sender")}
    say(f"  webhooks/s: whole pipeline {rates['whole']:,.0f}, sender alone {rates['sender']:,.0f}, bare signed aiohttp")
    say(f"  loop {rates['bare']:,.0f}: ratios {ratios['whole']:.2f} and {ratios['sender']:.2f};")
    say(f"  CPU a delivery over all processes {used['whole']:,.0f} µs, {used['sender']:,.0f} and {used['bare']:,.0f}")
    return {"per_second": rates, "cpu_us": used, "ratio": ratios, "each": {n: _each(c) for n, c in found.items()}}


def _each(costs: Iterable[Cost]) -> list[dict[str, float]]:
    return [{name: round(used, 1) for name, used in one.cpu.items()} for one in costs]
