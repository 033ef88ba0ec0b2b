"""Segments over the API, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.distributions import Change, Control
from store.segment_transaction import MembershipRow
from store.segments import Segments
from tests.factory import rule
from tests.integration.api_client import Api, running_api

POLES: dict[str, Any] = {"when": {"customer.metadata.country": "PL"}}


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def test_a_segment_is_applied_read_changed_and_deleted(api: Api) -> None:
    tried = await api.ask("PUT", "/segments/poland?dry_run=true", POLES, role="editor")
    assert (tried.status, tried.json["plan"], tried.json["dry_run"]) == (200, "new", True)
    assert (await api.ask("GET", "/segments/poland")).status == 404
    made = await api.ask("PUT", "/segments/poland", POLES, role="editor")
    same = await api.ask("PUT", "/segments/poland", POLES, role="editor")
    assert [(one.status, one.json["plan"], one.headers["etag"]) for one in (made, same)] == [
        (201, "new", '"v1"'), (200, "unchanged", '"v1"'),
    ]  # fmt: skip
    changed = await api.ask("PUT", "/segments/poland", {**POLES, "name": "Poland"}, if_match='"v1"')
    assert (changed.status, changed.json["version"], changed.json["changes"]) == (200, 2, ["name: poland → Poland"])
    late = await api.ask("PUT", "/segments/poland", POLES, if_match='"v1"')
    assert (late.status, late.headers["etag"]) == (412, '"v2"')
    got = await api.ask("GET", "/segments/poland", role="viewer")
    assert (got.json["summary"]["kind"], got.json["summary"]["is_computed"]) == ("live", False)
    assert got.json["definition"]["when"] == POLES["when"]
    assert (await api.ask("GET", "/segments/poland", if_none_match='"v2"')).status == 304
    for query, left in (("?dry_run=true", ["poland"]), ("", [])):
        gone = await api.ask("DELETE", f"/segments/poland{query}", role="editor")
        assert (gone.status, gone.json["dry_run"]) == (200, bool(left))
        assert await Segments(api.pool).ids("shop") == left
    assert (await api.ask("DELETE", "/segments/poland?dry_run=true")).status == 404


async def test_a_segment_that_is_used_stays(api: Api) -> None:
    mail: Any = {"email": {"account": "main", "subject": "Spring", "text": "Hello"}}
    manual = rule(distribution="spring", trigger="manual_distribution_schedule", when=None, channels=[mail])
    await Control(api.pool).save([Change(manual, "", ())], applied_by="ann", now=datetime.now(UTC))
    await api.ask("PUT", "/segments/vip", {"members": ["c1"]})
    drafted = await api.ask("POST", "/sends", {"distribution": "spring", "to_segment": "vip"})
    assert drafted.status == 201, drafted.json
    for query in ("?dry_run=true", ""):
        refused = await api.ask("DELETE", f"/segments/vip{query}")
        assert (refused.status, f"whom {drafted.json['send']['send']} goes to" in refused.json["detail"]) == (409, True)
    assert await Segments(api.pool).ids("shop") == ["vip"]


async def test_segments_and_members_are_listed_by_pages(api: Api) -> None:
    for number in range(4):
        await api.ask("PUT", f"/segments/s{number}", {"members": [f"c{one}" for one in range(5)]})
    now = datetime.now(UTC)
    async with Segments(api.pool).transaction() as work:
        await work.put_memberships("shop", [MembershipRow(f"c{one}", "s0", one != 2, 1, now) for one in range(5)])
    assert await api.listed("/segments?limit=3", "segment", role="viewer") == ["s0", "s1", "s2", "s3"]
    assert await api.listed("/segments/s0/members?limit=3", "customer", role="viewer") == ["c0", "c1", "c3", "c4"]
    assert (await api.ask("GET", "/segments")).json["items"][0]["members"] == 4
    assert (await api.ask("GET", "/segments/s9/members")).status == 404


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "/when"),
    ({"segment": "other", **POLES}, "/segment"),
    ({"wehn": {}}, "/wehn"),
    ({"when": {"customer.metadata.x": {"biger": 1}}}, "/when/customer.metadata.x/biger"),
    ({"members": ["c1", 7]}, "/members/1"),
    ({"members_file": "testers.csv"}, "/members_file"),
    ({"members": ["c1", "a\0b"]}, "/members/1"),
)


async def test_a_segment_that_is_not_valid_says_where(api: Api) -> None:
    for body, pointer in WRONG:
        answer = await api.ask("PUT", "/segments/poland", body, role="editor")
        assert answer.status == 422, (body, answer.json)
        assert pointer in [one["pointer"] for one in answer.json["errors"]], (body, answer.json)
    assert await Segments(api.pool).ids("shop") == []
    checked = await api.ask("POST", "/segments/validate", {"segment": "poland", **POLES}, role="viewer")
    assert (checked.status, checked.json["plan"], checked.json["dry_run"]) == (200, "new", True)
    refused = await api.ask("POST", "/segments/validate", {"segment": "a b", **POLES}, role="viewer")
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/segment")
