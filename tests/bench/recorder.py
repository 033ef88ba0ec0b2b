"""One recorder, from full topics into Postgres, beside a loop that reads and decodes the same and copies it away.

The loop's tables have no index, nothing is compared or counted, and what is read twice is there twice. Each is a
process of its own on one core, the servers on the other.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiokafka
import msgspec
import psutil
import uvloop

from agents import interpreter
from agents.broker.records import Output
from agents.recorded_rows import decision_row, status_row
from agents.roles.recorder import build_recorder
from agents.telemetry.logs import configure_logs
from agents.telemetry.metrics import Metrics
from agents.transport.batch import Batch
from agents.wiring import Wiring
from console.cli.context import database
from deploy.embedded.servers import Servers
from deploy.settings.settings import load_settings
from schemas.closed import ChannelName, Outcome, Reason
from schemas.decision import Check, Decision, DeliveryStatus
from schemas.delivery import DistributionRef, EventRef
from schemas.topics import DECISIONS, DELIVERY_STATUS
from store.postgres import connect
from store.read_models.recorded import DecisionRow, Recorded, StatusRow
from tests.bench import cpu
from tests.e2e.harness import settings_text

ROWS = int(os.environ.get("ROWS", "300000"))
"""Of both topics together."""
DISTRIBUTIONS = 100
CUSTOMERS = 100_000
EVENTS_A_SECOND = 2000
"""The time of events goes on by it: what came in an hour is not all of one minute."""
TOPICS = (DECISIONS, DELIVERY_STATUS)

Report = dict[str, Any]
Say = Callable[[str], None]

_OUTCOMES: tuple[tuple[Outcome, Reason | None], ...] = (
    ("emitted", None), ("emitted", None), ("skipped", "consent"), ("skipped", "capped"), ("skipped", "duplicate"),
)  # fmt: skip
_CHANNELS: tuple[ChannelName, ...] = ("email", "sms", "webhook")
_CHECKS = [
    Check(test="order.amount at_least 1000", passed=True, seen="1500"),
    Check(test="customer.metadata.country in [PL, DE]", passed=True, seen="PL"),
    Check(test="consent marketing", passed=False, seen="false"),
]


def records(wiring: Wiring) -> Iterator[Output]:
    """Decisions, and for every one an end of a delivery, of customers in no order."""
    rng, began = random.Random(1), datetime.now(UTC) - timedelta(seconds=ROWS / EVENTS_A_SECOND)
    names = {topic: (wiring.topic(topic), wiring.codec(topic)) for topic in TOPICS}
    for number in range(ROWS // 2):
        customer = f"cust_{rng.randrange(CUSTOMERS)}"
        shared = _shared(rng, number, customer, began + timedelta(seconds=number / EVENTS_A_SECOND))
        for topic, record in ((DECISIONS, _decision(rng, number, shared)), (DELIVERY_STATUS, _status(number, shared))):
            name, codec = names[topic]
            yield Output(name, customer.encode(), codec.encode(record))


def _shared(rng: random.Random, number: int, customer: str, at: datetime) -> dict[str, Any]:
    which = rng.randrange(DISTRIBUTIONS)
    return {
        "project_id": "shop",
        "distribution": DistributionRef(id=f"distribution-{which}", version=3, name=f"Distribution {which}"),
        "event": EventRef(id=f"ev_{number:024x}", type="customer.order.paid", created_at=at),
        "customer_id": customer,
        "channel": rng.choice(_CHANNELS),
    }


def _decision(rng: random.Random, number: int, shared: dict[str, Any]) -> Decision:
    outcome, reason = rng.choice(_OUTCOMES)
    detail = None if reason is None else "customer.consents.marketing is false"
    return Decision(
        decision_id=f"dec_{rng.getrandbits(128):032x}", outcome=outcome, reason=reason, detail=detail,
        delivery_id=f"dlv_{number:032x}", checks=_CHECKS, decided_at=shared["event"].created_at, **shared,
    )  # fmt: skip


def _status(number: int, shared: dict[str, Any]) -> DeliveryStatus:
    identity = number * 2654435761 % 2**32  # each once, in no order
    return DeliveryStatus(
        delivery_id=f"dlv_{identity:032x}", account="main", type=f"customer.{shared['channel']}.sent", outcome="sent",
        detail="250 2.0.0 OK", provider_id=f"p-{number:024x}", attempts=1,
        occurred_at=shared["event"].created_at + timedelta(seconds=2), **shared,
    )  # fmt: skip


def measure(
    wiring: Wiring, folder: Path, rounds: int, rewind: Callable[[], None], servers: Servers, core: str, say: Say
) -> Report:
    """Rounds of the recorder and of the loop in turn, over the same records. `rewind` has the recorder begin anew."""
    file = folder / "recorder.toml"
    file.write_text(settings_text(wiring.settings, 1))
    runs: dict[str, list[Report]] = {name: [] for name in WAYS}
    for number in range(rounds):
        asyncio.run(_empty(wiring))
        rewind()
        for name, done in runs.items():
            with cpu.spent(servers, ()) as used:
                found = _run(name, file, core)
            found |= {f"{server}_us": used[server] / ROWS * 1e6 for server in ("postgres", "kafka")}
            done.append(found)
            say(f"  round {number + 1}  {name:<9} " + ", ".join(f"{one} {found[one]:,.1f}" for one in _FIGURES))
        asyncio.run(_check(wiring))
    medians = {
        name: {figure: round(statistics.median(one[figure] for one in done), 1) for figure in _FIGURES}
        for name, done in runs.items()
    }
    ours, bare = medians["recorder"], medians["bare copy"]
    ratio = round(ours["rate"] / bare["rate"], 2)
    say(f"  recorder {ours['rate']:,.0f} rows/s, bare copy {bare['rate']:,.0f}: ratio {ratio}")
    return {"rows": ROWS, **medians, "recorder / bare copy": ratio}


_FIGURES = ("rate", "cpu_us", "postgres_us", "kafka_us", "rss_half_mb", "rss_mb")


def _run(name: str, file: Path, core: str) -> Report:
    command = [sys.executable, "-m", "tests.bench.recorder", name, str(file), core]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    found: Report = msgspec.json.decode(done.stdout.splitlines()[-1])
    return found


async def _empty(wiring: Wiring) -> None:
    async with database(wiring) as pool:
        await pool.execute(
            "truncate recorded_decisions, recorded_statuses, recorded_decisions_by_minute, recorded_statuses_by_minute,"
            " recorded_positions"
        )
        await pool.execute("drop table if exists copied_decisions, copied_statuses")


async def _check(wiring: Wiring) -> None:
    """All rows are there once, and counted."""
    async with database(wiring) as pool:
        for table in ("recorded_decisions", "recorded_statuses"):
            rows = await pool.fetchval(f"select count(*) from {table}")  # noqa: S608
            counted = await pool.fetchval(f"select sum(count)::bigint from {table}_by_minute")  # noqa: S608
            if not rows == counted == ROWS // 2:
                raise SystemExit(f"{table}: {rows} rows, {counted} counted, {ROWS // 2} expected")


class _Run:
    """The rows that are through, and when."""

    def __init__(self) -> None:
        self.began, self.ended, self.rows = 0.0, 0.0, 0
        self.done, self._half = asyncio.Event(), 0.0
        self._cpu = 0.0

    def begin(self) -> None:
        """Start the clocks, once."""
        if not self.began:
            self.began, self._cpu = time.time(), time.process_time()

    def count(self, rows: int) -> None:
        self.rows, self.ended = self.rows + rows, time.time()
        if not self._half and self.rows >= ROWS / 2:
            self._half = _rss()
        if self.rows >= ROWS:
            self.done.set()

    def report(self) -> Report:
        cpu = (time.process_time() - self._cpu) / self.rows * 1e6
        return {
            "rate": self.rows / (self.ended - self.began), "cpu_us": cpu, "rss_half_mb": self._half, "rss_mb": _rss(),
        }  # fmt: skip


def _rss() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)


async def _recorder(wiring: Wiring) -> _Run:
    """The product's own, with everything on, set up like a worker's."""
    postgres, run = wiring.settings.postgres, _Run()
    pool = await connect(postgres.dsn.reveal(), size=postgres.pool)
    recorded = Recorded(pool, wiring.settings.retention.recorded)
    app, _ = build_recorder(wiring, recorded, Metrics(), datadir=str(Path(wiring.settings.data) / "recorder"))

    def through(batch: Batch) -> None:
        run.count(len(batch.records))

    app.watchers.append(through)
    app.finalize()
    interpreter.settle()
    await app.start()
    while not app.consumer.progress.busy() and not run.done.is_set():
        await asyncio.sleep(0.001)
    run.begin()
    await run.done.wait()
    return run


async def _bare_copy(wiring: Wiring) -> _Run:
    """Fetch, decode, copy, commit: in chunks of a fetch, each topic into a table of its own."""
    pool, run = await connect(wiring.settings.postgres.dsn.reveal(), size=1), _Run()
    await pool.execute("create table copied_decisions (like recorded_decisions)")
    await pool.execute("create table copied_statuses (like recorded_statuses)")
    decisions, statuses = (
        wiring.codec(DECISIONS).straight(Decision),
        wiring.codec(DELIVERY_STATUS).straight(DeliveryStatus),
    )
    now = datetime.now(UTC)
    async for topic, values in _fetched(wiring, run):
        if topic == wiring.topic(DECISIONS):
            table = "copied_decisions"
            columns: tuple[str, ...] = DecisionRow._fields
            rows: list[Any] = [(*decision_row(decisions(value)), now) for value in values]
        else:
            table, columns = "copied_statuses", StatusRow._fields
            rows = [(*status_row(statuses(value)), now) for value in values]
        await pool.copy_records_to_table(table, records=rows, columns=[*columns, "recorded_at"])
        run.count(len(rows))
        if run.done.is_set():
            break
    return run


async def _fetched(wiring: Wiring, run: _Run) -> AsyncIterator[tuple[str, list[bytes]]]:
    consumer = aiokafka.AIOKafkaConsumer(
        *map(wiring.topic, TOPICS), bootstrap_servers=wiring.settings.kafka.bootstrap, max_poll_records=2000,
        group_id=f"bare-copy-{os.getpid()}", auto_offset_reset="earliest", enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    while True:
        for place, fetched in (await consumer.getmany(timeout_ms=200)).items():
            run.begin()
            yield place.topic, [record.value for record in fetched]
        await consumer.commit()


WAYS = {"recorder": _recorder, "bare copy": _bare_copy}


async def _report(name: str, wiring: Wiring) -> None:
    """Print, and end at once: what is measured is over."""
    run = await WAYS[name](wiring)
    sys.stdout.write(msgspec.json.encode(run.report()).decode() + "\n")
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    name, file, core = sys.argv[1:]
    configure_logs("warning", role="recorder")
    if core != "any":
        os.sched_setaffinity(0, {int(core)})
    uvloop.run(_report(name, Wiring(load_settings({}, Path(file)), in_loop=True)))


if __name__ == "__main__":
    main()
