"""`make bench`: ours against others that do the same work, interleaved on the same servers; prints ratios.

Writes `var/bench/report.json`. Absolute figures belong to the machine; the ratios are what to compare. The parts can be
run alone: `PARTS=core,trivial make bench`; `EVENTS`, `ROUNDS`, `CUSTOMERS`, `DELIVERIES`, `ROWS` and `IMPORTED`
change the sizes.
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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from schemas.topics import CUSTOMERS as CUSTOMERS_TABLE
from schemas.topics import RECENT, changelog
from streams.recent import sent, with_sent
from tests.bench import (
    beside,
    blast,
    claims,
    codes,
    core,
    emails,
    holds,
    imports,
    isolation,
    jobs,
    limits,
    pages,
    peers,
    profiles,
    publishing,
    recorder,
    release,
    segments,
    sending,
    start,
    why,
)
from tests.bench.readers import TRIVIAL_RULES
from tests.bench.rules import LIMITS, a_rule, order, profile, realistic, small_order
from tests.e2e.harness import settings_text

FOLDER = Path("var/bench")
EVENTS = int(os.environ.get("EVENTS", "400000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CUSTOMERS = int(os.environ.get("CUSTOMERS", "1000000"))
RULES = 10_000
PARTITIONS = 4
CHUNK_SIZE = 5000
MATCHING_COUNTS = (100, 1000, 10_000, 100_000)
TWO_CORES = (os.cpu_count() or 1) >= 2 and hasattr(os, "sched_setaffinity")

Report = dict[str, Any]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the parts that are asked for, each on the servers of this run."""
    wanted = os.environ.get("PARTS", ",".join(PARTS)).split(",")
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "data").mkdir(parents=True)
    servers = Servers(FOLDER / "servers", os.environ, for_load=True)
    report: Report = {}
    with servers as endpoints:
        settings = Settings(
            kafka=Kafka(bootstrap=endpoints.kafka),
            postgres=Postgres(dsn=Secret(endpoints.postgres)),
            topics=Topics(partitions=PARTITIONS),
            data=str(FOLDER / "data"),
        )
        for name in wanted:
            say(f"\n{name}")
            report[name] = PARTS[name](settings, servers)
            (FOLDER / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))


def _placed(settings: Settings, prefix: str) -> Settings:
    return replace(settings, topics=replace(settings.topics, prefix=f"{prefix}."))


# -- the pure core ------------------------------------------------------------------------------------------------


