"""`make bench`: ours against others that do the same work, interleaved on the same servers; prints ratios.

Writes `var/bench/report.json`. Absolute figures belong to the machine; the ratios are what to compare. The parts can be
run alone: `PARTS=core,trivial make bench`; `README.md` says what each is, and which variables change the sizes.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from agents.broker.topics import Provision
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from tests.bench import (
    beside,
    blast,
    claims,
    codes,
    core,
    cpu,
    emails,
    holds,
    imports,
    isolation,
    java_peer,
    jobs,
    latency,
    limits,
    matcher,
    pages,
    pages_filled,
    peers,
    profiles,
    publishing,
    recorder,
    release,
    segments,
    sending,
    start,
    tables,
    trivial,
    why,
)
from tests.bench.rules import realistic
from tests.bench.sizes import FOLDER, PARTITIONS, ROUNDS, TWO_CORES
from tests.bench.topics import fill, placed, rewind
from tests.bench.workers import pinned, pinned_with_postgres

MATCHING_COUNTS = (100, 1000, 10_000, 100_000)

Report = dict[str, Any]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the parts that are asked for, each on the servers of this run."""
    wanted = os.environ.get("PARTS", ",".join(PARTS)).split(",")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that what was started ends with it
    with _alone():
        _run(wanted)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep another run of this checkout off the folder that both would empty."""
    FOLDER.parent.mkdir(exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another bench works in {FOLDER}; wait for its end, or run this one in another checkout")
        yield


def _run(wanted: Sequence[str]) -> None:
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


# -- sending ------------------------------------------------------------------------------------------------------


def measure_sending(settings: Settings, servers: Servers) -> Report:
    """Webhooks, ledger and status included, against a loop that only signs and posts the same bodies."""
    folder = FOLDER / "send"
    folder.mkdir()
    return asyncio.run(sending.measure(placed(settings, "sending"), servers, folder, ROUNDS, say))


def measure_isolation(settings: Settings, servers: Servers) -> Report:
    """Healthy endpoints beside slow and dead ones, against the same load without these."""
    folder = FOLDER / "isolation"
    folder.mkdir()
    return asyncio.run(isolation.measure(placed(settings, "isolation"), servers, folder, ROUNDS, say))


def measure_segments(settings: Settings, servers: Servers) -> Report:
    """100 live segments: the index against trying each, and a whole segmenter."""
    found, folder = segments.measure_core(), FOLDER / "segmenting"
    folder.mkdir()
    through = asyncio.run(segments.measure_process(placed(settings, "segments"), folder, servers))
    ratio = found["ours"] / found["brute"]
    say(f"  customers/s: index {found['ours']:,.0f}, every segment {found['brute']:,.0f}: ratio {ratio:.1f}")
    for what, figures in through.items():
        say(f"  {what} customers through Kafka and Postgres: " + ", ".join(f"{n} {v:,.0f}" for n, v in figures.items()))
    return {"per_second": found, "process": through, "ratio": round(ratio, 2)}


def measure_holds(settings: Settings, servers: Servers) -> Report:
    """Sends that wait, through one holder: kept, and released when they are due, beside a bare producer."""
    folder = FOLDER / "holding"
    folder.mkdir()
    found = asyncio.run(holds.measure(placed(settings, "holds"), folder, servers))
    bare = found["only produced"]["per_second"]
    for name, figures in found.items():
        ratio, used = figures["per_second"] / bare, cpu.shown(figures["cpu_us"], "hold")
        say(f"  holds/s {name}: {figures['per_second']:,.0f}, ratio to a bare producer {ratio:.2f}; {used}")
    return found


# -- codes --------------------------------------------------------------------------------------------------------


def measure_blast(settings: Settings, servers: Servers) -> Report:
    """Live events while a matcher works off a blast of manual sends, against the same load without one."""
    return _beside(settings, servers, "blast", blast.a_blast())


def measure_release(settings: Settings, servers: Servers) -> Report:
    """Live events while what has waited falls due in one moment, against the same load without it."""
    return _beside(settings, servers, "release", release.a_release())


def _beside(settings: Settings, servers: Servers, name: str, backlog: beside.Backlog) -> Report:
    folder = FOLDER / name
    folder.mkdir()
    found = asyncio.run(beside.measure(placed(settings, name), folder, backlog, servers))
    for when in ("quiet", "beside"):
        say(f"  live, {when}: p50 {found[when]['p50']} ms, p99 {found[when]['p99']} ms")
    ratio = {at: round(found["beside"][at] / found["quiet"][at], 2) for at in ("p50", "p99")}
    say(f"  ratio p50 {ratio['p50']}, p99 {ratio['p99']}; {name} {found['per_second']}")
    say(f"  quiet: {cpu.shown(found['cpu_us']['quiet'], 'event')}; alone: {cpu.shown(found['cpu_us']['alone'], name)}")
    return {**found, "ratio": ratio}


def measure_codes(settings: Settings, _servers: Servers) -> Report:
    """Import of a million codes and claims of it, against a bare COPY and a loop that takes one by one."""
    return codes.measure(settings.postgres.dsn.reveal(), FOLDER / "codes", ROUNDS, say)


def measure_imports(settings: Settings, _servers: Servers) -> Report:
    """A million codes and a million customers over HTTP, into a process that is killed in the middle."""
    wiring = Wiring(replace(placed(settings, "imports"), project_id="shop"))
    return asyncio.run(imports.measure(wiring, FOLDER / "imports", say))


def measure_claims(settings: Settings, _servers: Servers) -> Report:
    """Claims beside what waits: with little, with a million for a dead destination, with ten thousand destinations."""
    return asyncio.run(claims.measure(settings.postgres.dsn.reveal(), say))


def measure_limits(settings: Settings, servers: Servers) -> Report:
    """Webhooks to an endpoint that counts them: the share of its limit that one sender, and three, get through."""
    return asyncio.run(limits.measure(settings.postgres.dsn.reveal(), servers, say))


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
    wiring, folder = Wiring(placed(settings, "recorder")), FOLDER / "recording"
    folder.mkdir()
    Provision(wiring).apply()
    asyncio.run(fill(wiring, recorder.records(wiring)))
    rewinding = partial(rewind, wiring, *recorder.TOPICS, role="recorder")
    with pinned_with_postgres(servers):
        return recorder.measure(wiring, folder, ROUNDS, rewinding, servers, "0" if TWO_CORES else "any", say)


def measure_publishing(settings: Settings, servers: Servers) -> Report:
    """Events over HTTP, in batches and one by one, beside a bare handler that produces what it reads."""
    wiring = Wiring(replace(placed(settings, "publishing"), project_id="shop"))  # as its processes have it
    folder = FOLDER / "publishing"
    folder.mkdir()
    Provision(wiring).apply()
    with pinned(servers):
        return asyncio.run(publishing.measure(wiring, folder, ROUNDS, "0" if TWO_CORES else "any", say))


def measure_start(_settings: Settings, _servers: Servers) -> Report:
    """The start of commands, cold and warm."""
    say("start of a command, processor time:")
    return start.measure(say)


def measure_why(settings: Settings, _servers: Servers) -> Report:
    """Stories of customers among millions of recorded decisions."""
    say(f"stories, {why.ROWS:,} recorded decisions on {why.DAYS} days")
    return asyncio.run(why.measure(placed(settings, "why"), say))


def measure_pages(settings: Settings, servers: Servers) -> Report:
    """Pages of the console on many deliveries."""
    say(f"pages, {pages_filled.DELIVERIES:,} deliveries with their decisions on {pages_filled.DAYS} days")
    return asyncio.run(pages.measure(placed(settings, "pages"), servers, say))


PARTS: dict[str, Callable[[Settings, Servers], Report]] = {
    "start": measure_start,
    "core": measure_core,
    "matching": measure_matching,
    "trivial": partial(trivial.measure, say=say),
    "matcher": partial(matcher.measure_mixes, say=say),
    "peer": partial(java_peer.measure, say=say),
    "many_rules": partial(matcher.measure_many_rules, say=say),
    "scaling": partial(matcher.measure_scaling, say=say),
    "poison": partial(matcher.measure_poison, say=say),
    "caps": partial(matcher.measure_caps, say=say),
    "tables": partial(tables.measure, say=say),
    "latency": partial(latency.measure, say=say),
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
