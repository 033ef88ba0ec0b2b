"""Whole matchers: all checks, tables on RocksDB, decisions on; by the mix of events, rules, processes and faults."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from schemas.distribution import Distribution
from tests.bench import cpu, latency, workers
from tests.bench.feeds import EACH, TENTH, customer_records, order_records, rule_records
from tests.bench.rules import LIMITS, realistic
from tests.bench.sizes import CUSTOMERS, EVENTS, MANY_RULES, ROUNDS, RULES
from tests.bench.topics import fill, placed, provisioned, rewind, size

_MIXES = {"one delivery for thirteen events": TENTH, "one match an event": EACH}
_PROCESSES = (1, 2, 4)

Report = dict[str, Any]
Say = Callable[[str], None]


def measure_mixes(settings: Settings, servers: Servers, say: Say) -> Report:
    """The realistic rules, with few and with many matches among the events."""
    return {
        mix: _rounds(_filled(settings, f"matcher-{number}", RULES, say, servers, amounts), servers, f"{mix}: ", say)
        for number, (mix, amounts) in enumerate(_MIXES.items())
    }


def measure_many_rules(settings: Settings, servers: Servers, say: Say) -> Report:
    """The same worker with ten times as many rules, of which an event meets those of its shop."""
    return _rounds(_filled(settings, "many-rules", MANY_RULES, say, servers), servers, f"{MANY_RULES:,} rules: ", say)


def _filled(settings: Settings, prefix: str, rules: int, say: Say, servers: Servers, amounts: range = TENTH) -> Wiring:
    wiring, customers = provisioned(settings, prefix), min(CUSTOMERS, 100_000)
    asyncio.run(fill(wiring, rule_records(wiring, realistic(rules))))
    asyncio.run(fill(wiring, customer_records(wiring, customers, rules)))
    loaded = workers.run(servers, "load", wiring, customers)
    say(f"  {customers:,} customers: {workers.rate(loaded):,.0f} rows/s into the table; {_told(loaded, 'row')}")
    events = order_records(wiring, EVENTS, customers, datetime.now(UTC), rules=rules, amounts=amounts)
    asyncio.run(fill(wiring, events))
    return wiring


def _rounds(wiring: Wiring, servers: Servers, what: str, say: Say) -> Report:
    runs = []
    with workers.pinned(servers):
        for number in range(ROUNDS):
            rewind(wiring, "events.orders")
            runs.append(workers.run(servers, "matcher", wiring, EVENTS))
            say(
                f"  {what}round {number + 1}  {workers.rate(runs[-1]):>9,.0f} events/s, {runs[-1]['rss_mb']:.0f} MB, "
                + _told(runs[-1], "event")
            )
    outputs = {name: size(wiring, name) / ROUNDS / EVENTS for name in ("deliveries.webhook", "decisions")}
    each = cpu.medians([run["cpu_us"] for run in runs])
    a_delivery = {name: round(used / outputs["deliveries.webhook"], 1) for name, used in each.items()}
    say(f"  {what}an event caused {outputs['deliveries.webhook']:.3f} deliveries, {outputs['decisions']:.3f} decisions")
    say(f"  {what}{cpu.shown(each, 'event')}; {cpu.shown(a_delivery, 'delivery')}")
    return {
        "events": EVENTS,
        "events_per_second": statistics.median(map(workers.rate, runs)),
        "cpu_us_an_event": each,
        "cpu_us_a_delivery": a_delivery,
        "outputs_an_event": outputs,
        "rss_mb": max(run["rss_mb"] for run in runs),
    }


def measure_scaling(settings: Settings, servers: Servers, say: Say) -> Report:
    """CPU an event with several processes of one group: on few cores it is told by that, and not by their rate.

    Of the second half of each process's events, when all have their partitions and the tables of these.
    """
    wiring, found = _filled(settings, "scaling", RULES, say, servers), {}
    for count in _PROCESSES:
        rewind(wiring, "events.orders")
        runs = workers.run_beside(servers, count, "matcher", wiring, EVENTS)
        found[str(count)] = of_several(runs)
        first, now = found["1"]["own_us"], found[str(count)]["own_us"]
        shares = ", ".join(f"{run['events']:,}" for run in runs)
        say(f"  {count} processes: {now:.1f} µs of theirs an event, to one {now / first:.2f}; events of each: {shares}")
        found[str(count)]["to one"] = round(now / first, 2)
    return found


def of_several(runs: list[workers.Run]) -> Report:
    """CPU an event over processes that shared the events, of the second half of each one's."""
    events = sum(run["second_half_events"] for run in runs)
    used = sum(run["second_half_cpu_seconds"] for run in runs)
    return {"own_us": round(used * 1e6 / events, 1) if events else 0.0, "events": [run["events"] for run in runs]}