def measure_core(_settings: Settings, _servers: Servers) -> Report:
    """Index and matching at 100, 10,000 and 100,000 rules."""
    found = core.measure()
    for count, figures in found.items():
        say(f"  {count:>7} rules: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    ratio = found["100000"]["match_us"] / found["100"]["match_us"]
    say(f"  match at 100,000 rules / at 100, same matches an event: {ratio:.2f}")
    return {**found, "match 100000 / 100": round(ratio, 2)}


def measure_matching(_settings: Settings, _servers: Servers) -> Report:
    """Matching alone, beside an engine in Java and an index in Rust that find the same matches."""
    found: Report = {}
    others = peers.matching_peers(FOLDER / "matching", os.environ)
    for count in MATCHING_COUNTS:
        rules, file = realistic(count), FOLDER / "matching.json"
        events = core.events_for(count)
        peers.write_matching(file, rules, [msgspec.json.decode(raw) for raw, _, _ in events], core.NOW)
        ours = core.measure((count,))[str(count)]
        figures = {"ours": {**ours, "matches": round(ours["matches_an_event"] * len(events))}}
        figures |= {name: run(file) for name, run in others.items()}
        for name, one in figures.items():
            say(
                f"  {count:>7} rules  {name:<7} {one['match_us']:>9} µs an event, built in {one['build_s']} s, "
                f"{one['matches']} matches"
            )
        found[str(count)] = figures
    return found


# -- the transport against others ---------------------------------------------------------------------------------


def measure_trivial(settings: Settings, servers: Servers) -> Report:
    """A trivial rule set: read, one look-up, three tests, one output for ten events."""
    wiring = Wiring(_placed(settings, "trivial"))
    Provision(wiring).apply()
    now = datetime.now(UTC)

    def events() -> Iterator[Output]:
        topic = wiring.topic("events.orders")
        for number in range(EVENTS):
            customer, raw = small_order(number, TRIVIAL_RULES, now)
            yield Output(topic, customer.encode(), raw)

    asyncio.run(_fill(wiring, events()))
    _pin_broker(servers)
    readers: dict[str, Callable[[], Report]] = {
        name: lambda name=name: _reader(f"trivial-{name}", wiring, EVENTS)  # type: ignore[misc]
        for name in ("ours", "idiomatic", "bare")
    }
    others = {
        "kafka streams": peers.kafka_streams(FOLDER / "streams", os.environ),
        "quix streams": peers.quix_streams(FOLDER / "quix"),
    }
    for name, peer in others.items():
        if peer:
            readers[name] = lambda peer=peer: peer(wiring, EVENTS, TRIVIAL_RULES)  # type: ignore[misc]
    rates: dict[str, list[float]] = {name: [] for name in readers}
    warm: dict[str, list[float]] = {name: [] for name in readers}
    for number in range(ROUNDS):
        for name, run in readers.items():
            found = run()
            rates[name].append(found["events"] / found["seconds"])
            warm[name].append(found["events"] / 2 / found["second_half_seconds"])
            say(
                f"  round {number + 1}  {name:<14} {rates[name][-1]:>9,.0f} events/s, "
                f"second half {warm[name][-1]:>9,.0f}"
            )
    _unpin_broker(servers)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    halves = {name: statistics.median(found) for name, found in warm.items()}
    ratios = {f"ours / {name}": round(medians["ours"] / medians[name], 2) for name in readers if name != "ours"}
    if "kafka streams" in readers:  # a virtual machine needs its first half to warm up
        ratios["ours / kafka streams"] = round(halves["ours"] / halves["kafka streams"], 2)
    say("  " + ", ".join(f"{name} = {ratio}" for name, ratio in ratios.items()))
    return {"events": EVENTS, "events_per_second": medians, "second_half": halves, "ratios": ratios}


def _reader(name: str, wiring: Wiring, count: int, core_: str = "0", **environ: str) -> Report:
    return _result(_start_reader(name, wiring, count, core_, **environ))


def _start_reader(name: str, wiring: Wiring, count: int, core_: str, **environ: str) -> subprocess.Popen[str]:
    file = FOLDER / f"{name}.toml"
    file.write_text(settings_text(wiring.settings, 1))
    command = [sys.executable, "-m", "tests.bench.readers", name, str(file), str(count), core_ if TWO_CORES else "any"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ}
    )


def _result(process: subprocess.Popen[str]) -> Report:
    out, err = process.communicate(timeout=900)
    if process.returncode:
        raise SystemExit(err[-3000:])
    found: Report = msgspec.json.decode(out.splitlines()[-1])
    return found


def _pin_broker(servers: Servers, cores: list[int] | None = None) -> None:
    """The broker on one core, the reader on the other."""
    process = servers.kafka.process.running()
    if TWO_CORES and process is not None:
        for thread in psutil.Process(process.pid).threads():
            os.sched_setaffinity(thread.id, set(cores or [1]))
        os.sched_setaffinity(process.pid, set(cores or [1]))


def _unpin_broker(servers: Servers) -> None:
    _pin_broker(servers, list(range(os.cpu_count() or 1)))


async def _fill(wiring: Wiring, outputs: Iterable[Output]) -> int:
    producer, chunk, count = Producer(wiring.settings.kafka.client()), [], 0
    for output in outputs:
        chunk.append(output)
        count += 1
        if len(chunk) == CHUNK_SIZE:
            await write_all(producer, chunk)
            chunk = []
    await write_all(producer, chunk)
    producer.close()
    return count


