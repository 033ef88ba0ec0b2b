"""The pages over real HTTP, as a browser without scripts gets them, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import html
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import asyncpg
import pytest
import structlog

from agents.wiring import Wiring
from console.control import user_links, users
from console.control.oidc.provider import Provider
from console.control.passwords import Cost, Passwords
from console.control.users import NewUser
from console.http.database import LateDatabase
from console.http.web import listen
from console.web.server import WebServer
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.access import ACCESS_ROLES, AccessRole
from store.users import Users
from tests import ROOT

JO, PASSWORD, NEW = "jo@shop.example", "planted-brown-bear", "planted-grey-heron"
OURS = {"sec-fetch-site": "same-origin"}


@dataclass(slots=True)
class Browser:
    """Keeps cookies, follows nothing, and says that it asks from our own pages."""

    base: str
    session: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, form: Any = None, **headers: str) -> Page:
        sent = {name.replace("_", "-"): text for name, text in headers.items()} or OURS
        if self.cookies:
            sent = {**sent, "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        address = self.base + path
        async with self.session.request(method, address, data=form, headers=sent, allow_redirects=False) as response:
            page = Page(response.status, response.headers, await response.text())
        for line in page.headers.getall("set-cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                self.seen.append(line)
                if not morsel.value:
                    del self.cookies[name]
        return page

    async def sign_in(self, password: str = PASSWORD, email: str = JO) -> Page:
        return await self.ask("POST", "/sign-in", {"email": email, "password": password})


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    headers: Any
    text: str

    @property
    def title(self) -> str:
        found = re.search(r"<h1>(.*)</h1>", self.text)
        return found[1] if found else ""


@dataclass(slots=True)
class Site:
    """A running process of pages."""

    base: str
    pool: asyncpg.Pool
    passwords: Passwords
    session: aiohttp.ClientSession
    logged: list[Any]

    @property
    def users(self) -> Users:
        return Users(self.pool)

    def browser(self) -> Browser:
        return Browser(self.base, self.session)

    async def add(self, email: str = JO, role: AccessRole = "admin", project: str = "shop") -> str:
        new = NewUser(project, email, "Jo & Co", role)
        return await users.add(self.users, new, await self.passwords.hash(PASSWORD), os.urandom, actor="ann")


@asynccontextmanager
async def running(
    settings: Settings, dsn: str, web: Web, *, live_every: float = 0.2, provider: Provider | None = None
) -> AsyncIterator[Site]:
    mine = replace(settings, postgres=Postgres(dsn=Secret(dsn)), web=web)
    database, passwords = LateDatabase(mine), Passwords(cost=Cost(kib=64, passes=1))
    server = WebServer(Wiring(mine), database.pool, passwords, provider=provider, live_every=live_every)
    runner, port = await listen(mine, server)
    try:
        with structlog.testing.capture_logs() as logged:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                yield Site(f"http://127.0.0.1:{port}", await database.pool(), passwords, session, logged)
    finally:
        await runner.cleanup()
        passwords.close()
        await database.close()


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    async with running(settings, dsn, Web(url="https://tidings.shop.example")) as one:
        yield one


async def test_somebody_signs_in_sees_who_they_are_and_signs_out(site: Site) -> None:
    await site.add()
    mine = site.browser()
    nobody = await mine.ask("GET", "/")
    assert (nobody.status, nobody.headers["location"]) == (303, "/sign-in")
    assert (await mine.ask("GET", "/sign-in")).title == "Sign in"
    entered = await mine.sign_in()
    assert (entered.status, entered.headers["location"]) == (303, "/")
    attributes = set(mine.seen[0].split("; ")[1:])
    assert mine.seen[0].startswith("__Host-tidings=")
    assert attributes == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    start = await mine.ask("GET", "/")
    assert (start.status, start.headers["cache-control"], start.title) == (200, "no-store", "Start")
    for said in ("Jo &amp; Co", JO, "shop", "admin"):
        assert said in start.text
    token = mine.cookies["__Host-tidings"]
    assert (await mine.ask("POST", "/sign-out")).headers["location"] == "/sign-in"
    assert mine.cookies == {}
    mine.cookies["__Host-tidings"] = token
    assert (await mine.ask("GET", "/")).status == 303, "the id is worth nothing, whoever kept it"


async def test_whatever_is_wrong_is_answered_alike(site: Site) -> None:
    await site.add()
    kim = await site.add("kim@shop.example")
    await users.disable(site.users, "shop", kim, actor="ann")
    mine = site.browser()
    pages = [
        await mine.sign_in(password, email)
        for email, password in ((JO, "wrong-brown-bear"), ("no@shop.example", PASSWORD), ("kim@shop.example", PASSWORD))
    ]
    assert {one.status for one in pages} == {422}
    assert len({re.sub(r'value="[^"]*"', "", one.text) for one in pages}) == 1
    assert all("<title>Error: Sign in" in one.text and PASSWORD not in one.text for one in pages)
    assert mine.seen == []
    empty = await mine.sign_in("", " ")
    assert (empty.status, empty.text.count('class="error"')) == (422, 2)


async def test_an_id_that_was_brought_along_is_never_taken(site: Site) -> None:
    await site.add()
    mine, other = site.browser(), site.browser()
    for brought in ("fixed-by-somebody-else", "", "x" * 5000):
        mine.cookies["__Host-tidings"] = brought
        await mine.sign_in()
        assert mine.cookies["__Host-tidings"] != brought
        other.cookies["__Host-tidings"] = brought
        assert (await other.ask("GET", "/")).status == 303
    first = mine.cookies["__Host-tidings"]
    await mine.sign_in()
    other.cookies["__Host-tidings"] = first
    assert (await other.ask("GET", "/")).status == 303, "the session before has ended"
    assert await site.pool.fetchval("select count(*) from sessions") == 3, (
        "those of the first two were not brought along"
    )


async def test_another_site_changes_nothing(site: Site) -> None:
    await site.add()
    mine = site.browser()
    await mine.sign_in()
    for headers in (
        {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"origin": "https://evil.example"},
        {"origin": "null"}, {"accept": "text/html"},
    ):  # fmt: skip
        for path in ("/sign-out", "/sessions", "/password", "/sign-in"):
            refused = await mine.ask("POST", path, {"others": "1"}, **headers)
            assert (refused.status, refused.title) == (403, "Refused"), (path, headers)
    host = site.base.removeprefix("http://")
    assert (await mine.ask("GET", "/", sec_fetch_site="cross-site")).status == 200
    assert (await mine.ask("POST", "/sessions", {}, origin=f"http://{host}")).status == 303


async def test_who_is_invited_comes_by_the_link_once(site: Site) -> None:
    await site.add()
    new = NewUser("shop", "new@shop.example", "New", "viewer")
    made = await users.invite(site.users, new, os.urandom, actor="ann")
    path, mine = f"/welcome/{made.token}", site.browser()
    page = await mine.ask("GET", path)
    assert (page.status, page.title, "new@shop.example" in page.text) == (200, "Welcome", True)
    short = await mine.ask("POST", path, {"password": "short"})
    assert (short.status, "at least 12 characters" in short.text) == (422, True)
    entered = await mine.ask("POST", path, {"password": NEW, "email": "other@shop.example"})
    assert (entered.status, entered.headers["location"]) == (303, "/")
    assert "new@shop.example" in (await mine.ask("GET", "/")).text
    for method in ("GET", "POST"):
        again = await site.browser().ask(
            method, path, {"password": "a-second-brown-bear"} if method == "POST" else None
        )
        assert (again.status, again.title) == (404, "This link does not work")
    assert (await site.browser().sign_in(NEW, "new@shop.example")).status == 303


async def test_who_has_a_password_accepts_by_it(site: Site) -> None:
    await site.add()
    new = NewUser("outlet", JO, "Jo", "viewer")
    made = await users.invite(site.users, new, os.urandom, actor="ann")
    path, mine = f"/welcome/{made.token}", site.browser()
    assert (await mine.ask("GET", path)).title == "Accept the invitation"
    refused = await mine.ask("POST", path, {"password": NEW})
    assert (refused.status, "is not the one of this address" in refused.text) == (422, True)
    assert (await mine.ask("POST", path, {"password": PASSWORD})).status == 303
    assert "outlet" in (await mine.ask("GET", "/")).text
    assert (await site.browser().sign_in()).status == 303


async def test_the_first_admin_comes_by_the_first_link(site: Site) -> None:
    token = await user_links.first_link(site.users, "shop", os.urandom)
    path, mine = f"/welcome/{token}", site.browser()
    assert (await mine.ask("GET", path)).title == "Set up the first admin"
    wrong = await mine.ask("POST", path, {"email": "no address", "name": "", "password": "password1234"})
    assert (wrong.status, wrong.text.count('class="error"')) == (422, 3)
    entered = await mine.ask("POST", path, {"email": JO, "name": "Jo", "password": NEW})
    assert entered.status == 303
    start = await mine.ask("GET", "/")
    assert ("admin" in start.text, "shop" in start.text) == (True, True)
    assert (await site.browser().ask("GET", path)).status == 404


async def test_a_password_is_changed_and_other_sessions_end(site: Site) -> None:
    await site.add()
    mine, other = site.browser(), site.browser()
    await mine.sign_in()
    await other.sign_in()
    before = mine.cookies["__Host-tidings"]
    for form, field_name in (
        ({"current": "wrong-brown-bear", "password": NEW}, "current"), ({}, "password"),
        ({"current": PASSWORD, "password": "x"}, "password"),
    ):  # fmt: skip
        wrong = await mine.ask("POST", "/password", form)
        assert (wrong.status, f'id="{field_name}-error"' in wrong.text) == (422, True)
    changed = await mine.ask("POST", "/password", {"current": PASSWORD, "password": NEW})
    assert (changed.status, mine.cookies["__Host-tidings"] != before) == (303, True)
    assert [(await one.ask("GET", "/")).status for one in (mine, other)] == [200, 303]
    assert (await site.browser().sign_in(NEW)).status == 303


async def test_blanks_are_a_part_of_a_password(site: Site) -> None:
    user_id = await site.add()
    for password in (" " * 12, " two blanks around it "):
        link = await users.allow_reset(site.users, "shop", user_id, os.urandom, actor="ann")
        mine = site.browser()
        assert (await mine.ask("POST", f"/welcome/{link.token}", {"password": password})).status == 303
        assert (await mine.sign_in(password)).status == 303
        assert (await site.browser().sign_in(password.strip())).status == 422


async def test_sessions_are_shown_and_ended(site: Site) -> None:
    await site.add()
    mine, second, third = [site.browser() for _ in range(3)]
    for one in (mine, second, third):
        await one.ask(
            "POST",
            "/sign-in",
            {"email": JO, "password": PASSWORD},
            user_agent="Netscape <3>",
            sec_fetch_site="none",
        )
    page = await mine.ask("GET", "/sessions")
    ids = re.findall(r'name="session" value="(ses_\w+)"', page.text)
    assert (len(ids), page.text.count("Netscape &lt;3&gt;"), page.text.count("this one")) == (2, 3, 1)
    assert (await mine.ask("POST", "/sessions", {"session": ids[0]})).status == 303
    assert [(await one.ask("GET", "/")).status for one in (mine, second, third)] == [200, 200, 303]
    await site.add("kim@shop.example")
    kim = site.browser()
    await kim.sign_in(email="kim@shop.example")
    await kim.ask("POST", "/sessions", {"session": ids[1]})
    assert (await second.ask("GET", "/")).status == 200, "of somebody else"
    await mine.ask("POST", "/sessions", {"others": "1"})
    assert [(await one.ask("GET", "/")).status for one in (mine, second)] == [200, 303]


async def test_who_is_disabled_or_has_another_role_signs_in_anew(site: Site) -> None:
    await site.add()
    kim = await site.add("kim@shop.example", "viewer")
    mine = site.browser()
    for role in ACCESS_ROLES[1:]:
        await mine.sign_in(email="kim@shop.example")
        await users.change_role(site.users, "shop", kim, role, actor="ann")
        assert (await mine.ask("GET", "/")).status == 303
        await mine.sign_in(email="kim@shop.example")
        assert f"<td>{role}</td>" in (await mine.ask("GET", "/")).text
    await users.disable(site.users, "shop", kim, actor="ann")
    assert (await mine.ask("GET", "/")).status == 303
    assert (await mine.sign_in(email="kim@shop.example")).status == 422


async def test_one_lands_on_the_page_that_was_asked_for_and_on_no_other_site(site: Site) -> None:
    await site.add()
    mine, wanted = site.browser(), "/p/shop/customers?id=a/b%26c&distribution=x"
    asked = await mine.ask("GET", wanted)
    form = await mine.ask("GET", asked.headers["location"])
    assert asked.status == 303
    # the form of passkeys brings it along, too
    (kept,) = set(re.findall(r'<input type="hidden" name="next" value="([^"]*)">', form.text))
    wrong = await mine.ask("POST", "/sign-in", {"email": JO, "password": "no", "next": html.unescape(kept)})
    assert (wrong.status, kept in wrong.text) == (422, True), "a slip does not lose it"
    given = {"email": JO, "password": PASSWORD, "next": html.unescape(kept)}
    entered = await mine.ask("POST", "/sign-in", given)
    assert (entered.status, entered.headers["location"]) == (303, wanted)
    assert (await mine.ask("GET", wanted)).status == 200
    again = await mine.ask("GET", asked.headers["location"])
    assert (again.status, again.headers["location"]) == (303, wanted), "who is signed in goes on"
    for evil in ("//evil.example", "/\\evil.example", "https://evil.example", "/%5C/evil.example", "/sign-out"):
        other = site.browser()
        page = await other.ask("GET", "/sign-in?" + urlencode({"next": evil}))
        assert (page.status, "evil" in page.text) == (200, False), evil
        entered = await other.ask("POST", "/sign-in", {"email": JO, "password": PASSWORD, "next": evil})
        assert (entered.status, entered.headers["location"]) == (303, "/"), evil


async def test_every_page_but_the_way_in_is_for_who_is_signed_in(site: Site) -> None:
    mine = site.browser()
    for method, path in (
        ("GET", "/"), ("GET", "/password"), ("POST", "/password"), ("GET", "/sessions"), ("POST", "/sessions"),
        ("POST", "/sign-out"),
    ):  # fmt: skip
        page = await mine.ask(method, path)
        wanted = f"/sign-in?next={path}" if method == "GET" and path != "/" else "/sign-in"
        assert (page.status, page.headers["location"]) == (303, wanted), path
    nowhere, wrong = await mine.ask("GET", "/nowhere"), await mine.ask("POST", "/nowhere")
    assert (nowhere.status, nowhere.title, wrong.status) == (404, "Page not found", 404)
    assert (await mine.ask("DELETE", "/sign-in")).status == 405
    large = await mine.ask("POST", "/sign-in", {"email": JO, "password": "x" * 100_000})
    assert large.status == 413
    style = re.search(r'<link rel="stylesheet" href="([^"]+)"', nowhere.text)
    assert style is not None
    sheet = await mine.ask("GET", html.unescape(style[1]))
    assert (sheet.status, "immutable" in sheet.headers["cache-control"]) == (200, True)


async def test_who_guesses_waits_and_is_told_how_long(site: Site) -> None:
    await site.add()
    mine = site.browser()
    while (page := await mine.sign_in("wrong-brown-bear")).status == 422:
        pass
    assert (page.status, "Too many attempts" in page.text, int(page.headers["retry-after"]) >= 1) == (429, True, True)


async def test_attempts_count_for_who_a_proxy_of_ours_says_asks(settings: Settings, dsn: str) -> None:
    async with running(settings, dsn, Web(proxies=("127.0.0.0/8",))) as site:
        await site.add()
        mine = site.browser()
        for number in range(8):
            said = f"10.9.9.9, 192.0.2.{number}"
            page = await mine.ask(
                "POST", "/sign-in", {"email": JO, "password": "x"}, x_forwarded_for=said, sec_fetch_site="none"
            )
            assert page.status == 422
        await mine.ask(
            "POST",
            "/sign-in",
            {"email": JO, "password": PASSWORD},
            x_forwarded_for="198.51.100.7",
            sec_fetch_site="none",
        )
        assert await site.pool.fetchval("select network from sessions") == "198.51.100.7"
        assert mine.seen[0].startswith("tidings=")
        assert "Secure" not in mine.seen[0]
        kept = await site.pool.fetchval("select address from audit_log where action = 'user.signed_in'")
        assert kept == "198.51.100.7"


async def test_no_secret_is_in_the_log_or_the_audit_log(site: Site) -> None:
    token = await user_links.first_link(site.users, "shop", os.urandom) or ""
    mine = site.browser()
    await mine.ask("POST", f"/welcome/{token}", {"email": JO, "name": "Jo", "password": PASSWORD})
    await mine.ask("POST", "/password", {"current": PASSWORD, "password": NEW})
    await mine.ask("POST", "/password", {"current": "planted-wrong-one", "password": NEW})
    await mine.sign_in("planted-wrong-one")
    await mine.ask("GET", f"/welcome/{token}x")
    await mine.ask("GET", f"/nowhere?password={PASSWORD}")
    rows = await site.pool.fetch("select audit_log::text as row from audit_log")
    said = str(site.logged) + str([row["row"] for row in rows])
    assert len(site.logged) >= 6
    assert {"user.added", "user.signed_in", "user.password_set"} <= set(re.findall(r"user\.\w+", said))
    for secret in (token, PASSWORD, NEW, "planted", JO, *(line.split(";")[0].partition("=")[2] for line in mine.seen)):
        assert secret not in said


async def test_pages_say_so_while_postgres_is_away(settings: Settings) -> None:
    nobody = replace(settings, postgres=Postgres(dsn=Secret("postgresql://nobody@127.0.0.1:1/none")))
    database, passwords = LateDatabase(nobody), Passwords(cost=Cost(kib=64, passes=1))
    runner, port = await listen(nobody, WebServer(Wiring(nobody), database.pool, passwords))
    try:
        async with aiohttp.ClientSession() as session:
            page = await Browser(f"http://127.0.0.1:{port}", session).ask("GET", "/sign-in")
            assert (page.status, page.title, page.headers["retry-after"]) == (503, "Not now", "5")
            assert (await Browser(f"http://127.0.0.1:{port}", session).ask("GET", "/healthz")).status == 200
    finally:
        await runner.cleanup()
        passwords.close()
        await database.close()


async def test_a_process_prints_the_first_link_and_serves_until_it_is_told_to_stop(dsn: str, tmp_path: Path) -> None:
    environ = {
        **os.environ, "TIDINGS_PROJECT_ID": "shop", "TIDINGS_DATA": str(tmp_path), "TIDINGS_POSTGRES": dsn,
        "TIDINGS_KAFKA": "127.0.0.1:1",
    }  # fmt: skip
    for turn in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console", "web", cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            async with asyncio.timeout(120):
                base = (await process.stdout.readline()).decode().split()[-1]
                async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                    mine = Browser(base, session)
                    if turn == 0:
                        await process.stdout.readline()
                        link = (await process.stdout.readline()).decode().strip()
                        entered = await mine.ask(
                            "POST", link.removeprefix(base), {"email": JO, "name": "Jo", "password": PASSWORD}
                        )
                    else:
                        entered = await mine.sign_in()
                    assert entered.status == 303
                    assert JO in (await mine.ask("GET", "/")).text
                process.send_signal(signal.SIGTERM)
                printed, logged = await process.communicate()
            assert process.returncode == 0
            if turn == 0:
                assert link.rpartition("/")[2].encode() not in logged
            else:
                assert b"/welcome/" not in printed
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
