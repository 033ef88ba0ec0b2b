"""The worked subscriber of `deliveries.*`, as a process of its own on a real Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.reference.record_examples import examples
from schemas.closed import CHANNELS, ChannelName
from schemas.contract import LEDGER, record_type, released_file
from schemas.topics import deliveries
from tests import ROOT
from tests.unit.schemas.test_released import written

PROGRAM = ROOT / "examples" / "subscribers" / "deliveries.py"
SCHEMAS = ROOT / "schemas" / "avro"
LIBRARIES = "org.apache.kafka:kafka-clients:4.1.1+org.apache.avro:avro:1.12.1"
PATIENCE = 120.0


def example(channel: ChannelName, delivery_id: str) -> Any:
    """The delivery of a channel that the reference shows, with another id."""
    (shown,) = examples(deliveries(channel))
    return msgspec.convert({**shown, "delivery_id": delivery_id}, record_type(deliveries(channel)))


def of_channel(wiring: Wiring, channel: ChannelName, delivery_id: str) -> Output:
    topic = deliveries(channel)
    return Output(wiring.topic(topic), b"c1", wiring.codec(topic).encode(example(channel, delivery_id)))


def sent(wiring: Wiring) -> list[Output]:
    """A delivery of each channel, and one by a schema of an earlier release."""
    today = [of_channel(wiring, channel, f"dlv_{number}") for number, channel in enumerate(CHANNELS)]
    return [*today, Output(wiring.topic("deliveries.webhook"), b"c1", of_a_release())]


def of_a_release() -> bytes:
    """A webhook's delivery as the first release that has one wrote it: without what came later."""
    fingerprint = json.loads(LEDGER.read_text())["deliveries.webhook"][0]
    schema = json.loads(released_file("deliveries.webhook", bytes.fromhex(fingerprint)).read_text())
    record: Any = msgspec.to_builtins(example("webhook", "dlv_old"), builtin_types=(datetime,))
    record["data"] = json.dumps(record["data"])
    record["webhook"] = {**record["webhook"], "payload": None}
    return written(schema, record)


async def lines(running: subprocess.Popen[str], count: int) -> list[dict[str, Any]]:
    assert running.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return [json.loads(await asyncio.to_thread(running.stdout.readline)) for _ in range(count)]


def in_python(wiring: Wiring, group: str, _folder: Path) -> list[str]:
    options = ["--bootstrap", wiring.kafka.bootstrap, "--schemas", str(SCHEMAS)]
    return [sys.executable, "-P", str(PROGRAM), *options, "--prefix", wiring.topic(""), "--group", group]


def in_java(wiring: Wiring, group: str, folder: Path) -> list[str]:
    """Compiled first; the libraries come as the broker's own do."""
    compiler = shutil.which("javac")
    if compiler is None:
        pytest.skip("no javac on the PATH")
    from jgo import resolve

    jars = sorted({str(Path(one.resolve())) for one in resolve(LIBRARIES)})
    path = ":".join([*jars, str(folder)])
    subprocess.run([compiler, "-cp", path, "-d", str(folder), str(PROGRAM.with_name("Deliveries.java"))], check=True)
    options = [wiring.kafka.bootstrap, str(SCHEMAS), group, wiring.topic("")]
    return [str(Path(compiler).with_name("java")), "-cp", path, "Deliveries", *options]


def started(command: list[str], folder: Path) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, encoding="utf-8")


def data_of(delivery: dict[str, Any]) -> Any:
    """A delivery's objects; a program without JSON shows them as Avro has them."""
    data = delivery["data"]
    return json.loads(data) if isinstance(data, str) else data


@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", [in_python, in_java])
async def test_the_subscriber_reads_each_delivery_and_goes_on_where_it_was(
    wiring: Wiring, tmp_path: Path, program: Callable[[Wiring, str, Path], list[str]]
) -> None:
    command = await asyncio.to_thread(program, wiring, f"{wiring.topic('')}warehouse", tmp_path)
    producer, outputs = Producer(wiring.kafka.client()), sent(wiring)
    await write_all(producer, outputs, patience=PATIENCE)
    running = started(command, tmp_path)
    try:
        came = await lines(running, len(outputs))
        found = {one["delivery"]["delivery_id"]: one["delivery"] for one in came}
        assert found.keys() == {*(f"dlv_{number}" for number in range(len(CHANNELS))), "dlv_old"}
        assert {one["channel"] for one in came} == {*CHANNELS}
        assert {data_of(one)["customer"]["name"] for one in found.values()} == {"Jack Nowak"}
        assert found["dlv_old"]["webhook"]["envelope"] is True, "a field that came later has its default"
        running.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.wait, PATIENCE) in (0, 128 + signal.SIGTERM)
        running = started(command, tmp_path)
        await write_all(producer, [of_channel(wiring, "sms", "dlv_later")], patience=PATIENCE)
        assert [line["delivery"]["delivery_id"] for line in await lines(running, 1)] == ["dlv_later"]
    finally:
        running.kill()
        running.wait()
        producer.close(1.0)


def test_the_subscriber_knows_nothing_of_ours() -> None:
    imported = [line for line in PROGRAM.read_text().splitlines() if line.startswith(("import ", "from "))]
    assert imported
    ours = [one for one in imported if one.split()[1].split(".")[0] in {path.name for path in ROOT.iterdir()}]
    assert ours == []


@pytest.mark.parametrize("raw", [b"\0\0\0\0\1x", b"\xc3\x01" + b"a" * 8, b""])
def test_what_the_subscriber_cannot_read_it_says(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    reader: Any = __import__("deliveries").Reader(SCHEMAS, "deliveries.sms")
    with pytest.raises(ValueError, match="neither Avro|no schema with the fingerprint 6161616161616161"):
        reader.read(raw)