def measure_poison(settings: Settings, servers: Servers, say: Say) -> Report:
    """With and without one record in a hundred that has to be dead-lettered."""
    rules = realistic(1000)
    places = {"clean": _small(settings, "clean", rules), "poison": _small(settings, "poison", rules, _spoilt)}
    found = _in_turn(places, servers)
    ratio = _ratio(found, "poison", "clean", "with 1 % poison", say)
    return {**found, "poison / clean": ratio}


def measure_caps(settings: Settings, servers: Servers, say: Say) -> Report:
    """With and without a cap, hours and a lasting `again` on each delivery."""
    places = {
        "free": _small(settings, "free", realistic(1000)),
        "limited": _small(settings, "limited", realistic(1000, **LIMITS)),
    }
    found = _in_turn(places, servers)
    ratio = _ratio(found, "limited", "free", "with caps, hours and again", say)
    sent_by = {name: size(wiring, "deliveries.webhook") / ROUNDS for name, wiring in places.items()}
    say(f"  deliveries a round: {sent_by['free']:,.0f} without, {sent_by['limited']:,.0f} with")
    latencies = latency.measure_with(placed(settings, "capped-latency"), servers, say, LIMITS)
    return {**found, "limited / free": ratio, "deliveries": sent_by, "latency": latencies}


def _small(
    settings: Settings,
    name: str,
    rules: list[Distribution],
    change: Callable[[Iterable[Output]], Iterable[Output]] = lambda all_: all_,
) -> Wiring:
    wiring = provisioned(settings, name)
    asyncio.run(fill(wiring, rule_records(wiring, rules)))
    asyncio.run(fill(wiring, change(order_records(wiring, EVENTS, 5000, datetime.now(UTC), rules=len(rules)))))
    return wiring


def _spoilt(outputs: Iterable[Output]) -> Iterator[Output]:
    for number, output in enumerate(outputs):
        yield output._replace(value=(output.value or b"")[:-20]) if number % 100 == 0 else output


def _in_turn(places: dict[str, Wiring], servers: Servers) -> dict[str, Report]:
    runs: dict[str, list[workers.Run]] = {name: [] for name in places}
    with workers.pinned(servers):
        for _ in range(ROUNDS):
            for name, wiring in places.items():
                rewind(wiring, "events.orders")
                runs[name].append(workers.run(servers, "matcher", wiring, EVENTS))
    return {
        name: {
            "events_per_second": statistics.median(map(workers.rate, done)),
            "cpu_us_an_event": cpu.medians([run["cpu_us"] for run in done]),
        }
        for name, done in runs.items()
    }


def _ratio(found: dict[str, Report], name: str, plain: str, words: str, say: Say) -> float:
    ratio: float = round(found[name]["events_per_second"] / found[plain]["events_per_second"], 2)
    for one, said in ((plain, "without"), (name, words)):
        rate, used = found[one]["events_per_second"], cpu.shown(found[one]["cpu_us_an_event"], "event")
        say(f"  {said}: {rate:,.0f} events/s, {used}")
    say(f"  ratio {ratio:.2f}")
    return ratio


def _told(run: workers.Run, unit: str) -> str:
    return cpu.shown(run["cpu_us"], unit)
