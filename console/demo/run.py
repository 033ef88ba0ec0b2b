"""`tidings demo`: set the stage, feed it, wait for the end, compare, and say what happened."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from console.cli.ending import end_task_in_order
from console.cli.terminal import INTERRUPTED, PROBLEM, fail, out, show_text
from console.demo.asked import recomputed
from console.demo.compare import Compared, compare
from console.demo.expected import Expected, expect
from console.demo.population import Sent, customers, events
from console.demo.stage import PROJECT, Stage, everything, stage
from console.demo.stands import STANDS, Due, Told, said
from schemas.closed import ChannelName
from schemas.decision import Decision
from schemas.errors import TidingsError, TryLater
from schemas.events.event import Event
from schemas.topics import CUSTOMERS, DEAD_LETTERS, DECISIONS
from schemas.wire.read_as import read_as

FOLDER = Path("var/demo")
_CHUNK_SIZE = 100
_DIFFERENCES = ("missing", "doubled", "unexpected", "wrong")
_PROGRESS_WITHIN = 60.0
"""Seconds without any progress after which the demo gives up and says what is missing."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run. `rate` is in events a second."""

    events: int
    customers: int
    rate: float
    seed: int


def run_demo(size: Size, *, keep: bool) -> int:
    """Play it below `var/demo`; the exit code. With `keep` everything runs on until Ctrl-C. Raises TidingsError."""
    try:
        return uvloop.run(_demo(size, keep=keep))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


