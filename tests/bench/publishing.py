"""`POST /events` in batches, beside a bare aiohttp handler that reads the same bodies and produces them.

The bare one checks nothing: no key, no rate, no field; and it writes JSON, where ours writes Avro unless told so:
it does both. Each is a process of its own on one core; whoever asks shares the other with the broker.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil
import uvloop
from aiohttp import web

from agents import interpreter
from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.clock import utc_now
from agents.telemetry.logs import configure_logs
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from console.api.server import ApiServer
from console.cli.context import database
from console.control import api_keys
from console.control.api_keys import NewKey
from console.http.api import listen
from console.http.database import LateDatabase
from deploy.settings.settings import load_settings
from schemas.api_key import RANDOM_BYTES
from store.api_keys import ApiKeys
from tests.bench import cpu
from tests.bench.rules import order, profile
from tests.e2e.harness import settings_text

SECONDS = float(os.environ.get("SECONDS", "10"))
BATCHES = (1, 100)
_CONNECTIONS = 8
_BODIES = 200
_TOPIC = "events.orders"
_WARM_UP = 1.0
_FIGURES = ("rate", "p50", "p99", "own_us")
"""The last is the CPU of the process that answers, of an event."""

Report = dict[str, Any]


async def measure(wiring: Wiring, folder: Path, rounds: int, core: str, say: Callable[[str], None]) -> Report:
    """Requests a second and ms, by the events of a request; both in turn."""
    async with database(wiring) as pool:
        new = NewKey(wiring.default_project, f"bench-{secrets.token_hex(4)}", "admin", "live")
        key, _ = await api_keys.create(ApiKeys(pool), new, secrets.token_bytes(RANDOM_BYTES), actor="bench")
    file = folder / "publishing.toml"
    file.write_text(settings_text(wiring.settings, 1) + "\n[api]\nrequests_a_minute = 100000000\n")
    found: Report = {}
    for batch in BATCHES:
        runs: dict[str, list[Report]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, done in runs.items():
                done.append(await _run(name, file, core, key, batch))
        medians = {
            name: {figure: round(statistics.median(one[figure] for one in done), 1) for figure in _FIGURES}
            for name, done in runs.items()
        }
        ratios = {name: round(medians[name]["rate"] / medians["bare"]["rate"], 2) for name in WAYS if name != "bare"}
        for name, at in medians.items():
            rates = f"{at['rate']:,.0f} requests/s, {at['rate'] * batch:,.0f} events/s"
            used = f"own {at['own_us']} µs an event"
            say(f"  {batch:>3} a request, {name:<9} {rates}, p50 {at['p50']}, p99 {at['p99']} ms, {used}")
        say(f"  {batch:>3} a request, ratio {ratios['ours']}, writing JSON as well {ratios['ours-json']}")
        found[str(batch)] = {**medians, "ratio": ratios["ours"], "ratio_json": ratios["ours-json"]}
    return found


async def _run(name: str, file: Path, core: str, key: str, batch: int) -> Report:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.publishing", name, str(file), core, stdout=subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise SystemExit("nothing says where it listens")
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise SystemExit(f"{name} did not start")
        return await _asked(address, key, batch, psutil.Process(process.pid))
    finally:
        process.terminate()
        await process.wait()


async def _asked(address: str, key: str, batch: int, process: psutil.Process) -> Report:
    times: list[float] = []
    until, before = 0.0, 0.0
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    bodies = [_body(number, batch) for number in range(_BODIES)]
    async with aiohttp.ClientSession() as session:

        async def ask(begin: int) -> None:
            number = begin
            while (began := time.perf_counter()) < until:
                number += _CONNECTIONS
                async with session.post(address, data=bodies[number % _BODIES], headers=headers) as reply:
                    if reply.status != 202:
                        raise SystemExit(f"{reply.status}: {await reply.text()}")
                    await reply.read()
                times.append((time.perf_counter() - began) * 1000)

        for seconds in (_WARM_UP, SECONDS):
            times.clear()
            before = cpu.cpu_seconds(process)
            until = time.perf_counter() + seconds
            await asyncio.gather(*map(ask, range(_CONNECTIONS)))
    cuts = statistics.quantiles(times, n=100)
    used = (cpu.cpu_seconds(process) - before) * 1e6 / (len(times) * batch)
    return {"rate": len(times) / SECONDS, "p50": cuts[49], "p99": cuts[98], "own_us": used}


def _body(number: int, batch: int) -> bytes:
    now = datetime.now(UTC)
    events = (
        order(one, profile(one, 1000), amount=4200, now=now) for one in range(number * batch, (number + 1) * batch)
    )
    return b"[" + b",".join(events) + b"]"


async def _ours(wiring: Wiring) -> str:
    """The product's own, with everything on, set up like its process."""
    server = ApiServer(wiring, LateDatabase(wiring.settings).pool, Metrics(), utc_now)
    _, port = await listen(wiring.settings, server)
    interpreter.settle()
    return f"http://127.0.0.1:{port}/api/v1/events"


async def _ours_json(wiring: Wiring) -> str:
    """The same, which writes what the bare one writes."""
    settings = replace(wiring.settings, wire=replace(wiring.settings.wire, format="json"))
    return await _ours(Wiring(settings))


async def _bare(wiring: Wiring) -> str:
    """A body's events, each under its customer's id, and the answer when the broker has them."""
    producer, topic = Producer(wiring.kafka.client()), wiring.topic(_TOPIC)

    async def take(request: web.Request) -> web.Response:
        events = msgspec.json.decode(await request.read())
        await write_all(
            producer,
            [Output(topic, one["data"]["customer"]["id"].encode(), msgspec.json.encode(one)) for one in events],
        )
        return web.json_response({"accepted": len(events)}, status=202)

    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.add_routes([web.post("/events", take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/events"


WAYS: dict[str, Callable[[Wiring], Awaitable[str]]] = {"ours": _ours, "ours-json": _ours_json, "bare": _bare}


async def _serve(name: str, wiring: Wiring) -> None:
    sys.stdout.write(await WAYS[name](wiring) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    name, file, core = sys.argv[1:]
    configure_logs("warning", role="api")
    if core != "any":
        os.sched_setaffinity(0, {int(core)})
    uvloop.run(_serve(name, Wiring(load_settings({}, Path(file)))))


if __name__ == "__main__":
    main()
