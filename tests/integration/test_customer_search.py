"""Customers found by what people know of them, as segmenters keep them, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from agents.wiring import Wiring
from console.cli.main import app
from deploy.settings.settings import Settings
from store.segment_transaction import Profile
from store.segments import Segments
from tests.environment import set_environment
from tests.integration.api_client import Api, running_api, wired

PEOPLE: list[dict[str, Any]] = [
    {"id": "c1", "name": "Anna Maria Kowalska", "email": "Anna.K@shop.example", "phone": "+48 501 234 567",
     "source_id": "ERP-17", "locale": "pl-PL", "metadata": {"plan": "gold"}},
    {"id": "c10", "name": "Jan Żółć", "email": "zolc@shop.example"},
    {"id": "c2", "name": "Kowalska-Nowak Ewa", "email": "ewa@else.example", "phone": "501234567"},
    {"id": "anna", "name": {"first": "Otto"}, "email": 7},
    {"id": "100%_\\", "name": "O'Hara \u0000 % _"},
]  # fmt: skip


async def put(pool: asyncpg.Pool, profiles: list[dict[str, Any]], project: str = "shop") -> None:
    async with Segments(pool).transaction() as work:
        await work.put_customers(project, [Profile(one["id"], 0, 0, msgspec.json.encode(one)) for one in profiles])


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("customers",)) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        await put(running.pool, PEOPLE)
        await put(running.pool, [{"id": "c1", "name": "Anna of another project"}], project="outlet")
        yield running


async def found(api: Api, text: str, **more: Any) -> list[str]:
    answer = await api.ask("POST", "/customers/find", {"text": text, **more})
    assert answer.status == 200, answer.json
    return [one["customer_id"] for one in answer.json["found"]]


FOUND: list[tuple[str, list[str]]] = [
    ("c1", ["c1", "c10"]),
    ("anna", ["anna", "c1"]),
    ("  ANNA maria ", ["c1"]),
    ("kowalska", ["c1", "c2"]),
    ("zolc", ["c10"]),
    ("ŻÓŁĆ j", ["c10"]),
    ("anna.k@SHOP", ["c1"]),
    ("ERP-17", ["c1"]),
    ("erp", []),
    ("501 234 567", ["c1", "c2"]),
    ("+48501234567", ["c1"]),
    ("0048 501 234 567", ["c1"]),
    ("4567", []),
    ("maria", []),
    ("%", []),
    ("_", ["100%_\\"]),
    ("100%", ["100%_\\"]),
    ("o'hara", ["100%_\\"]),
    ("'; drop table segment_customers; --", []),
    ("\u0000", []),
    ("\U0010ffff", []),
]


async def test_customers_are_found_by_what_is_known_of_them(api: Api) -> None:
    assert [(text, await found(api, text)) for text, _ in FOUND] == FOUND


async def test_what_is_shown_are_texts_and_that_there_are_more(api: Api) -> None:
    answer = await api.ask("POST", "/customers/find", {"text": "kowalska", "limit": 1})
    shown = {name: PEOPLE[0][name] for name in ("source_id", "name", "email", "phone", "locale")}
    assert answer.json == {"found": [{"customer_id": "c1", **shown}], "more": True}
    answer = await api.ask("POST", "/customers/find", {"text": "anna", "limit": 1})
    nothing = dict.fromkeys(("source_id", "name", "email", "phone", "locale"))
    assert answer.json["found"] == [{"customer_id": "anna", **nothing}], "an id that is just that comes first"
    for text in ("", " \t", "x" * 201, 7, None):
        answer = await api.ask("POST", "/customers/find", {"text": text})
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/text"), text
        assert "x" * 50 not in str(answer.json)


async def test_they_are_listed_and_read_one_by_one(api: Api) -> None:
    assert await api.listed("/customers?limit=2", "customer_id") == ["100%_\\", "anna", "c1", "c10", "c2"]
    answer = await api.ask("GET", "/customers/c1")
    assert answer.json == {"customer_id": "c1", "profile": PEOPLE[0]}
    answer = await api.ask("GET", "/customers/nobody")
    assert (answer.status, "none came yet" in answer.json["detail"]) == (404, True)


async def test_what_changes_is_found_by_what_it_is_now_and_what_is_erased_by_nothing(api: Api) -> None:
    await put(api.pool, [{"id": "c1", "name": "Anna Nowa", "email": "nowa@shop.example"}])
    assert (await found(api, "kowalska"), await found(api, "nowa")) == (["c2"], ["c1"])
    async with Segments(api.pool).transaction() as work:
        await work.erase("shop", ["c1"])
    assert await found(api, "nowa") == []
    left = await api.pool.fetch(
        "select to_jsonb(c) - 'profile' as row from segment_customers c where project_id = 'shop'"
    )
    assert "nowa@" not in str(left) and "anna nowa" not in str(left)


async def test_the_command_finds_and_shows(api: Api, wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, wiring)

    async def run(*words: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["customers", *words])

    shown = await run("find", "kowalska", "--limit", "1")
    assert shown.exit_code == 0 and "Anna Maria Kowalska" in shown.output and "more than 1" in shown.output
    lines = (await run("find", "kowalska", "--json")).stdout.splitlines()
    assert [msgspec.json.decode(line)["customer id"] for line in lines] == ["c1", "c2"]
    assert msgspec.json.decode((await run("show", "c1")).stdout) == PEOPLE[0]
    refused = await run("show", "nobody")
    assert "no profile of nobody is kept" in str(refused.exception)