# -- the whole matcher --------------------------------------------------------------------------------------------


def measure_matcher(settings: Settings, servers: Servers) -> Report:
    """10,000 realistic rules, customer table on RocksDB, recent sends, decisions; about one delivery for ten events."""
    wiring = Wiring(_placed(settings, "matcher"))
    Provision(wiring).apply()
    customers, now = min(CUSTOMERS, 100_000), datetime.now(UTC)
    asyncio.run(_fill(wiring, _rules(wiring, realistic(RULES))))
    asyncio.run(_fill(wiring, _customers(wiring, customers, RULES)))
    say(f"  {customers:,} customers: {_rate(_load_customers(wiring, customers)):,.0f} rows/s into the table")
    asyncio.run(_fill(wiring, _orders(wiring, EVENTS, customers, now)))
    _pin_broker(servers)
    runs = []
    for number in range(ROUNDS):
        rewind(wiring, "events.orders")
        runs.append(_reader("matcher", wiring, EVENTS))
        say(f"  round {number + 1}  {_rate(runs[-1]):>9,.0f} events/s, {runs[-1]['rss_mb']:.0f} MB")
    _unpin_broker(servers)
    outputs = {name: _size(wiring, name) / ROUNDS / EVENTS for name in ("deliveries.webhook", "decisions")}
    say(f"  an event caused {outputs['deliveries.webhook']:.3f} deliveries, {outputs['decisions']:.3f} decisions")
    two = _two_workers(wiring)
    one = statistics.median(map(_rate, runs))
    say(f"  median {one:,.0f} events/s on one pinned core; two workers beside the broker {two:,.0f}: {two / one:.2f}")
    return {
        "rules": RULES,
        "customers": customers,
        "events": EVENTS,
        "events_per_second": one,
        "outputs_an_event": outputs,
        "two_workers": two,
        "two / one": round(two / one, 2),
        "rss_mb": max(run["rss_mb"] for run in runs),
    }


def measure_poison(settings: Settings, servers: Servers) -> Report:
    """The whole matcher, with and without one record in a hundred that has to be dead-lettered."""
    places = {name: Wiring(_placed(settings, name)) for name in ("clean", "poison")}
    rules, now = realistic(1000), datetime.now(UTC)
    for name, wiring in places.items():
        Provision(wiring).apply()
        asyncio.run(_fill(wiring, _rules(wiring, rules)))
        orders = _orders(wiring, EVENTS, 5000, now, rules=len(rules))
        asyncio.run(_fill(wiring, _spoilt(orders) if name == "poison" else orders))
    _pin_broker(servers)
    rates: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(ROUNDS):
        for name, wiring in places.items():
            rewind(wiring, "events.orders")
            rates[name].append(_rate(_reader("matcher", wiring, EVENTS)))
    _unpin_broker(servers)
    clean, poison = (statistics.median(rates[name]) for name in places)
    say(f"  {clean:,.0f} events/s clean, {poison:,.0f} with 1 % poison: {poison / clean:.2f}")
    return {"clean": clean, "poison": poison, "poison / clean": round(poison / clean, 2)}


def measure_caps(settings: Settings, servers: Servers) -> Report:
    """The whole matcher, with and without a cap, hours and a lasting `again` on each delivery."""
    places = {name: Wiring(_placed(settings, name)) for name in ("free", "limited")}
    now = datetime.now(UTC)
    for name, wiring in places.items():
        Provision(wiring).apply()
        rules = realistic(1000, **(LIMITS if name == "limited" else {}))
        asyncio.run(_fill(wiring, _rules(wiring, rules)))
        asyncio.run(_fill(wiring, _orders(wiring, EVENTS, 5000, now, rules=len(rules))))
    _pin_broker(servers)
    rates: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(ROUNDS):
        for name, wiring in places.items():
            rewind(wiring, "events.orders")
            rates[name].append(_rate(_reader("matcher", wiring, EVENTS)))
    _unpin_broker(servers)
    sent_by = {name: _size(wiring, "deliveries.webhook") / ROUNDS for name, wiring in places.items()}
    free, limited = (statistics.median(rates[name]) for name in places)
    say(f"  {free:,.0f} events/s without, {limited:,.0f} with caps, hours and again: {limited / free:.2f}")
    say(f"  deliveries a round: {sent_by['free']:,.0f} without, {sent_by['limited']:,.0f} with")
    latency = _latency(_placed(settings, "capped-latency"), LIMITS)
    return {
        "free": free,
        "limited": limited,
        "limited / free": round(limited / free, 2),
        "deliveries": sent_by,
        "latency": latency,
    }


