"""Passkeys of users over the API, on a real PostgreSQL; that what is removed signs nobody in, on the pages."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from agents.wiring import Wiring
from console.control import user_links, users
from console.control.users import NewUser
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from store import passkeys
from store.passkeys import NewCredential, Passkeys
from store.users import Users
from tests.integration.api_client import Api, running_api
from tests.integration.authenticator import ORIGIN, Device
from tests.integration.test_api_users import add
from tests.integration.test_passkeys import add as add_device
from tests.integration.test_passkeys import enter, is_in
from tests.integration.test_web import running


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as made:
        yield made


async def have(api: Api, user_id: str, name: str) -> str:
    """The id of another passkey of a user."""
    made = NewCredential(f"credential of {name}".encode(), b"public key", 0, is_synced=False)
    async with Users(api.pool).change() as change:
        assert await passkeys.add(change, f"pky_{name}", user_id, f"My {name}", made)
    return f"pky_{name}"


async def left(api: Api, user_id: str) -> list[str]:
    return [one.passkey_id for one in await Passkeys(api.pool).of_user(user_id)]


async def test_they_are_listed_in_pages_the_oldest_first_without_what_proves_them(api: Api) -> None:
    kim, other = await add(api, "kim@shop.example"), await add(api, "jo@shop.example")
    await have(api, other, "theirs")
    made = [await have(api, kim, name) for name in ("phone", "laptop", "key")]
    assert await api.listed(f"/users/{kim}/passkeys?limit=2", "passkey_id") == made
    answer = await api.ask("GET", "/users/kim@shop.example/passkeys")
    first = answer.json["items"][0]
    assert (first["name"], first["is_synced"], first["used_at"]) == ("My phone", False, None)
    assert b"credential of" not in answer.raw and b"public" not in answer.raw


async def test_one_is_removed_and_the_log_says_by_whom_and_a_dry_run_removes_none(api: Api) -> None:
    kim, other = await add(api, "kim@shop.example"), await add(api, "jo@shop.example")
    phone, laptop = await have(api, kim, "phone"), await have(api, kim, "laptop")
    theirs = await have(api, other, "theirs")
    tried = await api.ask("DELETE", f"/users/{kim}/passkeys/{phone}?dry_run=true")
    assert (tried.status, tried.json) == (200, {"passkey_id": phone, "dry_run": True})
    assert await left(api, kim) == [phone, laptop]
    done = await api.ask("DELETE", f"/users/{kim}/passkeys/{phone}")
    assert (done.status, done.json) == (200, {"passkey_id": phone, "dry_run": False})
    assert await left(api, kim) == [laptop]
    for gone in (phone, theirs, "pky_never"):
        assert (await api.ask("DELETE", f"/users/{kim}/passkeys/{gone}")).status == 404
    assert await left(api, other) == [theirs]
    (row,) = await api.pool.fetch("select * from audit_log where action = 'user.passkey_removed'")
    assert (row["actor"][:4], row["thing"], json.loads(row["change"])) == ("key:", kim, {"passkey": phone})


async def test_those_of_whom_others_answer_for_too_are_neither_shown_nor_removed(api: Api) -> None:
    both, theirs = await add(api, "both@shop.example"), await add(api, "kim@shop.example", project="outlet")
    kept, other = await have(api, both, "phone"), await have(api, theirs, "laptop")
    link = await users.invite(
        Users(api.pool), NewUser("outlet", "both@shop.example", "B", "viewer"), os.urandom, actor="x"
    )
    proved = await Users(api.pool).find(both)
    assert proved is not None
    await user_links.accept(Users(api.pool), link.token, proved)
    await users.invite(Users(api.pool), NewUser("shop", "kim@shop.example", "Kim", "viewer"), os.urandom, actor="ann")
    for user_id, passkey, said in ((both, kept, "another project"), (theirs, other, "not accepted")):
        for method, path in (("GET", ""), ("DELETE", f"/{passkey}"), ("DELETE", f"/{passkey}?dry_run=true")):
            answer = await api.ask(method, f"/users/{user_id}/passkeys{path}")
            assert (answer.status, said in answer.json["detail"]) == (409, True), answer.json
        assert await left(api, user_id) == [passkey]
    stranger = await add(api, "ann@outlet.example", project="outlet")
    for method, path in (("GET", ""), ("DELETE", f"/{other}")):
        assert (await api.ask(method, f"/users/{stranger}/passkeys{path}")).status == 404


async def test_who_may_not_manage_users_neither_sees_nor_removes_them(api: Api) -> None:
    kim = await add(api, "kim@shop.example")
    phone = await have(api, kim, "phone")
    for role in ("viewer", "editor", "approver", "operator"):
        for method, path in (("GET", ""), ("DELETE", f"/{phone}")):
            assert (await api.ask(method, f"/users/{kim}/passkeys{path}", role=role)).status == 403
    assert await left(api, kim) == [phone]


async def test_a_passkey_that_is_removed_signs_nobody_in_and_ends_no_session(settings: Settings, dsn: str) -> None:
    mine = replace(settings, postgres=Postgres(dsn=Secret(dsn)))
    async with running(settings, dsn, Web(url=ORIGIN)) as site, running_api(Wiring(mine)) as api:
        jo, device, browser = await site.add(), Device(), site.browser()
        assert (await browser.sign_in()).status == 303
        assert (await add_device(browser, device)).status == 303
        by_passkey = site.browser()
        assert (await enter(by_passkey, device)).status == 303
        (passkey,) = await api.listed(f"/users/{jo}/passkeys", "passkey_id")
        used = (await api.ask("GET", f"/users/{jo}/passkeys")).json["items"][0]["used_at"]
        assert used is not None
        assert (await api.ask("DELETE", f"/users/{jo}/passkeys/{passkey}")).status == 200
        assert (await enter(site.browser(), device)).status == 422
        assert await is_in(by_passkey), "sessions are ended apart"
        assert (await api.ask("DELETE", f"/users/{jo}/sessions")).json["ended"] == 2
        assert not await is_in(by_passkey)
