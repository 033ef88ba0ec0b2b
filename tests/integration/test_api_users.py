"""Users over the API, on a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.wiring import Wiring
from console.control import user_links, users
from console.control.users import NewUser
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from store.users import Users
from tests.integration.api_client import Answer, Api, running_api

URL = "https://tidings.shop.example"


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    mine = replace(settings, postgres=Postgres(dsn=Secret(dsn)), web=Web(url=URL))
    async with running_api(Wiring(mine)) as running:
        yield running


async def invite(api: Api, email: str = "jo@shop.example", query: str = "", **more: Any) -> Answer:
    body = {"email": email, "display_name": "Jo", "role": more.pop("of", "editor")}
    return await api.ask("POST", f"/users{query}", body, **more)


async def add(api: Api, email: str, role: str = "admin", project: str = "shop") -> str:
    new = NewUser(project, email, "Somebody", role)
    return await users.add(Users(api.pool), new, "hash", os.urandom, actor="ann")


async def test_a_link_is_shown_in_the_reply_that_makes_it_and_nowhere_else(api: Api) -> None:
    tried = await invite(api, query="?dry_run=true")
    assert (tried.status, tried.json["link"], tried.json["user_id"]) == (200, None, None)
    assert (await api.ask("GET", "/users")).json["items"] == []
    made = await invite(api, idempotency_key="k1")
    link, user_id = made.json["link"], made.json["user_id"]
    assert (made.status, made.headers["cache-control"], link.startswith(f"{URL}/welcome/")) == (201, "no-store", True)
    again = await invite(api, idempotency_key="k1")
    assert again.json == {**made.json, "link": None}
    shown = await api.ask("GET", f"/users/{user_id}")
    assert (shown.json["state"], shown.json["role"], shown.json["display_name"]) == ("invited", "editor", None)
    token = link.rpartition("/")[2]
    assert token not in str(api.logged) and token.encode() not in (await api.ask("GET", "/users")).raw
    kept = await api.pool.fetch("select api_replies::text as row from api_replies")
    logged = await api.pool.fetch("select audit_log::text as row from audit_log")
    assert all(token not in one["row"] and "jo@" not in one["row"] for one in (*kept, *logged))
    await user_links.choose_password(Users(api.pool), token, "hash")
    assert (await api.ask("GET", f"/users/{user_id}")).json["state"] == "active"


async def test_a_user_is_changed_disabled_enabled_and_removed(api: Api) -> None:
    await add(api, "ann@shop.example")
    kim = await add(api, "kim@shop.example", "viewer")
    steps = (
        ("PUT", f"/users/{kim}/role", {"role": "operator"}, ("operator", "active")),
        ("POST", f"/users/{kim}/disable", None, ("operator", "disabled")),
        ("POST", f"/users/{kim}/enable", None, ("operator", "active")),
    )
    before = ("viewer", "active")
    for method, path, body, after in steps:
        tried = await api.ask(method, f"{path}?dry_run=true", body)
        assert ((tried.json["user"]["role"], tried.json["user"]["state"]), tried.json["dry_run"]) == (after, True)
        found = (await api.ask("GET", f"/users/{kim}")).json
        assert (found["role"], found["state"]) == before
        done = await api.ask(method, path, body)
        assert (done.status, done.json["user"]["role"], done.json["user"]["state"]) == (200, *after)
        before = after
    link = await api.ask("POST", f"/users/{kim}/reset")
    assert (link.status, link.json["link"].startswith(URL)) == (201, True)
    assert (await api.ask("DELETE", f"/users/{kim}?dry_run=true")).json == {"user_id": kim, "dry_run": True}
    assert (await api.ask("DELETE", f"/users/{kim}")).status == 200
    assert (await api.ask("DELETE", f"/users/{kim}")).status == 404
    assert await api.listed("/users?limit=1", "email") == ["ann@shop.example"]
    noted = [row["action"] for row in await api.pool.fetch("select action from audit_log where actor like 'key:%'")]
    assert noted[-5:] == ["user.role_changed", "user.disabled", "user.enabled", "user.reset_allowed", "user.removed"]


async def test_the_last_admin_stays_and_the_reason_is_told(api: Api) -> None:
    ann = await add(api, "ann@shop.example")
    for method, path, body in (
        ("DELETE", "", None), ("PUT", "/role", {"role": "viewer"}), ("POST", "/disable", None),
    ):  # fmt: skip
        answer = await api.ask(method, f"/users/{ann}{path}", body)
        assert (answer.status, "the last active admin of shop" in answer.json["detail"]) == (409, True)


async def test_a_key_of_one_project_neither_sees_nor_changes_users_of_another(api: Api) -> None:
    mine = await add(api, "ann@shop.example")
    await add(api, "kim@shop.example")
    for method, path, body in (
        ("GET", f"/users/{mine}", None), ("DELETE", f"/users/{mine}", None),
        ("PUT", f"/users/{mine}/role", {"role": "viewer"}), ("POST", f"/users/{mine}/disable", None),
        ("POST", f"/users/{mine}/enable", None), ("POST", f"/users/{mine}/reset", None),
    ):  # fmt: skip
        answer = await api.ask(method, path, body, project="outlet")
        assert answer.status == 404, (path, answer.json)
    strange, known = [await invite(api, f"{name}@shop.example", project="outlet") for name in ("new", "ann")]
    assert strange.json.keys() == known.json.keys()
    assert [one.status for one in (strange, known)] == [201, 201]
    seen = {one["email"]: one for one in (await api.ask("GET", "/users", project="outlet")).json["items"]}
    facts = [
        {
            name: value
            for name, value in seen[f"{who}@shop.example"].items()
            if name not in ("email", "user_id", "granted_at")
        }
        for who in ("new", "ann")
    ]
    assert facts[0] == facts[1], "nothing tells who is in another project"
    assert (await api.ask("GET", f"/users/{mine}")).json["role"] == "admin"


async def test_what_is_wrong_with_a_user_is_told_without_the_address(api: Api) -> None:
    wrong = await api.ask("POST", "/users", {"email": "planted at shop", "display_name": "", "role": "owner"})
    assert (wrong.status, b"planted" in wrong.raw) == (422, False)
    assert [one["pointer"] for one in wrong.json["errors"]] == ["/role"]
    wrong = await api.ask("POST", "/users", {"email": "planted at shop", "display_name": "", "role": "viewer"})
    assert [one["pointer"] for one in wrong.json["errors"]] == ["/email", "/display_name"]
    assert b"planted" not in wrong.raw
    wrong = await api.ask("POST", "/users", {"email": "p" * 400, "display_name": "planted" * 40, "role": "viewer"})
    assert (wrong.status, b"planted" in wrong.raw, b"ppp" in wrong.raw) == (422, False, False)
