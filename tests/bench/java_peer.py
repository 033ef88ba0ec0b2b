"""A peer as a user would build it: Kafka Streams and Drools, doing the realistic work of a matcher on the same topics.

Customers in RocksDB, filled from the same topic; recent sends in RocksDB with a changelog; the same rules in Drools'
executable model; decisions, with each test that was made, and deliveries in classes of the product's own Avro schemas.
Both sides are at least once: idempotent, acks=all, read_committed, the same linger, offsets committed twice a second.
Whatever the peer writes is held against ours, record by record.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from schemas.contract import avro_file
from schemas.distribution import Distribution
from schemas.topics import CUSTOMERS as CUSTOMERS_TOPIC
from schemas.topics import DECISIONS
from tests.bench import cpu, peers, workers
from tests.bench.feeds import customer_records, order_records, rule_records
from tests.bench.rules import HOOK, realistic
from tests.bench.sizes import CUSTOMERS, EVENTS, FOLDER, ROUNDS, RULES
from tests.bench.topics import fill, provisioned, rewind, size

_AVRO = "org.apache.avro:avro:1.12.0"
_COMPILER = ("org.apache.avro:avro-compiler:1.12.0", "org.slf4j:slf4j-nop:1.7.36")
_DELIVERIES = "deliveries.webhook"
_OUTPUTS = (_DELIVERIES, DECISIONS)
_EACH_ITS_OWN = ("decision_id", "delivery_id", "decided_at")
"""Fields that are another side's by nature: hashes of another kind, and the moment."""

Report = dict[str, Any]
Peer = Callable[[Wiring, Wiring, list[Distribution], int], workers.Run]
"""Reads customers and events of one wiring and writes to the topics of another."""


def measure(settings: Settings, servers: Servers, say: Callable[[str], None]) -> Report:
    """Rounds of ours and of the peer in turn, over the same events."""
    peer = _built(FOLDER / "java", os.environ)
    if peer is None:
        return {}
    ours, theirs = provisioned(settings, "peer"), provisioned(settings, "peer-java")
    rules, customers = realistic(RULES), min(CUSTOMERS, 100_000)
    asyncio.run(fill(ours, rule_records(ours, rules)))
    asyncio.run(fill(ours, customer_records(ours, customers, RULES)))
    workers.run(servers, "load", ours, customers)
    asyncio.run(fill(ours, order_records(ours, EVENTS, customers, datetime.now(UTC), rules=RULES)))
    runs: dict[str, list[workers.Run]] = {"ours": [], "java": []}
    with workers.pinned(servers):
        for number in range(ROUNDS):
            rewind(ours, "events.orders")
            runs["ours"].append(workers.run(servers, "matcher", ours, EVENTS))
            runs["java"].append(workers.watched(servers, lambda: [peer(ours, theirs, rules, EVENTS)])[0])
            for name, done in runs.items():
                say(f"  round {number + 1}  {name:<5} {_told(done[-1])}")
            if number == 0:
                _check(ours, theirs, say)
    return _report(runs, ours, say)


def _report(runs: dict[str, list[workers.Run]], wiring: Wiring, say: Callable[[str], None]) -> Report:
    deliveries = size(wiring, _DELIVERIES) / ROUNDS / EVENTS
    found: Report = {"events": EVENTS, "deliveries_an_event": deliveries}
    for name, done in runs.items():
        found[name] = {
            "events_per_second": round(statistics.median(map(workers.rate, done))),
            "cpu_us": cpu.medians([one["cpu_us"] for one in done]),
            "second_half_cpu_us": cpu.medians([one["second_half_cpu_us"] for one in done]),
            "rss_mb": round(max(one["rss_mb"] for one in done)),
        }
        found[name]["cpu_us_a_delivery"] = {
            process: round(used / deliveries, 1) for process, used in found[name]["cpu_us"].items()
        }
    for figure, words in (("cpu_us", "whole run"), ("second_half_cpu_us", "second half")):
        ours, java = found["ours"][figure], found["java"][figure]
        ratio = {"own": _ratio(ours["own"], java["own"]), "all": _ratio(sum(ours.values()), sum(java.values()))}
        found[f"ours / java, {words}"] = ratio
        say(f"  {words}: ours {ours['own']} µs of its process an event, Java {java['own']}: {ratio['own']};")
        say(f"    with the broker {sum(ours.values()):,.1f} and {sum(java.values()):,.1f}: {ratio['all']}")
    return found


def _ratio(ours: float, theirs: float) -> float:
    return round(ours / theirs, 2)


def _told(run: workers.Run) -> str:
    warm = run["second_half_cpu_us"]["own"]
    used = cpu.shown(run["cpu_us"], "event")
    told = f"{workers.rate(run):>9,.0f} events/s, {run['rss_mb']:.0f} MB, {used}, own in the second half {warm:,.1f}"
    compiling = run.get("second_half_compiling_seconds")
    return told if compiling is None else f"{told}, still compiling for {compiling:.1f} s of it"


