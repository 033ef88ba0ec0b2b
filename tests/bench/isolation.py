"""Latency of healthy endpoints while three of ten are slow or dead, against the same load with all of them healthy."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from agents.broker.producer import write_all
from agents.broker.records import Output
from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from console.cli.context import database
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from schemas.destination import Destination
from store.sending.ledger import Ledger
from tests.bench import cpu
from tests.e2e.harness import SECRET, Product, product
from tests.factory import customer, delivery

_SECONDS = float(os.environ.get("SECONDS_A_ROUND", "20"))
_RATE = float(os.environ.get("RATE", "200"))
"""Deliveries a second over all endpoints."""
_HEALTHY, _SICK = 14, 6
_BATCH = 0.1
_WARM_UP = 5.0

Report = dict[str, Any]
Say = Callable[[str], None]


async def measure(settings: Settings, servers: Servers, folder: Path, rounds: int, say: Say) -> Report:
    """Rounds of both in turn, on the same servers; what the sick ones left is cancelled in between."""
    found: dict[str, list[dict[str, float]]] = {"all healthy": [], "30 % sick": []}
    used: dict[str, list[cpu.ByProcess]] = {name: [] for name in found}
    async with product(settings, folder) as running, AsyncExitStack() as stack:
        healthy = [await stack.enter_async_context(_receiver()) for _ in range(_HEALTHY + _SICK)]
        sick = await stack.enter_async_context(_sick())
        urls = [one.url for one in healthy]
        await _round(running, healthy, urls, _WARM_UP)
        for number in range(rounds):
            for name, to in {"all healthy": urls, "30 % sick": [*urls[:_HEALTHY], *sick]}.items():
                with cpu.spent(servers, ("sender",)) as spent:
                    found[name].append(await _round(running, healthy, to, _SECONDS))
                used[name].append(cpu.a_unit(spent, _RATE * _SECONDS))
                shown = ", ".join(f"{point} {ms:,.0f} ms" for point, ms in found[name][-1].items())
                say(f"  round {number + 1}  {name:<12} {shown}; {cpu.shown(used[name][-1], 'delivery')}")
    return {**_report(found, say), "cpu_us": {name: cpu.medians(rows) for name, rows in used.items()}}


async def _round(running: Product, healthy: list[WebhookReceiver], urls: list[str], seconds: float) -> dict[str, float]:
    """Percentiles of the healthy ones, from before a delivery is written to when its endpoint has it, in ms."""
    for one in healthy:
        one.received.clear()
    written: dict[str, float] = {}
    began, rng = time.monotonic(), random.Random(1)
    for number in range(round(seconds / _BATCH)):
        batch = list(_deliveries(running, urls, round(_RATE * _BATCH), rng))
        written |= dict.fromkeys((identity for identity, url, _ in batch if url in urls[:_HEALTHY]), time.time())
        await write_all(running.producer, [output for _, _, output in batch])
        await asyncio.sleep(max(0.0, began + (number + 1) * _BATCH - time.monotonic()))
    await running.until(lambda: sum(len(one.received) for one in healthy[:_HEALTHY]) >= len(written), "all arrived")
    took = [(got.at - written[got.id]) * 1000 for one in healthy[:_HEALTHY] for got in one.received]
    await _cancel_the_rest(running, [urlsplit(url).netloc for url in urls[_HEALTHY:]])
    cuts = statistics.quantiles(took, n=100)
    return {"p50": cuts[49], "p99": cuts[98], "most": max(took)}


def _deliveries(running: Product, urls: list[str], count: int, rng: random.Random) -> Iterator[tuple[str, str, Output]]:
    topic, codec = running.wiring.topic("deliveries.webhook"), running.wiring.codec("deliveries.webhook")
    for _ in range(count):
        url, identity = rng.choice(urls), f"dlv_{rng.getrandbits(128):032x}{time.time_ns():x}"
        made = delivery("webhook", customer(id=f"c{rng.randrange(5000)}"), url=url)
        made = replace(made, delivery_id=identity, event=replace(made.event, created_at=datetime.now(UTC)))
        yield identity, url, Output(topic, made.customer.id.encode(), codec.encode(made))


async def _cancel_the_rest(running: Product, hosts: list[str]) -> None:
    """Nothing of this round is at work in the next: what is in memory is given back once its endpoint is paused."""
    async with database(running.wiring) as pool:
        ledger, sick = Ledger(pool), [Destination("shop", "webhook", host) for host in hosts]
        for one in sick:
            await ledger.pause_destination(one, "refused", "the round is over")
        while await pool.fetchval("select exists (select from open_deliveries where state = 'waiting')"):
            await pool.execute(
                "update open_deliveries set state = 'failed', reason = 'canceled', settled_at = now() "
                "where state = 'waiting' and lease_owner is null"
            )
            await asyncio.sleep(0.5)
        for one in sick:
            await ledger.resume_destination(one, by="me")


@asynccontextmanager
async def _receiver(usually: Reply | None = None) -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(SECRET)
    made.usually = usually or made.usually
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def _sick() -> AsyncIterator[list[str]]:
    """URLs: two answer after 5 s, two with a byte a second, one refuses connections, one never accepts any."""
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(_receiver(Reply(delay=5.0))) for _ in range(2)]
        trickling = [await stack.enter_async_context(_trickle()) for _ in range(2)]
        closed, full = stack.enter_context(_bound()), stack.enter_context(_full())
        yield [*(one.url for one in slow), *map(_url, (*trickling, closed, full))]


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


@asynccontextmanager
async def _trickle() -> AsyncIterator[int]:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n" + b" " * 600:
            if writer.is_closing():
                return
            writer.write(bytes((byte,)))
            await asyncio.sleep(1.0)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@contextmanager
def _bound() -> Iterator[int]:
    """A port that nobody listens at, and nobody else can take."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield int(one.getsockname()[1])


@contextmanager
def _full() -> Iterator[int]:
    """A port whose queue of connections is full: it never answers, as one behind a firewall."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield int(server.getsockname()[1])


def _report(found: dict[str, list[dict[str, float]]], say: Say) -> Report:
    p99 = {name: statistics.median(row["p99"] for row in rows) for name, rows in found.items()}
    ratio = p99["30 % sick"] / p99["all healthy"]
    say(f"  p99 of the healthy: {p99['all healthy']:,.0f} ms, beside slow and dead ones {p99['30 % sick']:,.0f} ms:")
    say(f"  ratio {ratio:.2f}")
    return {"ms": found, "ratio": round(ratio, 2)}
