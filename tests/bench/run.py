"""`make bench`: ours against plain loops that do the same work, interleaved on the same servers; prints ratios.

Writes `var/bench/report.json`. Absolute figures belong to the machine; the ratios are what to compare.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from agents.outbox import write_all
from agents.provision import Provision
from agents.transport.batch import Output
from agents.transport.producer import Producer
from agents.wiring import Wiring
from channels.fakes.receiver import WebhookReceiver
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings import Kafka, Postgres, Settings, Topics
from tests.bench.rules import PLANS, RULES, a_rule
from tests.e2e.harness import SECRET, SETTINGS, product, thanks

FOLDER = Path("var/bench")
EVENTS = int(os.environ.get("EVENTS", "60000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
DELIVERIES = 3000
READERS = ("ours", "idiomatic", "bare")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "data").mkdir(parents=True)
    servers = Servers(FOLDER / "servers", os.environ, heap="1g")
    with servers as endpoints:
        settings = Settings(
            kafka=Kafka(bootstrap=endpoints.kafka),
            postgres=Postgres(dsn=Secret(endpoints.postgres)),
            topics=Topics(prefix="bench.", partitions=4),
            data=str(FOLDER / "data"),
        )
        report = asyncio.run(_measure(settings))
    (FOLDER / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))


async def _measure(settings: Settings) -> dict[str, Any]:
    return {"match_and_emit": await _match(settings), **await _send(settings), "latency_ms": await _latency(settings)}


# -- match and emit -----------------------------------------------------------------------------------------------


async def _match(settings: Settings) -> dict[str, Any]:
    rates: dict[str, list[float]] = {name: [] for name in READERS}
    for number in range(ROUNDS):
        for name in READERS:
            rates[name].append(await _one_reader(name, settings))
            say(f"  round {number + 1}  {name:<10} {rates[name][-1]:>9,.0f} events/s")
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratios = {f"ours / {name}": round(medians["ours"] / medians[name], 2) for name in READERS[1:]}
    say(f"match + emit, {RULES} rules, one output in ten events: " + ", ".join(f"{k} = {v}" for k, v in ratios.items()))
    return {"events_per_second": medians, "ratios": ratios, "rules": RULES, "events": EVENTS}


async def _one_reader(name: str, settings: Settings) -> float:
    """Fresh topics for each run, filled before the clock starts."""
    fresh = replace(settings, topics=replace(settings.topics, prefix=f"b{uuid.uuid4().hex[:8]}."))
    wired = Wiring(fresh)
    Provision(wired).apply()
    producer = Producer(fresh.kafka.client())
    rules = [a_rule(number) for number in range(RULES)]
    codec = wired.codec("distributions")
    await write_all(producer, [Output(wired.topic("distributions"), r.id.encode(), codec.encode(r)) for r in rules])
    for start in range(0, EVENTS, 5000):
        await write_all(producer, [_event(wired, number) for number in range(start, start + 5000)])
    producer.close()
    file = FOLDER / f"{name}.toml"
    file.write_text(_settings_text(fresh, 1))
    command = [sys.executable, "-m", "tests.bench.competitors", name, str(file), str(EVENTS)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return EVENTS / float(done.stdout.split()[-1])


def _event(wired: Wiring, number: int) -> Output:
    """One in ten fits a rule."""
    rng = random.Random(number)
    fits = number % 10 == 0
    metadata = {"country": "PL" if fits else "FR", "plan": f"plan-{rng.randrange(PLANS)}"}
    customer = f"c{rng.randrange(5000)}"
    body = {
        "id": f"e{number}", "project_id": "shop", "type": "customer.order.paid", "created_at": datetime.now(UTC),
        "data": {"customer": {"id": customer, "metadata": metadata}, "order": {"id": f"o{number}", "amount": 5000}},
    }  # fmt: skip
    return Output(wired.topic("events.orders"), customer.encode(), msgspec.json.encode(body))


def _settings_text(settings: Settings, port: int) -> str:
    return SETTINGS.format(
        data=settings.data, kafka=settings.kafka.bootstrap, postgres=settings.postgres.dsn.reveal(),
        prefix=settings.topics.prefix, partitions=settings.topics.partitions, secret=SECRET, port=port,
    )  # fmt: skip


# -- sending ------------------------------------------------------------------------------------------------------


async def _send(settings: Settings) -> dict[str, Any]:
    """The sender, ledger and status included, against a loop that only posts the same bodies."""
    folder = FOLDER / "send"
    folder.mkdir()
    async with product(settings, folder) as running:
        await running.apply(
            thanks(
                running.receiver.url,
                consent="transactional",
                channels=[_hook(running.receiver.url)],
                when={"order.amount": {"at_least": 0}},
            )
        )
        await running.load_customers(200)
        rng = random.Random(1)
        warm = [running.order(number, rng) for number in range(200)]
        await running.publish(warm)
        await running.until_delivered()
        began = time.perf_counter()
        await running.publish(running.order(number, rng) for number in range(200, 200 + DELIVERIES))
        await running.until(lambda: len(running.receiver.received) >= 200 + DELIVERIES, "all arrived")
        ours = DELIVERIES / (time.perf_counter() - began)
        plain = await _plain_posts([one.body for one in running.receiver.received[:DELIVERIES]])
    say(f"webhooks/s: ours {ours:,.0f}, bare aiohttp loop {plain:,.0f}: ratio {ours / plain:.2f}")
    return {"webhooks": {"per_second": {"ours": ours, "bare": plain}, "ratio": round(ours / plain, 2)}}


def _hook(url: str) -> dict[str, Any]:
    return {"webhook": {"url": url, "type": "bench"}}


async def _plain_posts(bodies: list[bytes]) -> float:
    receiver = WebhookReceiver(SECRET)
    await receiver.start()
    places = asyncio.Semaphore(50)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(body: bytes) -> None:
            async with places, session.post(receiver.url, data=body) as answer:
                await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*map(post, bodies))
        took = time.perf_counter() - began
    await receiver.stop()
    return len(bodies) / took


# -- latency ------------------------------------------------------------------------------------------------------


async def _latency(settings: Settings) -> dict[str, float]:
    """From an event's publication to its receiver, at 500 events a second, half of which are delivered."""
    folder = FOLDER / "latency"
    folder.mkdir()
    placed = replace(settings, topics=replace(settings.topics, prefix="latency."))
    async with product(placed, folder) as running:
        await running.apply(
            thanks(
                running.receiver.url,
                distribution="latency",
                channels=[_hook(running.receiver.url)],
                consent="transactional",
            )
        )
        await running.load_customers(200)
        await running.feed(500, 500, seed=1)
        await running.until_delivered()
        skip = len(running.receiver.received)
        await running.feed(5000, 500, seed=2)
        await running.until_delivered()
        began = running.expected().deliveries["webhook"]
        arrived = running.receiver.received[skip:]
    took = sorted((one.at - began[one.id].timestamp()) * 1000 for one in arrived)
    cuts = statistics.quantiles(took, n=100)
    say(f"event to receiver at 500 events/s: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "count": len(took)}


if __name__ == "__main__":
    main()