def _spoilt(outputs: Iterable[Output]) -> Iterator[Output]:
    for number, output in enumerate(outputs):
        yield output._replace(value=(output.value or b"")[:-20]) if number % 100 == 0 else output


def _rate(run: Report) -> float:
    return float(run["events"] / run["seconds"])


def _rules(wiring: Wiring, rules: Iterable[Any]) -> Iterator[Output]:
    topic, codec = wiring.topic("distributions"), wiring.codec("distributions")
    return (Output(topic, rule.id.encode(), codec.encode(rule)) for rule in rules)


def _customers(wiring: Wiring, count: int, rules: int) -> Iterator[Output]:
    topic = wiring.topic("customers")
    made = (profile(number, rules) for number in range(count))
    return (Output(topic, one["id"].encode(), msgspec.json.encode(one)) for one in made)


def _orders(wiring: Wiring, count: int, customers: int, now: datetime, *, rules: int = RULES) -> Iterator[Output]:
    """Amounts are such that about one event in ten is delivered."""
    topic, rng = wiring.topic("events.orders"), random.Random(5)
    for number in range(count):
        one = profile(rng.randrange(customers), rules)
        raw = order(number, one, amount=rng.randrange(100, 2_200), now=now)
        yield Output(topic, one["id"].encode(), raw)


def _load_customers(wiring: Wiring, count: int) -> Report:
    """Have a matcher take the `customers` topic into its table."""
    return _reader("load", wiring, count)


def rewind(wiring: Wiring, *topics: str, role: str = "matcher") -> None:
    """Set a role's group back to the beginning of topics."""
    admin = AdminClient(wiring.settings.kafka.client())
    offsets = [TopicPartition(wiring.topic(topic), number, 0) for topic in topics for number in range(PARTITIONS)]
    request = [ConsumerGroupTopicPartitions(wiring.group(role), offsets)]
    deadline = time.monotonic() + 60
    while True:
        try:
            for future in admin.alter_consumer_group_offsets(request).values():
                refused = [place.error for place in future.result(10).topic_partitions if place.error]
                if refused:
                    raise RuntimeError(refused[0])
            return
        except Exception:  # the group has members until the session of the last run has ended
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _two_workers(wiring: Wiring) -> float:
    rewind(wiring, "events.orders")
    processes = [_start_reader("matcher", wiring, EVENTS, "any", BENCH_INSTANCE=f"two-{number}") for number in range(2)]
    found = [_result(process) for process in processes]
    ended, began = max(one["ended"] for one in found), min(one["began"] for one in found)
    return float(sum(one["events"] for one in found) / (ended - began))


def _size(wiring: Wiring, name: str) -> int:
    consumer = Consumer({**wiring.settings.kafka.client(), "group.id": "bench"})
    topic = wiring.topic(name)
    ends = (consumer.get_watermark_offsets(TopicPartition(topic, number)) for number in range(PARTITIONS))
    count = sum(int(high - low) for low, high in ends)
    consumer.close()
    return count


# -- tables -------------------------------------------------------------------------------------------------------


