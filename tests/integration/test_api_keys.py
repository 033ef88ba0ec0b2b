"""Keys of the API over the API, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.api_keys import ApiKeys
from tests.integration.api_client import Answer, Api, running_api

ENDS: Any = timedelta(hours=2)


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def make(api: Api, name: str = "ci", query: str = "", role: str = "viewer", **more: Any) -> Answer:
    asked = {one: more.pop(one) for one in ("expires", "kind") if one in more}
    return await api.ask("POST", f"/keys{query}", {"name": name, "role": role, **asked}, **more)


async def revoke(api: Api, key_id: str, query: str = "", **more: Any) -> Answer:
    return await api.ask("DELETE", f"/keys/{key_id}{query}", **more)


async def works(api: Api, key: str) -> bool:
    return (await api.ask("GET", "/holds", key=key)).status == 200


async def test_a_key_is_shown_in_the_reply_that_makes_it_and_nowhere_else(api: Api) -> None:
    tried = await make(api, query="?dry_run=true", expires="90d")
    assert (tried.status, tried.json["key"], tried.json["key_id"]) == (200, None, None)
    made = await make(api, expires="90d")
    key = made.json["key"]
    assert (made.status, made.headers["cache-control"], made.json["role"]) == (201, "no-store", "viewer")
    assert await works(api, key)
    assert (await api.ask("GET", "/keys", key=key)).status == 403, "a viewer's"
    listed = await api.ask("GET", "/keys")
    shown = next(one for one in listed.json["items"] if one["name"] == "ci")
    assert (shown["key_id"], shown["state"], shown["kind"]) == (made.json["key_id"], "active", "live")
    assert (shown["created_by"].startswith("key:live-admin-"), shown["last_used_at"] is None) == (True, False)
    assert key.encode() not in listed.raw
    assert key not in str(api.logged)


async def test_the_same_request_again_makes_none_and_shows_none(api: Api) -> None:
    first = await make(api, idempotency_key="k1")
    again = await make(api, idempotency_key="k1")
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json == {**first.json, "key": None}
    key = first.json["key"]
    assert await works(api, key)
    kept = await api.pool.fetch("select convert_from(body, 'utf8') as body, headers from api_replies")
    assert [first.json["key_id"] in row["body"] for row in kept] == [True]
    assert all(key not in str(dict(row)) and key[9:52] not in str(dict(row)) for row in kept)
    assert [one.name for one in await ApiKeys(api.pool).of_project("shop")].count("ci") == 1


async def test_a_name_is_of_one_key_until_that_is_revoked(api: Api) -> None:
    old = (await make(api)).json
    for query in ("", "?dry_run=true"):
        second = await make(api, query=query)
        assert (second.status, "a key ci is in use; revoke it first" in second.json["detail"]) == (409, True)
    tried = await revoke(api, old["key_id"], "?dry_run=true")
    assert (tried.json, await works(api, old["key"])) == ({"key_id": old["key_id"], "dry_run": True}, True)
    assert (await revoke(api, old["key_id"])).status == 200
    assert not await works(api, old["key"])
    new = (await make(api)).json
    assert (await works(api, new["key"]), await works(api, old["key"])) == (True, False)
    assert (await revoke(api, old["key_id"])).status == 200, "one that is over stays so"
    assert await works(api, new["key"])
    by_name = await revoke(api, "ci")
    assert (by_name.status, by_name.json["errors"][0]["parameter"]) == (422, "id")


async def test_a_key_that_revokes_itself_is_answered_and_then_over(api: Api) -> None:
    own = (await make(api, "own", role="admin")).json
    answer = await revoke(api, own["key_id"], key=own["key"])
    assert (answer.status, answer.json["key_id"]) == (200, own["key_id"])
    assert (await api.ask("GET", "/keys", key=own["key"])).status == 401
    assert (await revoke(api, own["key_id"], key=own["key"])).status == 401


async def test_no_key_is_made_or_revoked_in_another_project(api: Api) -> None:
    named = await make(api, project="outlet")
    assert named.status == 201, "the one that asks is of this project"
    body = {"name": "other", "role": "viewer", "project": "outlet"}
    refused = await api.ask("POST", "/keys", body)
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/project")
    mine = (await make(api)).json
    for query in ("", "?dry_run=true"):
        assert (await revoke(api, mine["key_id"], query, project="outlet")).status == 404
    assert await works(api, mine["key"])
    assert mine["key_id"] not in await api.listed("/keys?limit=3", "key_id", project="outlet")


async def test_no_key_outlasts_the_one_that_makes_it(api: Api) -> None:
    maker = await api.new_key("admin", lasts=ENDS)
    for expires in ({}, {"expires": "1d"}):
        for query in ("", "?dry_run=true"):
            refused = await make(api, query=query, key=maker, **expires)
            assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/expires"), refused.json
            assert "no key outlasts the one that makes it" in refused.json["errors"][0]["detail"]
    assert (await make(api, key=maker, expires="1h")).status == 201


async def test_what_is_wrong_with_a_key_is_told_where_it_stands(api: Api) -> None:
    wrong = (
        ({"name": "a b"}, "/name"), ({"name": "key_ci"}, "/name"), ({"name": ""}, "/name"),
        ({"role": "owner"}, "/role"), ({"kind": "demo"}, "/kind"), ({"scope": "all"}, "/scope"),
        ({"expires": "soon"}, "/expires"), ({"expires": "0s"}, "/expires"), ({"expires": "9999d"}, "/expires"),
        ({"expires": 90}, "/expires"),
    )  # fmt: skip
    for changes, pointer in wrong:
        for query in ("", "?dry_run=true"):
            answer = await api.ask("POST", f"/keys{query}", {"name": "ci", "role": "viewer", **changes})
            assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, pointer), (changes, answer.json)
    assert "ci" not in await api.listed("/keys", "name")


async def test_a_test_key_makes_and_revokes_none(api: Api) -> None:
    key = await api.new_key("admin", kind="test")
    mine = (await make(api)).json
    assert [(await one).status for one in (make(api, "x", key=key), revoke(api, mine["key_id"], key=key))] == [403, 403]
    assert (await make(api, "x", "?dry_run=true", key=key)).status == 200
    assert await works(api, mine["key"])


async def test_keys_are_listed_by_pages_the_newest_first(api: Api) -> None:
    for number in range(3):
        await make(api, f"n{number}")
    await revoke(api, (await make(api, "over")).json["key_id"])
    names = await api.listed("/keys?limit=2", "name")
    assert names[:4] == ["over", "n2", "n1", "n0"]
    assert len(names) == len(set(names)) == 9
    first = (await api.ask("GET", "/keys?limit=1")).json["items"][0]
    assert (first["state"], first["revoked_by"].startswith("key:live-admin-")) == ("revoked", True)
