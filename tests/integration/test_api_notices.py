"""Notices over the API, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.formats.cursors import write_cursor
from store.notices import Notices, nobody
from streams.notices import codes_low
from tests.integration.api_client import Api, running_api


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def listed(api: Api, query: str = "", project: str = "shop") -> list[tuple[str, bool]]:
    """Each with whether it is open, of all pages."""
    pages = api.pages(f"/notices?limit=2{query}", role="viewer", project=project)
    return [(one["about"], one["closed_at"] is None) async for page in pages for one in page]


async def test_open_notices_come_first_and_those_that_are_over_where_they_are_asked_for(api: Api) -> None:
    notices = Notices(api.pool, nobody)
    for name in ("spring", "summer", "autumn", "winter", "fifth"):
        await notices.open(codes_low("shop", name, 5, 100))
    await notices.open(codes_low("outlet", "other", 5, 100))
    for name in ("summer", "winter"):
        await notices.close("shop", "codes_low", name)
    assert await listed(api) == [("fifth", True), ("autumn", True), ("spring", True)]
    over = [("winter", False), ("summer", False)]
    assert await listed(api, "&closed=true") == [("fifth", True), ("autumn", True), ("spring", True), *over]
    assert await listed(api, "&closed=true", "outlet") == [("other", True)]
    (first,) = (await api.ask("GET", "/notices?limit=1", role="viewer")).json["items"]
    assert first["kind"] == "codes_low"
    assert "100" in first["summary"]
    assert first["look_at"]


async def test_what_is_opened_between_two_pages_doubles_none(api: Api) -> None:
    notices = Notices(api.pool, nobody)
    for name in ("a", "b", "c"):
        await notices.open(codes_low("shop", name, 5, 100))
    seen: list[str] = []
    async for page in api.pages("/notices?limit=1", role="viewer"):
        seen += [one["about"] for one in page]
        await notices.open(codes_low("shop", f"new-{len(seen)}", 5, 100))
    assert seen == ["c", "b", "a"]


async def test_a_forged_cursor_and_an_unknown_choice_are_refused(api: Api) -> None:
    forged: tuple[Any, ...] = (7, [1], [None, 0, "", ""], ["x", "y", 0, 0])
    for key in forged:
        answer = await api.ask("GET", f"/notices?cursor={write_cursor(key)}")
        assert (answer.status, answer.json["errors"][0]["parameter"]) == (422, "cursor"), key
    answer = await api.ask("GET", "/notices?closed=maybe")
    assert (answer.status, answer.json["errors"][0]["parameter"]) == (422, "closed")
