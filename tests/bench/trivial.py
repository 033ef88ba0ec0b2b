"""The transport against others: a trivial rule set, so that reading, counting and writing are what is measured."""

from __future__ import annotations

import asyncio
import os
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from tests.bench import cpu, peers, workers
from tests.bench.readers import TRIVIAL_RULES
from tests.bench.rules import small_order
from tests.bench.sizes import EVENTS, FOLDER, ROUNDS
from tests.bench.topics import fill, provisioned

_READERS = ("ours", "idiomatic", "bare")

Say = Callable[[str], None]


def measure(settings: Settings, servers: Servers, say: Say) -> dict[str, Any]:
    """Read, one look-up, three tests, one output for ten events."""
    wiring = provisioned(settings, "trivial")
    asyncio.run(fill(wiring, _events(wiring)))
    runners: dict[str, Callable[[], workers.Run]] = {
        name: partial(workers.run, servers, f"trivial-{name}", wiring, EVENTS) for name in _READERS
    }
    others = {
        "kafka streams": peers.kafka_streams(FOLDER / "streams", os.environ),
        "quix streams": peers.quix_streams(FOLDER / "quix"),
    }
    runners |= {name: partial(_of_peer, servers, peer, wiring) for name, peer in others.items() if peer}
    runs: dict[str, list[workers.Run]] = {name: [] for name in runners}
    with workers.pinned(servers):
        for number in range(ROUNDS):
            for name, run in runners.items():
                runs[name].append(run())
                say(f"  round {number + 1}  {name:<14} {_told(runs[name][-1])}")
    return _report(runs, say)


def _events(wiring: Wiring) -> Iterator[Output]:
    topic, now = wiring.topic("events.orders"), datetime.now(UTC)
    for number in range(EVENTS):
        customer, raw = small_order(number, TRIVIAL_RULES, now)
        yield Output(topic, customer.encode(), raw)


def _of_peer(servers: Servers, peer: peers.Peer, wiring: Wiring) -> workers.Run:
    return workers.watched(servers, lambda: [peer(wiring, EVENTS, TRIVIAL_RULES)])[0]


def _warm(run: workers.Run) -> float:
    return float(run["second_half_events"] / run["second_half_seconds"])


def _told(run: workers.Run) -> str:
    rates = f"{workers.rate(run):>9,.0f} events/s, second half {_warm(run):>9,.0f}"
    return f"{rates}; {cpu.shown(run['cpu_us'], 'event')}, own in the second half {run['second_half_cpu_us']['own']}"


def _report(runs: dict[str, list[workers.Run]], say: Say) -> dict[str, Any]:
    rates = {name: statistics.median(map(workers.rate, done)) for name, done in runs.items()}
    halves = {name: statistics.median(map(_warm, done)) for name, done in runs.items()}
    used = {name: cpu.medians([one["second_half_cpu_us"] for one in done]) for name, done in runs.items()}
    ratios = {f"ours / {name}": round(rates["ours"] / rates[name], 2) for name in runs if name != "ours"}
    if "kafka streams" in runs:  # a virtual machine needs its first half to warm up
        ratios["ours / kafka streams"] = round(halves["ours"] / halves["kafka streams"], 2)
    say("  " + ", ".join(f"{name} = {ratio}" for name, ratio in ratios.items()))
    less = {f"{name} / ours": round(each["own"] / used["ours"]["own"], 2) for name, each in used.items()}
    say("  CPU an event, own, second half: " + ", ".join(f"{name} = {ratio}" for name, ratio in less.items()))
    return {"events": EVENTS, "events_per_second": rates, "second_half": halves, "ratios": ratios,
            "second_half_cpu_us_an_event": used}  # fmt: skip
