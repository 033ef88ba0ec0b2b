"""Statistics as the command gives them, on real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from console.cli.main import app
from schemas.delivery import EventRef
from schemas.topics import DECISIONS
from store.read_models.recorded import Recorded
from tests.environment import set_environment
from tests.integration.test_recorder import KEEP, NOW, decision, put, status

Stats = Callable[..., Awaitable[Any]]


@pytest.fixture
async def recorded(wiring: Wiring) -> AsyncIterator[asyncpg.Pool]:
    """Some of what two distributions decided and sent within two hours, and long before."""
    sent = EventRef(id="ev", type="manual_distribution_schedule", created_at=NOW, send_id="snd_1")
    async with database(wiring) as pool:
        decisions = [
            decision(1, outcome="emitted", reason=None, arm="a"),
            decision(2, outcome="emitted", reason=None, arm="b"),
            decision(3, NOW - timedelta(hours=2), reason="capped"),
            decision(4, NOW - timedelta(days=40)),
            decision(5, outcome="emitted", reason=None, event=sent),
            decision(6, project_id="outlet"),
        ]
        await put(Recorded(pool, KEEP), decisions)
        await put(Recorded(pool, KEEP), [status(1, arm="a"), status(1, arm="a", outcome="opened"), status(2, arm="b")])
        yield pool


@pytest.fixture
def stats(wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> Stats:
    """The command."""
    set_environment(monkeypatch, wiring)

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["stats", *arguments])

    return run


def rows(done: Any) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_the_last_day_is_shown_by_distribution(recorded: asyncpg.Pool, stats: Stats) -> None:
    assert rows(await stats("--json")) == [
        {"of": "decisions", "distribution": "thanks", "outcome": "emitted", "records": 3},
        {"of": "decisions", "distribution": "thanks", "outcome": "skipped", "records": 1},
        {"of": "deliveries", "distribution": "thanks", "outcome": "opened", "records": 1},
        {"of": "deliveries", "distribution": "thanks", "outcome": "sent", "records": 2},
    ]
    shown = (await stats("thanks", "--since", "60d")).stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["of", "outcome", "records"], ["decisions", "emitted", "3"], ["decisions", "skipped", "2"],
        ["deliveries", "opened", "1"], ["deliveries", "sent", "2"],
    ]  # fmt: skip


async def test_they_are_kept_apart_as_asked(recorded: asyncpg.Pool, stats: Stats) -> None:
    found = rows(await stats("thanks", "--by", "arm", "--by", "reason", "--json"))
    assert [(row["of"], row["outcome"], row["reason"], row["arm"], row["records"]) for row in found] == [
        ("decisions", "emitted", "", "", 1), ("decisions", "emitted", "", "a", 1), ("decisions", "emitted", "", "b", 1),
        ("decisions", "skipped", "capped", "", 1), ("deliveries", "opened", "", "a", 1),
        ("deliveries", "sent", "", "a", 1), ("deliveries", "sent", "", "b", 1),
    ]  # fmt: skip
    hours = rows(await stats("--by", "hour", "--since", "3h", "--json"))
    assert [(row["hour"], row["outcome"], row["records"]) for row in hours if row["of"] == "decisions"] == [
        (f"{NOW - timedelta(hours=2):%Y-%m-%d %H}:00+0000", "skipped", 1), (f"{NOW:%Y-%m-%d %H}:00+0000", "emitted", 3),
    ]  # fmt: skip
    days = rows(await stats("--by", "day", "--since", "60d", "--json"))
    assert days[0] == {
        "of": "decisions",
        "day": f"{NOW - timedelta(days=40):%Y-%m-%d}",
        "outcome": "skipped",
        "records": 1,
    }
    assert rows(await stats("--send", "snd_1", "--json")) == [{"of": "decisions", "outcome": "emitted", "records": 1}]


async def test_of_another_project_nothing_is_seen(recorded: asyncpg.Pool, stats: Stats) -> None:
    assert rows(await stats("--project", "outlet", "--json")) == [
        {"of": "decisions", "distribution": "thanks", "outcome": "skipped", "records": 1}
    ]


async def test_what_is_not_recorded_yet_is_said(recorded: asyncpg.Pool, stats: Stats, wiring: Wiring) -> None:
    assert "not recorded yet" not in (await stats()).stderr
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic(DECISIONS), b"c1", b"{}")] * 3, patience=60)
    producer.close()
    assert "3 records of decisions and deliveries not recorded yet, the oldest for" in (await stats()).stderr


async def test_it_answers_where_kafka_is_away(
    recorded: asyncpg.Pool, stats: Stats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_KAFKA", "127.0.0.1:1")
    done = await stats("thanks", "--json")
    assert len(rows(done)) == 4
    assert "what is not recorded yet is not known" in done.stderr


async def test_a_distribution_that_nothing_is_known_of_is_named(recorded: asyncpg.Pool, stats: Stats) -> None:
    done = await stats("thansk")
    assert done.exit_code == 1
    assert 'no distribution "thansk"' in str(done.exception)
    assert 'by: "chanel" is not valid' in str((await stats("--by", "chanel")).exception)
