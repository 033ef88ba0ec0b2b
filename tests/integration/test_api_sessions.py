"""Sessions of users over the API and as JSON on the pages, on a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from agents.wiring import Wiring
from console.control import user_links, users
from console.control.users import NewUser
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.user import TOKEN_BYTES, make_session_id, make_token
from store.sessions import Comer, Sessions
from store.users import Users
from tests.integration.api_client import Api, running_api
from tests.integration.test_api_users import add
from tests.integration.test_web import JO, Site, site

__all__ = ["site"]


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


def kept(api: Api) -> Sessions:
    return Sessions(api.pool, idle=timedelta(hours=2), longest=timedelta(hours=12))


async def signed_in(api: Api, user_id: str, agent: str = "Firefox 140 on Linux") -> tuple[str, str]:
    """The id of a new session, and its token."""
    token, session_id = make_token(os.urandom(TOKEN_BYTES)), make_session_id(os.urandom(TOKEN_BYTES))
    user = await Users(api.pool).find(user_id)
    assert user is not None
    assert await kept(api).begin(token, session_id, user, Comer("203.0.113.0/24", agent))
    return session_id, token


async def test_they_are_listed_in_pages_without_what_proves_them(api: Api) -> None:
    kim = await add(api, "kim@shop.example")
    made = [await signed_in(api, kim, f"Firefox {one} on Linux") for one in range(3)]
    assert await api.listed(f"/users/{kim}/sessions?limit=2", "session_id") == [one for one, _ in reversed(made)]
    answer = await api.ask("GET", "/users/kim@shop.example/sessions")
    assert answer.status == 200
    assert [one["agent"][:9] for one in answer.json["items"]] == ["Firefox 2", "Firefox 1", "Firefox 0"]
    assert all(token.encode() not in answer.raw for _, token in made)


async def test_one_is_ended_or_all_at_once_and_a_dry_run_ends_none(api: Api) -> None:
    kim = await add(api, "kim@shop.example")
    (first, first_token), (second, second_token), _ = [await signed_in(api, kim) for _ in range(3)]
    for path, count in ((f"/users/{kim}/sessions/{first}", 1), (f"/users/{kim}/sessions", 3)):
        tried = await api.ask("DELETE", f"{path}?dry_run=true")
        assert (tried.status, tried.json) == (200, {"user_id": kim, "ended": count, "dry_run": True})
    assert await kept(api).check(first_token) is not None
    assert (await api.ask("DELETE", f"/users/{kim}/sessions/{first}")).json["ended"] == 1
    assert await kept(api).check(first_token) is None
    assert await kept(api).check(second_token) is not None
    assert (await api.ask("DELETE", f"/users/{kim}/sessions/{first}")).status == 404
    assert (await api.ask("DELETE", f"/users/{kim}/sessions")).json["ended"] == 2
    assert await kept(api).check(second_token) is None
    assert second not in await api.listed(f"/users/{kim}/sessions", "session_id")
    rows = await api.pool.fetch("select actor from audit_log where action = 'user.sessions_ended'")
    assert [row["actor"][:4] for row in rows] == ["key:"] * 2


async def test_sessions_of_whom_others_answer_for_too_are_neither_shown_nor_ended(api: Api) -> None:
    """A user of both projects, one of the other, and one who is invited, whether or not they are known elsewhere."""
    both, theirs = await add(api, "both@shop.example"), await add(api, "kim@shop.example", project="outlet")
    _, token = await signed_in(api, both)
    await users.invite(Users(api.pool), NewUser("shop", "kim@shop.example", "Kim", "viewer"), os.urandom, actor="ann")
    new = NewUser("shop", "new@shop.example", "New", "viewer")
    invited = (await users.invite(Users(api.pool), new, os.urandom, actor="ann")).user_id
    link = await users.invite(
        Users(api.pool), NewUser("outlet", "both@shop.example", "B", "viewer"), os.urandom, actor="x"
    )
    proved = await Users(api.pool).find(both)
    assert proved is not None
    await user_links.accept(Users(api.pool), link.token, proved)
    for user_id, said in ((both, "another project"), (theirs, "not accepted"), (invited, "not accepted")):
        for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/ses_0123456789abcdef")):
            answer = await api.ask(method, f"/users/{user_id}/sessions{path}")
            assert (answer.status, said in answer.json["detail"]) == (409, True), answer.json
    assert (await api.ask("GET", f"/users/{invited}/sessions", project="outlet")).status == 404
    assert await kept(api).check(token) is not None


async def test_who_may_not_manage_users_neither_sees_nor_ends_them(api: Api) -> None:
    kim = await add(api, "kim@shop.example")
    for role in ("viewer", "editor", "approver", "operator"):
        for method in ("GET", "DELETE"):
            assert (await api.ask(method, f"/users/{kim}/sessions", role=role)).status == 403


async def test_ones_own_are_on_the_pages_as_json(site: Site) -> None:
    jo, kim = await site.add(), await site.add("kim@shop.example")
    here, there, other = site.browser(), site.browser(), site.browser()
    for browser, email in ((here, JO), (there, JO), (other, "kim@shop.example")):
        await browser.sign_in(email=email)
    page = await here.ask("GET", "/sessions.json")
    items = msgspec.json.decode(page.text)["items"]
    assert (page.headers["content-type"], page.headers["cache-control"]) == ("application/json", "no-store")
    assert [(one["user_id"], one["is_this"]) for one in items] == [(jo, False), (jo, True)]
    assert kim not in page.text and here.cookies["__Host-tidings"] not in page.text
    assert (await here.ask("POST", "/sessions", {"session": items[0]["session_id"]})).status == 303
    assert len(msgspec.json.decode((await here.ask("GET", "/sessions.json")).text)["items"]) == 1
    assert (await there.ask("GET", "/sessions.json")).status == 303
