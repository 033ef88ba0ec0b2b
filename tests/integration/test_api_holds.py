"""Sends that wait, over the API, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.formats.cursors import write_cursor
from store.holds import HoldRow, Holds
from tests.integration.api_client import Answer, Api, running_api
from tests.integration.test_holds import row

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


def waits(identity: str, **changes: Any) -> HoldRow:
    return row(identity, **{"until_at": LATER, **changes})


async def ids(api: Api, query: str = "", project: str = "shop") -> list[str]:
    """Those of all pages."""
    pages = [page async for page in api.pages(f"/holds?limit=2{query}", role="viewer", project=project)]
    assert all(len(page) == 2 for page in pages[:-1])
    return [one["hold_id"] for page in pages for one in page]


async def cancel(api: Api, query: str = "", project: str = "shop", **body: str) -> Answer:
    return await api.ask("POST", f"/holds/cancel{query}", body, role="operator", project=project)


async def test_pages_go_from_what_is_due_first_to_what_waits_without_an_end(api: Api) -> None:
    paused = {"until_at": None, "reason": "paused", "distribution_id": "late"}
    await Holds(api.pool).add(
        [
            row("hld_9"),
            *(waits(f"hld_{number}") for number in range(3)),
            waits("hld_2", round=1),
            *(row(f"hld_p{number}", **paused) for number in range(3)),
            waits("hld_other", project_id="outlet"),
        ]
    )
    in_order = ["hld_9", "hld_0", "hld_1", "hld_2", "hld_2", "hld_p0", "hld_p1", "hld_p2"]
    assert await ids(api) == in_order
    assert await ids(api, "&reason=paused&distribution=late") == in_order[5:]
    assert await ids(api, "&customer=nobody") == []
    assert await ids(api, project="outlet") == ["hld_other"]
    counted = (await api.ask("GET", "/holds/groups", role="viewer")).json["groups"]
    assert [(one["distribution_id"], one["reason"], one["waiting"], one["due"]) for one in counted] == [
        ("thanks", "delayed", 5, 1), ("late", "paused", 3, 0),
    ]  # fmt: skip
    assert [one["first_until"] is None for one in counted] == [False, True]
    wrong = await api.ask("GET", "/holds?reason=bored")
    assert (wrong.status, wrong.json["errors"][0]["parameter"]) == (422, "reason")
    for forged in (["2026-01-01T00:00:00Z", "h", 2**40], [None, "\0", 0], [1], 7):
        assert (await api.ask("GET", f"/holds?cursor={write_cursor(forged)}")).status == 422, forged


async def test_a_cancel_says_before_what_it_reaches_and_ends_that_alone(api: Api) -> None:
    others = {"distribution_id": "late"}
    await Holds(api.pool).add(
        [
            row("due"),
            waits("one"),
            waits("two", customer_id="c2"),
            waits("left", **others),
            waits("o", project_id="outlet"),
        ]
    )
    tried = await cancel(api, "?dry_run=true", distribution="thanks")
    assert tried.json == {"chosen": 3, "canceled": 2, "canceled_before": 0, "due": 1, "dry_run": True}
    assert await api.pool.fetchval("select count(*) from holds where canceled_by is not null") == 0
    assert (await cancel(api, distribution="thanks", customer="c2")).json["canceled"] == 1
    done = await cancel(api, distribution="thanks")
    assert done.json == {"chosen": 3, "canceled": 1, "canceled_before": 1, "due": 1, "dry_run": False}
    ended = await api.pool.fetch("select hold_id, canceled_by from holds where canceled_by is not null order by 1")
    assert [one["hold_id"] for one in ended] == ["one", "two"]
    assert {one["canceled_by"].rpartition("-")[0] for one in ended} == {"key:live-operator"}
    for project in ("shop", "outlet"):
        nothing = await cancel(api, project=project, reason="delayed")
        assert (nothing.status, nothing.json["errors"][0]["pointer"]) == (422, "/distribution")
    assert await ids(api, project="outlet") == ["o"]
