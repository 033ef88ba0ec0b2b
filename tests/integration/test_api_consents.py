"""Consents over the API and by the command, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from agents.wiring import Wiring
from console.cli.main import app
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.consent_choices import ConsentChoices
from store.sending.ledger import Ledger
from tests.integration.api_client import Answer, Api, running_api
from tests.integration.test_store import claim
from tests.integration.test_store import new as new_delivery


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def put(api: Api, given: Any, query: str = "", customer: str = "c1", **more: Any) -> Answer:
    return await api.ask(
        "PUT", f"/customers/{customer}/consents{query}", {"given": given}, **{"role": "editor", **more}
    )


async def stands(api: Api, customer: str = "c1", **more: Any) -> dict[str, bool]:
    answer = await api.ask("GET", f"/customers/{customer}/consents", **{"role": "viewer", **more})
    assert answer.status == 200, answer.json
    return {one["category"]: one["is_given"] for one in answer.json["categories"]}


async def leaves(api: Api, number: int, category: str = "marketing") -> str | None:
    """The reason why a delivery that has just come does not leave."""
    await claim(Ledger(api.pool), "s", [new_delivery(number, category=category, customer_id="c1")])
    reason: str | None = await api.pool.fetchval("select reason from deliveries where delivery_id = $1", f"d{number}")
    return reason


async def test_a_withdrawal_that_somebody_writes_down_counts_at_once(api: Api) -> None:
    before = await stands(api)
    assert set(before) >= {"marketing"} and all(before.values())
    tried = await put(api, {"marketing": False}, "?dry_run=true")
    assert (tried.status, tried.json["is_new"], await stands(api)) == (200, True, before)
    assert await leaves(api, 1) is None
    done = [(await put(api, {"marketing": False})).json for _ in range(2)]
    assert [one["is_new"] for one in done] == [True, False]
    assert (await stands(api))["marketing"] is False
    assert await leaves(api, 2) == "consent"
    shown = (await api.ask("GET", "/customers/c1/consents")).json
    assert (shown["by_profile"], shown["has_left_all"]) == (None, False)
    ((choice),) = shown["choices"]
    assert (choice["category"], choice["given"], choice["way"], choice["delivery_id"]) == (
        "marketing", False, "staff", None,
    )  # fmt: skip
    rows = (await api.ask("GET", "/audit?action=customer.consents_set")).json["items"]
    assert [(one["thing"], one["change"]) for one in rows] == [("c1", {"given": {"marketing": False}})]
    assert await api.pool.fetchval("select count(*) from outbox where topic = 'consents'") == 1
    assert await put(api, {"marketing": True}) and await leaves(api, 3) is None


async def test_who_left_everything_and_asks_for_one_again_gets_that_alone(api: Api) -> None:
    await ConsentChoices(api.pool).choose("shop", "c1", {"*": False}, way="page", delivery_id="dlv_1")
    assert not any((await stands(api)).values())
    await put(api, {"marketing": True})
    after = await stands(api)
    assert [name for name, given in after.items() if given] == ["marketing"] and len(after) > 1
    await put(api, {"*": False})
    assert not any((await stands(api)).values())
    assert (await api.ask("GET", "/customers/c1/consents")).json["has_left_all"] is True


async def test_what_is_wrong_with_a_choice_is_told_where_it_stands(api: Api) -> None:
    for given, pointer in (
        ({"marketin": False}, "/given/marketin"), ({"transactional": False}, "/given/transactional"),
        ({}, "/given"), ({"marketing": "no"}, "/given"), (None, "/given"),
    ):  # fmt: skip
        for query in ("", "?dry_run=true"):
            answer = await put(api, given, query)
            assert (answer.status, answer.json["errors"][0]["pointer"].startswith(pointer)) == (422, True), answer.json
    near = await put(api, {"marketin": False, "loyality": True})
    assert (near.json["errors"][0]["nearest"], len(near.json["errors"])) == ("marketing", 2)
    assert (await put(api, {"marketing": False}, customer="a%1Fb")).status == 422
    assert await api.pool.fetchval("select count(*) from consent_choices") == 0


async def test_only_who_writes_customers_sets_them_and_of_the_own_project(api: Api) -> None:
    assert (await put(api, {"marketing": False}, role="viewer")).json["permission"] == "customers:write"
    key = await api.new_key("editor", kind="test")
    assert [(await put(api, {"marketing": False}, one, key=key)).status for one in ("", "?dry_run=true")] == [403, 200]
    await put(api, {"marketing": False}, project="outlet")
    assert ((await stands(api))["marketing"], (await stands(api, project="outlet"))["marketing"]) == (True, False)


async def test_the_command_shows_and_writes_down_the_same(
    api: Api, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"TIDINGS_POSTGRES": dsn, "TIDINGS_PROJECT_ID": "shop"}

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner(env=environ).invoke, app, ["customers", "consents", "c1", *arguments])

    def rows(told: Any) -> dict[str, bool]:
        found = [msgspec.json.decode(line) for line in told.stdout.splitlines()]
        return {one["category"]: one["sent"] for one in found}

    assert rows(await run("--withdraw", "marketing", "--dry-run", "--json"))["marketing"] is True
    assert rows(await run("--withdraw", "marketing", "--json"))["marketing"] is False
    assert (await stands(api))["marketing"] is False
    wrong = await run("--withdraw", "marketin")
    assert (wrong.exit_code, "marketing" in f"{wrong.output}{wrong.exception}") == (1, True)
    assert rows(await run("--ask-for", "marketing", "--json"))["marketing"] is True
