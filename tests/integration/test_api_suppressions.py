"""The suppression list over the API, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.suppression import address_keys
from store.sending.suppressions import Suppressions
from tests.integration.api_client import Answer, Api, running_api

ANN = "ann+news@private.example"

NUMBER = "48600100200"


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def add(api: Api, *keys: str, query: str = "", **more: Any) -> Answer:
    return await api.ask("POST", f"/suppressions{query}", {"keys": list(keys), **more}, role="editor")


async def keys_of(api: Api, **asked: Any) -> list[tuple[str, str | None]]:
    """Each key of the list with its channel, page by page."""
    written = "&".join(f"{name}={value}" for name, value in {"limit": 2, **asked}.items())
    pages = [page async for page in api.pages(f"/suppressions?{written}", role="viewer")]
    assert all(len(page) <= 2 for page in pages)
    return [(one["key"], one["channel"]) for page in pages for one in page]


async def test_what_is_added_is_what_senders_look_for(api: Api) -> None:
    tried = await add(api, ANN, query="?dry_run=true")
    assert (tried.status, tried.json) == (200, {"given": 1, "changed": 1, "dry_run": True})
    assert await keys_of(api) == []
    done = await add(api, "ANN+News@Private.example ", "+48 600 100 200", "*.Spam.example", source="ticket 4711")
    assert done.json == {"given": 3, "changed": 3, "dry_run": False}
    again = await add(api, ANN)
    assert again.json["changed"] == 0
    (entry,) = await Suppressions(api.pool).find("shop", address_keys("email", ANN))
    assert (entry.key, entry.reason, entry.source) == (ANN, "requested", "ticket 4711")
    assert entry.added_by.startswith("key:live-editor-")


async def test_pages_are_whole_in_an_order_that_tells_nothing_and_by_what_fits(api: Api) -> None:
    names = [f"a{number}@shop.example" for number in range(5)]
    await add(api, *names, reason="complained")
    await add(api, "a1@shop.example", channel="email", reason="bounced", lasts="30d")
    await add(api, "over@shop.example", until="2020-01-01")
    found = await keys_of(api)
    assert len(found) == 6
    assert sorted(found, key=str) == sorted([*((name, None) for name in names), ("a1@shop.example", "email")], key=str)
    assert await keys_of(api, channel="email") == [("a1@shop.example", "email")]
    assert sorted(await keys_of(api, reason="complained")) == [(name, None) for name in names]
    assert await keys_of(api, reason="bounced", channel="sms") == []


async def test_what_covers_an_address_is_found_and_what_is_removed_is_sent_to_again(api: Api) -> None:
    await add(api, "*.shop.example", "ann@a.shop.example")
    await add(api, "ann@a.shop.example", channel="email")

    async def found(key: str) -> list[tuple[str, str | None]]:
        answer = await api.ask("POST", "/suppressions/find", {"key": key}, role="viewer")
        return [(one["key"], one["channel"]) for one in answer.json["entries"]]

    async def remove(query: str = "", **body: str) -> Answer:
        return await api.ask("POST", f"/suppressions/remove{query}", body, role="operator")

    everything = [("*.shop.example", None), ("ann@a.shop.example", None), ("ann@a.shop.example", "email")]
    assert await found("Ann@A.Shop.example") == everything
    tried = await remove("?dry_run=true", key="ann@a.shop.example")
    assert (tried.json, await found("ann@a.shop.example")) == ({"removed": 2, "dry_run": True}, everything)
    assert (await remove(key="Ann@a.shop.example", channel="email")).json == {"removed": 1, "dry_run": False}
    assert (await remove(key="ann@a.shop.example")).json["removed"] == 1
    missing = await remove(key="ann@a.shop.example")
    assert (missing.status, missing.json["type"]) == (404, "/api/v1/problems/not_found")
    assert "others cover it: POST /suppressions/find" in missing.json["detail"]
    assert await found("ann@a.shop.example") == [("*.shop.example", None)]


WRONG: tuple[tuple[str, str, dict[str, Any], int], ...] = (
    ("POST", "/suppressions", {"keys": [ANN, "ann@", NUMBER, "+48 600 1"]}, 422),
    ("POST", "/suppressions", {"keys": ANN}, 422),
    ("POST", "/suppressions", {"keys": [ANN + "x" * 600]}, 422),
    ("POST", "/suppressions", {"keys": [[ANN]]}, 422),
    ("POST", "/suppressions", {"keys": []}, 422),
    ("POST", "/suppressions", {"keys": [f"{number}{ANN}" for number in range(501)]}, 422),
    ("POST", "/suppressions/remove", {"key": ANN}, 404),
    ("POST", "/suppressions/remove", {"key": [ANN]}, 422),
    ("POST", "/suppressions/find", {"key": {"email": ANN}}, 422),
    ("POST", "/suppressions/find", {"key": "\0" + ANN}, 422),
    ("DELETE", f"/suppressions/{ANN}", {}, 404),
    ("GET", f"/suppressions/{ANN}", {}, 404),
    ("GET", f"/suppressions?key={ANN}", {}, 422),
)


async def test_an_address_is_in_no_log_and_no_problem(api: Api) -> None:
    for method, path, body, status in WRONG:
        answer = await api.ask(method, path, body or None)
        assert (answer.status, answer.json["status"]) == (status, status), (path, answer.json)
        assert b"private.example" not in answer.raw, answer.json
        assert NUMBER.encode() not in answer.raw, answer.json
    await add(api, ANN)
    page = await api.ask("GET", "/suppressions")
    assert page.json["items"][0]["key"] == ANN
    assert "private.example" not in str(api.logged)
    assert NUMBER not in str(api.logged)
    kept = await api.pool.fetch("select api_replies::text as row from api_replies")
    assert all("private.example" not in row["row"] for row in kept)


async def test_everything_that_is_wrong_is_named_where_it_stands(api: Api) -> None:
    answer = await add(api, "a@b.example", "ann@", "com", "")
    assert [one["pointer"] for one in answer.json["errors"]] == ["/keys/1", "/keys/2", "/keys/3"]
    assert "single label" in answer.json["errors"][1]["detail"]
    wrong = await add(api, "a@b.example", until="soon", lasts="long")
    assert {one["pointer"] for one in wrong.json["errors"]} == {"/until", "/lasts"}
    kind = await add(api, "a@b.example", reason="bored", channel="post")
    assert {one["pointer"]: one["given"] for one in kind.json["errors"]} == {"/reason": '"bored"', "/channel": '"post"'}
    assert await keys_of(api) == []


async def test_an_entry_is_of_the_project_of_its_key(api: Api) -> None:
    await add(api, ANN)
    other = await api.ask("POST", "/suppressions/find", {"key": ANN}, project="outlet")
    assert other.json == {"entries": []}
    assert (await api.ask("GET", "/suppressions", project="outlet")).json["items"] == []
    assert (await api.ask("POST", "/suppressions/remove", {"key": ANN}, project="outlet")).status == 404
    assert await keys_of(api) == [(ANN, None)]