def measure_tables(settings: Settings, servers: Servers) -> Report:
    """Restore from the changelogs, memory and bytes on disk, with five recent sends a customer."""
    wiring = Wiring(_placed(settings, "tables"))
    Provision(wiring).apply()
    asyncio.run(_fill(wiring, _changelog_rows(wiring)))
    _pin_broker(servers)
    restored = _reader("restore", wiring, 2 * CUSTOMERS)
    again = _reader("restore", wiring, 0)
    _unpin_broker(servers)
    files = (one for one in (Path(wiring.settings.data) / "restore").rglob("*") if one.is_file())
    bytes_each = sum(one.stat().st_size for one in files) / CUSTOMERS
    say(
        f"  {2 * CUSTOMERS:,} rows restored at {_rate(restored):,.0f} rows/s, {restored['rss_mb']:.0f} MB, "
        f"{bytes_each:.0f} bytes a customer on disk; started again in {again['seconds']:.1f} s"
    )
    return {"rows": 2 * CUSTOMERS, "rows_per_second": _rate(restored), "rss_mb": restored["rss_mb"],
            "bytes_a_customer": bytes_each, "second_start_s": again["seconds"]}  # fmt: skip


def _changelog_rows(wiring: Wiring) -> Iterator[Output]:
    """Records that matchers would have written: partitioned as the customers are."""
    now = datetime.now(UTC)
    customers, recent = (wiring.topic(changelog(name)) for name in (CUSTOMERS_TABLE, RECENT))
    for number in range(CUSTOMERS):
        one = profile(number, RULES)
        key = one["id"].encode()
        yield Output(customers, key, msgspec.json.encode(one))
        entries = [sent(f"dlv_{number:027x}{n:05x}", f"e{number}-{n}", now) for n in range(5)]
        yield Output(recent, key, with_sent([], entries))


# -- latency ------------------------------------------------------------------------------------------------------


def measure_latency(settings: Settings, _servers: Servers) -> Report:
    """5,000 events/s, one in ten delivered: from the event's production to its delivery record being readable."""
    return _latency(_placed(settings, "latency"), {"consent": "transactional"})


