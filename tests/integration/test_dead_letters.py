"""Dead-letters listed, shown and put back where they came from, on a real broker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.main import app
from console.control.refused_records import dead_letters_of
from schemas.dead_letter import DeadLetter
from tests.environment import environment_of


class Said(NamedTuple):
    """The output of a command, on one line, with what it failed with, and its exit code."""

    text: str
    code: int


Run = Callable[..., Awaitable[Said]]


@pytest.fixture
def tidings(wiring: Wiring) -> Run:
    """Run a command about dead-letters in this process."""
    environ = environment_of(wiring)

    async def run(*arguments: str) -> Said:
        done = await asyncio.to_thread(CliRunner(env=environ).invoke, app, ["dead-letters", *arguments])
        return Said(f"{done.output}{done.exception or ''}", done.exit_code)

    return run


async def write(wiring: Wiring, *outputs: Output) -> None:
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, outputs)
    producer.close()


async def test_a_dead_letter_is_shown_and_replayed_as_it_was(wiring: Wiring, tidings: Run) -> None:
    hour_ago = int((time.time() - 3600) * 1000)
    own = [("a", b"\xff"), ("a", None), ("tidings-topic", b"customers"), ("\udcfe", b"")]
    facts = DeadLetter(
        topic="events.orders", partition=3, offset=5, role="matcher", kind="undecodable", message="why",
        failed_at="2026-11-24T08:00:00+00:00", timestamp=hour_ago, own_headers=len(own),
    )  # fmt: skip
    topic = wiring.topic("dead-letters")
    await write(
        wiring,
        Output(topic, b"c0", b"no dead-letter"),
        Output(topic, b"c1", b"{bad", -1, facts.headers(own)),
        Output(topic, b"c1", b"{", -1, replace(facts, kind="too_large", cut=99).headers(own)),
    )

    listed = [json.loads(line) for line in (await tidings("list", "--json")).text.splitlines()]
    assert [(one["place"], one["record"], one["message"]) for one in listed] == [
        ("0:1", "3@5", "why"), ("0:2", "3@5", "why"),
    ]  # fmt: skip
    of_customer = await asyncio.to_thread(dead_letters_of, wiring, b"c1")
    assert [(one.place, one.record, one.facts.message) for one in of_customer] == [
        ("0:1", "events.orders 3@5", "why"), ("0:2", "events.orders 3@5", "why"),
    ]  # fmt: skip
    assert (await tidings("list", "--json", "--kind", "too_large")).text.count("\n") == 1
    assert (await tidings("list", "--json", "--since", "2026-11-25")).text == ""
    shown = (await tidings("show", "0:1")).text
    assert "{bad" in shown
    assert json.loads(shown.splitlines()[0])["headers"][3] == ["\\xfe", ""]
    assert 'no dead-letter "7"' in (await tidings("show", "7")).text
    assert "must be PARTITION:OFFSET" in (await tidings("show", "x")).text
    assert "would replay 0:1" in (await tidings("replay", "0:1", "--dry-run")).text
    for arguments in (["replay"], ["replay", "0:1", "--all"]):
        assert (await tidings(*arguments)).code == 2
    with TopicReader(wiring, "events.orders") as reader:
        assert list(reader.until_now()) == []
    done = await tidings("replay", "1")
    assert "replayed 0:1 as events.orders 3@0 (1 header names were not UTF-8" in done.text.replace("\n", " ")
    partly = await tidings("replay", "--topic", "events.orders", "--after", "0:0")
    assert (partly.code, "too large to be kept whole" in partly.text.replace("\n", " ")) == (1, True)
    with TopicReader(wiring, "events.orders") as reader:
        for again in reader.until_now():
            assert (again.partition(), again.key(), again.value()) == (3, b"c1", b"{bad")
            assert again.timestamp()[1] == hour_ago
            assert again.headers() == [*own[:3], ("\\xfe", b"")]


async def test_a_record_that_its_topic_would_not_keep_is_put_back_with_the_present_time(
    wiring: Wiring, tidings: Run
) -> None:
    """Kafka takes out what is old by the time in the record, and takes in nothing of a time to come."""
    begun = int(time.time() * 1000)
    month_ago, in_a_month = begun - 30 * 86_400_000, begun + 30 * 86_400_000
    facts = DeadLetter(
        topic="events.orders", partition=0, offset=0, role="matcher", kind="undecodable", message="", failed_at="now"
    )
    letters = [
        Output(wiring.topic("dead-letters"), b"c1", b"{bad", -1, replace(facts, topic=topic, timestamp=at).headers())
        for topic, at in (("events.orders", month_ago), ("events.orders", in_a_month), ("customers", month_ago))
    ]
    await write(wiring, *letters)
    done = [json.loads(line) for line in (await tidings("replay", "--all", "--json")).text.splitlines()]
    why = "its time is the present one: the topic would not keep it with its own"
    assert [one["note"] for one in done] == [why, why, ""]
    with TopicReader(wiring, "events.orders") as reader:
        assert [one.timestamp()[1] >= begun for one in reader.until_now()] == [True, True]
    with TopicReader(wiring, "customers") as reader:
        assert [one.timestamp()[1] for one in reader.until_now()] == [month_ago], "compacted: it is kept as it is"


async def test_a_replay_never_takes_the_place_of_what_came_later(wiring: Wiring, tidings: Run) -> None:
    """A withdrawn consent would be back to what it was."""
    facts = DeadLetter(
        topic="customers", partition=1, offset=0, role="matcher", kind="internal", message="", failed_at="now"
    )
    customers, topic = wiring.topic("customers"), wiring.topic("dead-letters")
    await write(
        wiring,
        *(Output(customers, key, b"{}", 1) for key in (b"c1", b"c2", b"c1")),
        Output(topic, b"c1", b"{1}", -1, facts.headers()),
        Output(topic, b"c2", b"{2}", -1, replace(facts, offset=1).headers()),
    )
    done = await tidings("replay", "--all")
    assert "customers has a newer record of the same key, at 2" in done.text.replace("\n", " ")
    with TopicReader(wiring, "customers") as reader:
        assert [(one.key(), one.value()) for one in reader.until_now([1])][3:] == [(b"c2", b"{2}")]


async def test_a_mended_record_is_shown_as_a_difference_and_put_back(
    wiring: Wiring, tidings: Run, tmp_path: Path
) -> None:
    facts = DeadLetter(
        topic="customers", partition=2, offset=0, role="matcher", kind="invalid_event", message="", failed_at="now"
    )
    await write(wiring, Output(wiring.topic("dead-letters"), b"c1", b'{"id": 7, "name": "Ann"}', -1, facts.headers()))
    (tmp_path / "wrong.json").write_text('{"id": "c2"}')
    (tmp_path / "right.json").write_text('{"id": "c1", "name": "Ann", "locale": "pl"}')
    wrong = await tidings("mend", "0:0", str(tmp_path / "wrong.json"))
    assert (wrong.code, "the record's key is" in wrong.text) == (1, True)
    dry = await tidings("mend", "0:0", str(tmp_path / "right.json"), "--dry-run")
    assert ('id: 7 → "c1"' in dry.text, 'locale: nothing → "pl"' in dry.text, dry.code) == (True, True, 0), dry.text
    done = json.loads((await tidings("mend", "0:0", str(tmp_path / "right.json"), "--json")).text)
    assert (done["now_at"], done["changes"][1]) == ("customers 2@0", {"path": "locale", "after": "pl"})
    with TopicReader(wiring, "customers") as reader:
        ((key, value, headers),) = [(one.key(), one.value(), one.headers()) for one in reader.until_now()]
    assert (key, json.loads(value)["locale"], headers) == (b"c1", "pl", [("tidings-mended", b"0:0")])
