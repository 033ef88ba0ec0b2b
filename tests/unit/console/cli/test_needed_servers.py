"""A command asks for the servers that it uses, and for no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli.context import load_wiring
from console.cli.main import app
from schemas.errors import CannotStart, TryLater

NOBODY = "postgresql://nobody@127.0.0.1:1/none"
POSTGRES = (
    "campaigns list",
    "campaigns show a",
    "campaigns codes a",
    "campaigns generate a --count 1",
    "campaigns import codes.csv --campaign a",
    "campaigns apply campaign.yaml --yes",
    "segments list",
    "segments show a",
    "segments members a",
    "segments count a",
    "segments of c1",
    "segments delete a",
    "segments apply segment.yaml --yes",
    "distributions list",
    "distributions show a",
    "distributions history a",
    "apply distribution.yaml --dry-run",
    "destinations",
    "users list",
    "users invite a@b.example --role viewer",
    "notices",
    "preview winback",
    "templates preview winback --event event.json",
)
KAFKA = (
    "topics plan",
    "topics apply",
    "lag",
    "top --once",
    "tail decisions",
    "dead-letters list",
    "publish events.jsonl",
)
BOTH = (
    "apply distribution.yaml --yes",
    "distributions pause a",
    "simulate --event event.json",
    "preflight winback",
    "why c1",
    "customers erase c1",
    "stats",
    "rebuild read-models",
    "worker sender",
)


@pytest.fixture(autouse=True)
def no_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with files for each command, and no address of any server."""
    monkeypatch.chdir(tmp_path)
    for name in ("TIDINGS_KAFKA", "TIDINGS_POSTGRES", "TIDINGS_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("campaign.yaml", "segment.yaml", "distribution.yaml", "codes.csv", "events.jsonl"):
        Path(name).write_text("")
    Path("event.json").write_text("{}")


def failure(command: str) -> str:
    error = CliRunner().invoke(app, command.split()).exception
    assert isinstance(error, CannotStart), (command, error)
    return str(error)


@pytest.mark.parametrize("command", POSTGRES)
def test_what_uses_postgres_alone_asks_for_it_alone(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failure(command) == "no Postgres: start one with `tidings up`, or name yours in TIDINGS_POSTGRES"
    monkeypatch.setenv("TIDINGS_POSTGRES", NOBODY)
    assert isinstance(CliRunner().invoke(app, command.split()).exception, TryLater)


@pytest.mark.parametrize("command", KAFKA)
def test_what_uses_kafka_alone_asks_for_it_alone(command: str) -> None:
    assert failure(command) == "no Kafka: start one with `tidings up`, or name yours in TIDINGS_KAFKA"


@pytest.mark.parametrize("command", BOTH)
def test_what_uses_both_asks_for_what_is_missing(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    both = "start both with `tidings up`, or name yours in TIDINGS_KAFKA and TIDINGS_POSTGRES"
    assert failure(command) == f"no Kafka and no Postgres: {both}"
    monkeypatch.setenv("TIDINGS_POSTGRES", NOBODY)
    assert failure(command).startswith("no Kafka: start one")


def test_with_what_is_known_a_command_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_KAFKA", "127.0.0.1:1")
    assert load_wiring("kafka").settings.kafka.bootstrap == "127.0.0.1:1"
    monkeypatch.setenv("TIDINGS_POSTGRES", NOBODY)
    assert load_wiring().settings.postgres.dsn.reveal() == NOBODY