# -- the peer ------------------------------------------------------------------------------------------------------


def _built(folder: Path, environ: Mapping[str, str]) -> Peer | None:
    """Classes of our schemas, then the peer; None where there is no compiler."""
    generator = peers.java_command("SchemaClasses", _COMPILER, folder / "schemas", environ)
    if generator is None:
        return None
    made = folder / "made"
    peers.made([*generator, str(made), *(str(avro_file(topic)) for topic in _OUTPUTS)])
    coordinates = (*peers.STREAMS, *peers.DROOLS, _AVRO)
    command = peers.java_command("MatcherPeer", coordinates, folder / "peer", environ, tuple(made.rglob("*.java")))
    if command is None:
        return None

    def run(ours: Wiring, theirs: Wiring, rules: list[Distribution], events: int) -> workers.Run:
        name, file = f"peer-java-{time.time_ns()}", folder / "input.json"
        content = {
            "bootstrap": ours.settings.kafka.bootstrap,
            "linger_ms": ours.settings.kafka.linger_ms,
            "application": name,
            "state": str(folder / "state" / name),
            "customers_topic": ours.topic(CUSTOMERS_TOPIC),
            "events_topic": ours.topic("events.orders"),
            "deliveries_topic": theirs.topic(_DELIVERIES),
            "decisions_topic": theirs.topic(DECISIONS),
            "events": events,
            "now": peers.milliseconds(datetime.now(UTC)),
            "rules": [peer_rule(rule) for rule in rules],
        }
        file.write_bytes(msgspec.json.encode(content))
        return peers.ran([*command, str(file)])

    return run


def peer_rule(rule: Distribution) -> dict[str, Any]:
    """A rule of `rules.realistic` as the peer reads it: what it tests, in which words, and where its message goes."""
    assert isinstance(rule.when, dict)
    return {
        **peers.flat_rule(rule),
        "id": rule.id,
        "consent": rule.consent,
        "url": HOOK,
        "type": "bench",
        "account": urlsplit(HOOK).netloc,
        "tests": [test for part in rule.when["all"] for test in _in_words(part)],
    }


def _in_words(part: dict[str, Any]) -> list[tuple[str, str]]:
    """The tests of a part of a condition as decisions tell of them, each with what it looks at."""
    match part:
        case {"order.amount": {"at_least": amount}}:
            return [(f"order.amount at_least {amount}", "amount")]
        case {"order.items": {"any_item": {"sku_id": {"starts_with": start}}}}:
            return [(f"order.items any_item (sku_id starts_with {start})", "item")]
        case {"customer.metadata.joined": {"within_last": span}}:
            return [(f"customer.metadata.joined within_last {span}", "joined")]
        case {"any": parts}:
            return [(words, f"vip_{of}") for one in parts for words, of in _in_words(one)]
        case {"not": {"customer.email": {"ends_with": end}}}:
            return [(f"not customer.email ends_with {end}", "mail")]
    ((path, value),) = part.items()
    test = f"in [{', '.join(value)}]" if isinstance(value, list) else f"is {value}"
    return [(f"{path} {test}", path.rsplit(".", 1)[1])]


# -- the same was done ---------------------------------------------------------------------------------------------


def _check(ours: Wiring, theirs: Wiring, say: Callable[[str], None]) -> None:
    """Ends the bench where one side wrote what the other did not."""
    for topic in _OUTPUTS:
        mine, other = (comparable(_records(wiring, topic)) for wiring in (ours, theirs))
        if apart := differences(mine, other):
            raise SystemExit(f"{topic}: {apart}")
        say(f"  {topic}: {mine.total():,} records on either side, alike but for {', '.join(_EACH_ITS_OWN)}")


def _records(wiring: Wiring, topic: str) -> Iterator[dict[str, Any]]:
    with TopicReader(wiring, topic) as reader:
        for message in reader.until_now():
            yield reader.decode(message)


def comparable(records: Iterable[Mapping[str, Any]]) -> Counter[bytes]:
    """Records without what each side has of its own; only that such a field is set stays, and how often each is."""
    return Counter(msgspec.json.encode(_without_own(one), order="sorted") for one in records)


def _without_own(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value is not None if name in _EACH_ITS_OWN else value for name, value in record.items()}


def differences(ours: Counter[bytes], theirs: Counter[bytes]) -> str:
    """A text that counts what only one side has, with one of each; empty where both have the same."""
    apart = {"ours": ours - theirs, "the peer's": theirs - ours}
    told = [f"{only.total()} only of {whose}, as {next(iter(only)).decode()}" for whose, only in apart.items() if only]
    return "; ".join(told)
