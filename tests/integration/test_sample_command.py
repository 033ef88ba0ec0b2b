"""`tidings sample --distribution`: an event that a distribution sends, about whoever is named, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from agents.clock import utc_now
from console.cli.main import app
from console.control.not_found import NotFound
from console.control.preview.messages import Candidate, unguarded
from schemas.distribution import Distribution
from store.distributions import Change, Control
from tests.factory import rule

ABOUT = {
    "entered": {"event": "customer.segment.entered", "segment": "lapsed-90-days"},
    "paid": {"event": "customer.order.paid"},
}
Run = Callable[..., Any]


@pytest.fixture
def tidings(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    for name, value in {"POSTGRES": dsn, "PROJECT_ID": "shop", "KAFKA": "localhost:1"}.items():
        monkeypatch.setenv(f"TIDINGS_{name}", value)
    return lambda *arguments: asyncio.to_thread(CliRunner().invoke, app, ["sample", *arguments])


@pytest.fixture
async def rules(pool: asyncpg.Pool) -> dict[str, Distribution]:
    made = {
        name: msgspec.structs.replace(rule(distribution=name, trigger=trigger), project_id="shop")
        for name, trigger in ABOUT.items()
    }
    await Control(pool).save([Change(one, "", ()) for one in made.values()], applied_by="ann", now=utc_now())
    return made


@pytest.mark.parametrize("name", ABOUT)
async def test_it_is_an_event_that_the_distribution_sends(
    tidings: Run, rules: dict[str, Distribution], name: str
) -> None:
    began = utc_now()
    done = await tidings("--distribution", name, "--customer", "cust_7")
    assert done.exit_code == 0, done.output
    event = msgspec.json.decode(done.stdout)
    assert (event["type"], event["project_id"]) == (ABOUT[name]["event"], "shop")
    assert event["data"]["customer"] == {"id": "cust_7"}, "so that the profile that is kept counts"
    assert event["data"].get("segment", {}).get("id") == ABOUT[name].get("segment")
    assert began <= datetime.fromisoformat(event["created_at"]) <= utc_now()
    outcome = unguarded(Candidate(rules[name], {}), event, {"id": "cust_7", "email": "a@b.example"}, UTC, began)
    assert [one.customer.id for one in outcome.deliveries] == ["cust_7"], "a matcher takes it"


async def test_each_is_another_event_and_without_a_customer_about_the_samples(
    tidings: Run, rules: dict[str, Distribution]
) -> None:
    first, second = [msgspec.json.decode((await tidings("--distribution", "paid")).stdout) for _ in range(2)]
    assert first["id"] != second["id"]
    assert (first["data"], len(first["data"]["customer"]) > 1) == (second["data"], True)


async def test_what_it_cannot_make_is_said(tidings: Run, rules: dict[str, Distribution]) -> None:
    gone = await tidings("--distribution", "entred")
    assert (gone.exit_code, isinstance(gone.exception, NotFound)) == (1, True)
    assert 'Did you mean "entered"?' in str(gone.exception)
    both = await tidings("customer.order.paid", "--distribution", "entered")
    assert (both.exit_code, "name an event type, or a distribution" in both.output) == (2, True)