async def _demo(size: Size, *, keep: bool) -> int:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 - a coroutine runs in one
    is_ending = end_task_in_order(this)
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(),
        TextColumn("{task.completed:>6}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as bars:
        download = bars.add_task("Kafka and PostgreSQL: starting", total=1)
        async with stage(FOLDER, _downloading(bars, download)) as played:
            bars.update(download, completed=1, total=1, description="Kafka and PostgreSQL: running")
            try:
                report, ok = await _play(size, played, bars)
                bars.stop()
                _show(report, played, kept=keep)
                if keep:
                    await _keep(played)
            finally:
                is_ending.set()
    return 0 if ok else PROBLEM


def _downloading(bars: Progress, task: TaskID) -> Any:
    def show(loaded: int, needed: int) -> None:
        bars.update(task, completed=loaded, total=needed, description="Kafka: downloading jars (once)")

    return show


async def _play(size: Size, played: Stage, bars: Progress) -> tuple[dict[str, Any], bool]:
    people = customers(size.customers, size.seed)
    producer = Producer(played.wiring.settings.kafka.client())
    try:
        await _load_customers(people, played, producer, bars)
        published, malformed = await _feed(size, people, played, producer, bars)
    finally:
        producer.close(1.0)
    expected = expect(published, {one["id"]: one for one in people}, played.distributions)
    await _wait_for_end(expected, played, bars)
    report = await asyncio.to_thread(_report, expected, published, malformed, played)
    report["api"] = await played.api.numbers_like(recomputed(expected), _PROGRESS_WITHIN)
    (played.folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return report, _is_right(report, expected, malformed)


async def _load_customers(people: list[dict[str, Any]], played: Stage, producer: Producer, bars: Progress) -> None:
    task = bars.add_task("customers into their table", total=len(people))
    codec, topic = played.wiring.codec(CUSTOMERS), played.wiring.topic(CUSTOMERS)
    await write_all(producer, [Output(topic, one["id"].encode(), codec.encode(one)) for one in people])
    while left := await asyncio.to_thread(_customers_left, played, topic):
        bars.update(task, completed=len(people) - left)
        _look_after(played)
        await asyncio.sleep(0.2)
    bars.update(task, completed=len(people))


def _lag(played: Stage, of: Callable[[str], bool]) -> int:
    """Records not yet processed; 1 while the broker cannot say."""
    try:
        return sum(one.lag for one in played.lag.read() if of(one.topic))
    except TryLater:
        return 1


def _customers_left(played: Stage, topic: str) -> int:
    return _lag(played, lambda name: name == topic)


async def _feed(
    size: Size, people: list[dict[str, Any]], played: Stage, producer: Producer, bars: Progress
) -> tuple[list[Event], int]:
    """Publish at the given rate: every other event as Avro, the rest as JSON."""
    task, sink = bars.add_task("events published", total=size.events), bars.add_task("deliveries received", total=None)
    published: list[Event] = []
    malformed, began, chunk = 0, time.monotonic(), []
    for number, sent in enumerate(events(size.events, people, size.seed, PROJECT), 1):
        malformed += sent.event is None
        chunk.append(_output(sent, number, played, published))
        if number % _CHUNK_SIZE == 0 or number == size.events:
            await write_all(producer, chunk)
            chunk = []
            bars.update(task, completed=number)
            bars.update(sink, completed=_received(played))
            _look_after(played)
            await asyncio.sleep(max(0.0, began + number / size.rate - time.monotonic()))
    bars.remove_task(sink)
    return published, malformed


def _output(sent: Sent, number: int, played: Stage, published: list[Event]) -> Output:
    topic = played.wiring.topic(sent.topic)
    if sent.event is None:
        return Output(topic, sent.key, sent.raw, number % played.wiring.settings.topics.partitions)
    now = datetime.now(UTC)
    event = msgspec.convert({**sent.event, "created_at": now}, Event)
    published.append(event)
    raw = played.wiring.codec(sent.topic).encode(event) if number % 2 else msgspec.json.encode(event)
    return Output(topic, sent.key, raw)


def _received(played: Stage) -> int:
    return sum(len(fake.ids) // STANDS[channel].calls for channel, fake in played.fakes.items())


async def _wait_for_end(expected: Expected, played: Stage, bars: Progress) -> None:
    """Until everything expected was received, or nothing more comes. Then a moment for what should not come."""
    total = sum(map(len, expected.deliveries.values()))
    task = bars.add_task("deliveries received", total=total)
    seen, since = -1, time.monotonic()
    while _received(played) < total and time.monotonic() - since < _PROGRESS_WITHIN:
        if _received(played) != seen:
            seen, since = _received(played), time.monotonic()
        bars.update(task, completed=seen)
        _look_after(played)
        await asyncio.sleep(0.1)
    while await asyncio.to_thread(_lag, played, lambda _: True) and time.monotonic() - since < _PROGRESS_WITHIN:
        await asyncio.sleep(0.2)
    bars.update(task, completed=_received(played))


def _look_after(played: Stage) -> None:
    for restart in played.workers.look():
        fail(restart)
    refused = played.workers.misconfigured()
    if refused:
        raise TidingsError(f"{refused[0].instance} refuses to start; its log is {refused[0].log}")


def _report(expected: Expected, published: list[Event], malformed: int, played: Stage) -> dict[str, Any]:
    told = {channel: list(STANDS[channel].told(fake)) for channel, fake in played.fakes.items()}
    compared = {channel: compare(found, _due(channel, expected, played)) for channel, found in told.items()}
    decisions = _decisions(played)
    return {
        "events": len(published) + malformed,
        "matched": len({(one.event.id, one.distribution.id) for one in decisions}),
        "channels": {channel: asdict(found) for channel, found in compared.items()},
        "skipped": dict(Counter(str(one.reason) for one in decisions if one.outcome == "skipped")),
        "dead_letters": _dead_letters(played),
        **{name: sum(getattr(found, name) for found in compared.values()) for name in _DIFFERENCES},
        "unverified": sum(getattr(fake, "unverified", 0) for fake in played.fakes.values()),
        "latency_ms": _latency(expected, [one for found in told.values() for one in found]),
    }


def _due(channel: ChannelName, expected: Expected, played: Stage) -> Iterator[tuple[str, str]]:
    """The messages that a provider should have got, made of the event and of the file of its distribution."""
    for identity in expected.deliveries[channel]:
        cause = expected.causes[identity]
        written = played.written[cause.distribution][cause.step][channel]
        key, what = STANDS[channel].due(Due(identity, cause.event, cause.customer, written))
        yield key, said(what)


def _decisions(played: Stage) -> list[Decision]:
    with TopicReader(played.wiring, DECISIONS) as reader:
        return [read_as(reader.decode(message), Decision) for message in reader.until_now()]


def _dead_letters(played: Stage) -> int:
    with TopicReader(played.wiring, DEAD_LETTERS) as reader:
        return sum(1 for _ in reader.until_now())


def _latency(expected: Expected, told: list[Told]) -> dict[str, float]:
    """From the event's publication to the receiver, in milliseconds, of messages that name their delivery."""
    began = {identity: cause.event.created_at.timestamp() for identity, cause in expected.causes.items()}
    took = sorted((one.at - began[one.key]) * 1000 for one in told if one.key in began)
    if len(took) < 2:
        return {"p50": 0.0, "p99": 0.0}
    cuts = statistics.quantiles(took, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


def _is_right(report: dict[str, Any], expected: Expected, malformed: int) -> bool:
    """Compare as multisets; name each difference."""
    wanted: dict[str, Any] = {**dict.fromkeys(_DIFFERENCES, 0), "unverified": 0, "dead_letters": malformed}
    wanted |= {"matched": expected.matched, "skipped": dict(expected.skipped), "api": recomputed(expected)}
    wrong = {name: value for name, value in wanted.items() if report[name] != value}
    for name, value in wrong.items():
        fail(f"{name}: {report[name]}, expected {value}")
    return not wrong


def _show(report: dict[str, Any], played: Stage, *, kept: bool) -> None:
    latency, skipped = report["latency_ms"], ", ".join(f"{name} {count}" for name, count in report["skipped"].items())
    rows = [
        ("events", report["events"]),
        ("matched", report["matched"]),
        *((f"delivered by {channel}", Compared(**found).said) for channel, found in report["channels"].items()),
        ("skipped", skipped or 0),
        ("dead-lettered", report["dead_letters"]),
        ("the API says", ", ".join(f"{name} {sum(found.values())}" for name, found in report["api"].items())),
        ("event to receiver", f"p50 {latency['p50']} ms, p99 {latency['p99']} ms"),
    ]
    show_text("")
    for name, value in rows:
        show_text(f"  {name:<28} {value}")
    mails = played.fakes["email"].mails
    if mails:
        example = played.folder / "example.eml"
        example.write_bytes(mails[0].content)
        show_text(f"\n  an e-mail: {example}    the numbers: {played.folder / 'report.json'}")
    first = next(iter(played.fakes["webhook"].received), None)
    _show_next(first.id if first else "dlv_…", kept=kept)
    if kept:
        show_text(
            f"\nThe API is at {played.api.address}, here with a key that looks and changes nothing:\n"
            f"  curl -H 'Authorization: Bearer {played.api.key}' '{played.api.address}/statistics?by=channel,reason'"
        )


def _show_next(delivery: str, *, kept: bool) -> None:
    settings = shlex.quote(str((FOLDER / "tidings.toml").absolute()))
    path = "" if shutil.which("tidings") else f" PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
    show_text(
        ("\nIn" if kept else "\nTo play on, `tidings demo --keep` (`make demo KEEP=1`), and in")
        + " another terminal:\n"
        f"  export TIDINGS_SETTINGS={escape(settings + path)}\n"
        f"  tidings why {delivery}\n"
        "  tidings deliveries list --counts\n"
        "  tidings tail deliveries.email --from-start --limit 3\n"
        "  tidings dead-letters list --limit 5\n"
        f"  tidings apply {FOLDER}/examples/distributions --dry-run"
    )


async def _keep(played: Stage) -> None:
    async with everything(played) as link:
        show_text(f"\nThe pages, of which you are the admin, begin here; the link can be used once:\n  {link}")
        show_text("\nEverything is running; Ctrl-C stops it.")
        while True:
            await asyncio.to_thread(_look_after, played)
            await asyncio.sleep(1.0)
