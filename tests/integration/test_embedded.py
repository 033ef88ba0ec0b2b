"""The embedded servers: data kept, ports kept, found again, and clear where they cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.terminal import INTERRUPTED
from deploy.embedded.kafka import answers
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.process import free_port, prepare_folder
from deploy.embedded.servers import Servers
from deploy.settings.servers import Kafka
from deploy.settings.settings import Settings
from schemas.errors import CannotStart
from tests import ROOT


async def test_data_and_addresses_survive_restarts_and_crashes(tmp_path: Path) -> None:
    from agents.broker.reader import TopicReader
    from agents.broker.topics import Provision

    servers = Servers(tmp_path, os.environ)
    with servers as first:
        wiring = Wiring(Settings(kafka=Kafka(bootstrap=first.kafka)))
        Provision(wiring).apply()
        producer = Producer(wiring.settings.kafka.client())
        await write_all(producer, [Output("customers", b"c1", wiring.codec("customers").encode({"id": "c1"}))])
        producer.close()
        connection = await asyncpg.connect(first.postgres)
        await connection.execute("create table kept as select 1 as one")
        await connection.close()
        assert Servers(tmp_path, os.environ).start() == first, "a second start finds the running ones"
        servers.kafka.kill()
        servers.postgres.kill()
        assert servers.running() is None
        assert servers.start() == first
        connection = await asyncpg.connect(first.postgres)
        assert await connection.fetchval("select one from kept") == 1
        await connection.close()
        with TopicReader(wiring, "customers") as reader:
            assert [reader.decode(message)["id"] for message in reader.until_now()] == ["c1"]
    assert servers.running() is None
    assert not answers(first.kafka)


def test_a_server_is_known_again_after_the_clock_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = PostgresServer(tmp_path, os.environ)
    server.start()
    try:
        started = psutil.Process.create_time
        monkeypatch.setattr(psutil.Process, "create_time", lambda process: started(process) + 3600)
        monkeypatch.setattr("time.time", lambda now=time.time: now() + 3600)
        assert server.process.running() is not None
    finally:
        monkeypatch.undo()
        server.stop()
    assert server.process.running() is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(CannotStart, match="cannot write in .*TIDINGS_DATA"):
        prepare_folder(file / "data")


def test_a_java_that_is_none_is_said(tmp_path: Path) -> None:
    servers = Servers(tmp_path, {**os.environ, "TIDINGS_JAVA": str(tmp_path)})
    with pytest.raises(CannotStart, match="TIDINGS_JAVA"):
        servers.kafka.start()


def test_a_broker_that_cannot_run_says_why(tmp_path: Path) -> None:
    servers = Servers(tmp_path, {**os.environ, "TIDINGS_JAVA": "/bin/false"})
    with pytest.raises(CannotStart, match="could not be formatted"):
        servers.kafka.start()


def test_a_port_that_is_taken_is_not_taken_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="says which ports connections take")
def test_a_port_is_none_that_a_connection_may_take_meanwhile() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = {free_port() for _ in range(20)}
    assert len(ports) > 10
    assert first < 20_000 or not any(first <= port <= last for port in ports)


@pytest.mark.parametrize(
    ("command", "is_up", "number"),
    [
        (("up",), "postgres/postgres.json", signal.SIGTERM),
        (("demo", "--events", "1"), "var/demo/sender-0.status", signal.SIGINT),
    ],
)
def test_a_start_that_is_ended_in_the_middle_leaves_nothing_running(
    tmp_path: Path, command: tuple[str, ...], is_up: str, number: signal.Signals
) -> None:
    """A signal while something is still starting, and again and again by somebody who does not want to wait."""
    environ = {**os.environ, "TIDINGS_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", "console", *command], env=environ, cwd=tmp_path) as process:
        deadline = time.monotonic() + 240
        while not (tmp_path / is_up).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        started = psutil.Process(process.pid).children(recursive=True)
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(number)
            time.sleep(0.02)
        assert started
        assert process.wait(60) in (0, INTERRUPTED, -number)  # by the signal itself: after everything is done
    assert psutil.wait_procs(started, 60)[1] == []