def _latency(settings: Settings, changes: dict[str, Any]) -> Report:
    wiring = Wiring(settings)
    Provision(wiring).apply()
    asyncio.run(_fill(wiring, _rules(wiring, [a_rule(0, {"order.amount": {"at_least": 5000}}, **changes)])))
    seconds, rate = 40, 5000
    worker = _start_reader("matcher", wiring, seconds * rate, "any")
    took = asyncio.run(_feed_and_read(wiring, seconds, rate))
    _result(worker)
    cuts = statistics.quantiles(took, n=100)
    say(f"  {rate} events/s: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms until a delivery is readable")
    return {"events_per_second": rate, "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "count": len(took)}


async def _feed_and_read(wiring: Wiring, seconds: int, rate: int) -> list[float]:
    """The first half is warm-up: the broker has just been started, and compiles itself meanwhile."""
    codec = wiring.codec("deliveries.webhook")
    reader = Consumer({**wiring.settings.kafka.client(), "group.id": "bench-latency", "auto.offset.reset": "earliest",
                       "fetch.queue.backoff.ms": 5, "fetch.wait.max.ms": 5})  # fmt: skip
    reader.subscribe([wiring.topic("deliveries.webhook")])
    took: list[float] = []
    wanted, done = seconds * rate // 10, asyncio.Event()

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
        for number in range(tick * rate // 200, (tick + 1) * rate // 200):
            customer: dict[str, Any] = {"id": f"c{number % 5000}", "consents": {"marketing": True}}
            raw = order(number, customer, amount=9000 if number % 10 == 0 else 10, now=datetime.now(UTC))
            producer.produce(Output(topic, customer["id"].encode(), raw), lambda _error, _record: None)
        await producer.wait_for_capacity()
    await reading
    done.set()
    producer.close()
    return took


# -- sending ------------------------------------------------------------------------------------------------------


def measure_sending(settings: Settings, servers: Servers) -> Report:
    """Webhooks, ledger and status included, against a loop that only signs and posts the same bodies."""
    folder = FOLDER / "send"
    folder.mkdir()
    return asyncio.run(sending.measure(_placed(settings, "sending"), servers, folder, ROUNDS, say))


def measure_isolation(settings: Settings, _servers: Servers) -> Report:
    """Healthy endpoints beside slow and dead ones, against the same load without these."""
    folder = FOLDER / "isolation"
    folder.mkdir()
    return asyncio.run(isolation.measure(_placed(settings, "isolation"), folder, ROUNDS, say))


def measure_segments(settings: Settings, servers: Servers) -> Report:
    """100 live segments: the index against trying each, and a whole segmenter."""
    found, folder = segments.measure_core(), FOLDER / "segmenting"
    folder.mkdir()
    process = servers.postgres.process.running()
    assert process is not None
    postgres = psutil.Process(process.pid)
    through = asyncio.run(segments.measure_process(_placed(settings, "segments"), folder, postgres))
    ratio = found["ours"] / found["brute"]
    say(f"  customers/s: index {found['ours']:,.0f}, every segment {found['brute']:,.0f}: ratio {ratio:.1f}")
    for what, figures in through.items():
        say(f"  {what} customers through Kafka and Postgres: " + ", ".join(f"{n} {v:,.0f}" for n, v in figures.items()))
    return {"per_second": found, "process": through, "ratio": round(ratio, 2)}


def measure_holds(settings: Settings, _servers: Servers) -> Report:
    """Sends that wait, through one holder: kept, and released when they are due, beside a bare producer."""
    folder = FOLDER / "holding"
    folder.mkdir()
    found = asyncio.run(holds.measure(_placed(settings, "holds"), folder))
    for name, rate in found.items():
        say(f"  holds/s {name}: {rate:,.0f}, ratio to a bare producer {rate / found['only produced']:.2f}")
    return {"per_second": found}


# -- codes --------------------------------------------------------------------------------------------------------


def measure_blast(settings: Settings, _servers: Servers) -> Report:
    """Live events while a matcher works off a blast of manual sends, against the same load without one."""
    return _beside(settings, "blast", blast.a_blast())


def measure_release(settings: Settings, _servers: Servers) -> Report:
    """Live events while what has waited falls due in one moment, against the same load without it."""
    return _beside(settings, "release", release.a_release())


def _beside(settings: Settings, name: str, backlog: beside.Backlog) -> Report:
    folder = FOLDER / name
    folder.mkdir()
    found = asyncio.run(beside.measure(_placed(settings, name), folder, backlog))
    for when in ("quiet", "beside"):
        say(f"  live, {when}: p50 {found[when]['p50']} ms, p99 {found[when]['p99']} ms")
    ratio = {at: round(found["beside"][at] / found["quiet"][at], 2) for at in ("p50", "p99")}
    say(f"  ratio p50 {ratio['p50']}, p99 {ratio['p99']}; {name} {found['per_second']}")
    return {**found, "ratio": ratio}


def measure_codes(settings: Settings, _servers: Servers) -> Report:
    """Import of a million codes and claims of it, against a bare COPY and a loop that takes one by one."""
    return codes.measure(settings.postgres.dsn.reveal(), FOLDER / "codes", ROUNDS, say)


def measure_imports(settings: Settings, _servers: Servers) -> Report:
    """A million codes and a million customers over HTTP, into a process that is killed in the middle."""
    wiring = Wiring(replace(_placed(settings, "imports"), project_id="shop"))
    return asyncio.run(imports.measure(wiring, FOLDER / "imports", say))


def measure_claims(settings: Settings, _servers: Servers) -> Report:
    """Claims beside what waits: with little, with a million for a dead destination, with ten thousand destinations."""
    return asyncio.run(claims.measure(settings.postgres.dsn.reveal(), say))


def measure_limits(settings: Settings, _servers: Servers) -> Report:
    """Webhooks to an endpoint that counts them: the share of its limit that one sender, and three, get through."""
    return asyncio.run(limits.measure(settings.postgres.dsn.reveal(), say))


def measure_profiles(_settings: Settings, _servers: Servers) -> Report:
    """Updates of profiles in batches and in jobs, and one request each to the same fake."""
    found = profiles.measure(ROUNDS) | {"takes what Klaviyo takes": jobs.measure(ROUNDS)}
    for name, figures in found.items():
        say(
            f"  the fake {name}: {figures['batched']:,} updates/s in batches, "
            f"{figures['one request each']:,} one request each, ratio {figures['ratio']}"
        )
    return found


def measure_email(_settings: Settings, _servers: Servers) -> Report:
    """Personalised e-mails into a mail server that counts, beside messages made anew for aiosmtplib, and nodemailer."""
    return emails.measure(FOLDER / "nodemailer", ROUNDS, TWO_CORES, say)


def measure_recorder(settings: Settings, servers: Servers) -> Report:
    """Decisions and ends of deliveries into Postgres, each once and counted, beside a bare loop that copies them."""
    wiring, folder = Wiring(_placed(settings, "recorder")), FOLDER / "recording"
    folder.mkdir()
    Provision(wiring).apply()
    asyncio.run(_fill(wiring, recorder.records(wiring)))
    process = servers.postgres.process.running()
    assert process is not None
    postgres = psutil.Process(process.pid)
    _pin_broker(servers)
    _pin_postgres(postgres, [1])
    rewinding = partial(rewind, wiring, *recorder.TOPICS, role="recorder")
    found = recorder.measure(wiring, folder, ROUNDS, rewinding, postgres, "0" if TWO_CORES else "any", say)
    _unpin_broker(servers)
    _pin_postgres(postgres, list(range(os.cpu_count() or 1)))
    return found


def _pin_postgres(server: psutil.Process, cores: list[int]) -> None:
    """The server on some cores: the processes of its connections begin where it is."""
    for one in (server, *server.children(recursive=True)) if TWO_CORES else ():
        os.sched_setaffinity(one.pid, set(cores))


def measure_publishing(settings: Settings, servers: Servers) -> Report:
    """Events over HTTP, in batches and one by one, beside a bare handler that produces what it reads."""
    wiring = Wiring(replace(_placed(settings, "publishing"), project_id="shop"))  # as its processes have it
    folder = FOLDER / "publishing"
    folder.mkdir()
    Provision(wiring).apply()
    _pin_broker(servers)
    found = asyncio.run(publishing.measure(wiring, folder, ROUNDS, "0" if TWO_CORES else "any", say))
    _unpin_broker(servers)
    return found


def measure_start(_settings: Settings, _servers: Servers) -> Report:
    """The start of commands, cold and warm."""
    say("start of a command, processor time:")
    return start.measure(say)


def measure_why(settings: Settings, _servers: Servers) -> Report:
    """Stories of customers among millions of recorded decisions."""
    say(f"stories, {why.ROWS:,} recorded decisions on {why.DAYS} days")
    return asyncio.run(why.measure(_placed(settings, "why"), say))


def measure_pages(settings: Settings, _servers: Servers) -> Report:
    """Pages of the console on many deliveries."""
    say(f"pages, {pages.DELIVERIES:,} deliveries with their decisions on {pages.DAYS} days")
    return asyncio.run(pages.measure(_placed(settings, "pages"), say))


PARTS: dict[str, Callable[[Settings, Servers], Report]] = {
    "start": measure_start,
    "core": measure_core,
    "matching": measure_matching,
    "trivial": measure_trivial,
    "matcher": measure_matcher,
    "poison": measure_poison,
    "caps": measure_caps,
    "tables": measure_tables,
    "latency": measure_latency,
    "sending": measure_sending,
    "isolation": measure_isolation,
    "claims": measure_claims,
    "limits": measure_limits,
    "profiles": measure_profiles,
    "email": measure_email,
    "segments": measure_segments,
    "holds": measure_holds,
    "blast": measure_blast,
    "release": measure_release,
    "codes": measure_codes,
    "imports": measure_imports,
    "recorder": measure_recorder,
    "publishing": measure_publishing,
    "why": measure_why,
    "pages": measure_pages,
}

if __name__ == "__main__":
    main()
