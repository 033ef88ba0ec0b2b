"""Signing in by an OpenID provider: over real HTTP, by real keys, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import pytest
import structlog
from joserfc import jwt

from agents.clock import utc_now
from agents.wiring import Wiring
from console.control import users
from console.control.oidc.provider import Provider
from console.control.passwords import Cost, Passwords
from console.control.users import NewUser
from console.http.database import LateDatabase
from console.http.web import listen
from console.web.server import WebServer
from deploy.secret import Secret
from deploy.settings.oidc import Oidc
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.integration.oidc_provider import (
    CLIENT,
    REDIRECT,
    SECRET,
    SIGNED_OUT,
    OpenIdProvider,
    new_key,
    running_provider,
    signed_otherwise,
)
from tests.integration.test_web import JO, Browser, Page, Site

KIM = "kim@shop.example"
RULES = [
    {"group": "owners", "role": "admin"},
    {"group": "staff", "role": "editor"},
    {"group": "staff", "role": "viewer", "project": "outlet"},
    {"group": "moved", "role": "viewer", "project": "zoo"},
]
OF_KIM = {"sub": "kim-1", "email": KIM, "email_verified": True, "name": "Kim", "groups": ["staff"]}


@dataclass(slots=True)
class Sso:
    """The pages of two processes on one database, and the provider that they know."""

    site: Site
    other: str
    provider: OpenIdProvider

    def browser(self) -> Browser:
        return self.site.browser()

    async def begin(self, browser: Browser, query: str = "", **headers: str) -> str:
        """The address at the provider."""
        page = await browser.ask("GET", f"/sign-in/oidc{query}", **headers)
        assert page.status == 303, page.text
        return str(page.headers["location"])

    async def at_provider(self, address: str) -> str:
        """Sign in there; the path that a browser is sent back to."""
        async with self.site.session.get(address, allow_redirects=False) as answer:
            assert answer.status == 302
            back = answer.headers["location"]
        assert back.startswith(REDIRECT)
        return back.removeprefix("https://tidings.shop.example")

    async def enter(self, browser: Browser, query: str = "", **claims: Any) -> Page:
        """The whole way; what the callback answers."""
        self.provider.claims = {**OF_KIM, **claims}
        back = await self.at_provider(await self.begin(browser, query))
        return await browser.ask("GET", back, sec_fetch_site="cross-site")

    async def roles(self) -> dict[tuple[str, str], str]:
        rows = await self.site.pool.fetch(
            "select u.email, r.project_id, r.role from user_roles r join users u using (user_id)"
        )
        return {(row["email"], row["project_id"]): row["role"] for row in rows}

    async def told(self) -> list[tuple[str, str]]:
        rows = await self.site.pool.fetch(
            "select actor, action from audit_log where project_id = 'shop' order by position"
        )
        return [(row["actor"].partition("_")[0], row["action"]) for row in rows]


def settings_of(provider: OpenIdProvider, **changes: Any) -> Oidc:
    made = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": Secret(SECRET), "roles": RULES, **changes}
    return Oidc(name="Our Login", **made)


@asynccontextmanager
async def serving(settings: Settings, dsn: str, **changes: Any) -> AsyncIterator[Sso]:
    web = Web(url="https://tidings.shop.example")
    mine = replace(settings, postgres=Postgres(dsn=Secret(dsn)), web=web)
    database, passwords = LateDatabase(mine), Passwords(cost=Cost(kib=64, passes=1))
    async with running_provider() as outer:
        made, runners, ports = [], [], []
        for _ in range(2):
            made.append(Provider(settings_of(outer, **changes), REDIRECT, utc_now, signed_out_uri=SIGNED_OUT))
            server = WebServer(Wiring(mine), database.pool, passwords, provider=made[-1])
            runner, port = await listen(mine, server)
            runners.append(runner)
            ports.append(port)
        try:
            with structlog.testing.capture_logs() as logged:
                async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                    base, other = (f"http://127.0.0.1:{port}" for port in ports)
                    yield Sso(Site(base, await database.pool(), passwords, session, logged), other, outer)
        finally:
            for one in (*[runner.cleanup() for runner in runners], *[one.close() for one in made]):
                await one
            passwords.close()
            await database.close()


@pytest.fixture
async def sso(settings: Settings, dsn: str) -> AsyncIterator[Sso]:
    async with serving(settings, dsn) as running:
        yield running


async def test_somebody_new_comes_with_the_roles_of_their_groups(sso: Sso) -> None:
    browser = sso.browser()
    assert "Sign in with Our Login" in (await browser.ask("GET", "/sign-in")).text
    page = await sso.enter(browser)
    assert (page.status, page.headers["location"]) == (303, "/")
    start = await browser.ask("GET", "/")
    assert "You are Kim" in start.text and KIM in start.text
    assert await sso.roles() == {(KIM, "shop"): "editor", (KIM, "outlet"): "viewer"}
    assert await sso.told() == [("oidc", "user.added"), ("user:usr", "user.signed_in")]
    again = sso.browser()
    assert (await sso.enter(again, email="other@shop.example", name="Kim Other")).status == 303
    assert (await again.ask("GET", "/")).text.count(KIM) == 1, "who somebody is, the subject says"


async def test_what_is_asked_of_the_provider_is_new_each_time_and_bound_to_us(sso: Sso) -> None:
    browser, asked = sso.browser(), []
    for _ in range(2):
        query = parse_qs(urlsplit(await sso.begin(browser)).query)
        asked.append(query)
        assert query["code_challenge_method"] == ["S256"] and query["redirect_uri"] == [REDIRECT]
    assert all(asked[0][name] != asked[1][name] for name in ("state", "nonce", "code_challenge"))
    kept = await sso.site.pool.fetch("select oidc_attempts::text as row from oidc_attempts")
    assert len(kept) == 2 and not any(query["state"][0] in row["row"] for query in asked for row in kept)
    assert all("HttpOnly" in line and "Secure" in line and "SameSite=Lax" in line for line in browser.seen)


WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody-else"},
    "no audience": {"aud": None},
    "several audiences, asked by another": {"aud": [CLIENT, "other"], "azp": "other"},
    "several audiences, without who asked": {"aud": [CLIENT, "other"]},
    "another issuer": {"iss": "https://evil.example"},
    "over": {"exp": int(time.time()) - 3600},
    "no end": {"exp": None},
    "of later": {"iat": int(time.time()) + 3600},
    "not yet": {"nbf": int(time.time()) + 3600},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that Postgres cannot keep": {"sub": "kim\x00"},
    "a subject of two kinds": {"sub": 7},
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(sso: Sso, case: str) -> None:
    browser = sso.browser()
    page = await sso.enter(browser, **WRONG[case])
    assert (page.status, "could not be proved" in page.text) == (403, True)
    assert (await browser.ask("GET", "/")).status == 303
    assert await sso.roles() == {}


@signed_otherwise
async def test_a_token_that_no_key_of_the_provider_has_signed_is_refused(sso: Sso, sign: Callable[..., Any]) -> None:
    sso.provider.sign = sign(sso.provider)
    page = await sso.enter(sso.browser())
    assert (page.status, "could not be proved" in page.text) == (403, True)
    assert await sso.roles() == {}


async def test_keys_that_are_new_or_of_another_kind_are_taken_without_a_restart(sso: Sso) -> None:
    assert (await sso.enter(sso.browser())).status == 303
    for keys in ([new_key("k2")], [sso.provider.keys[0], new_key("e1", "EC")], [new_key("k2")]):
        sso.provider.keys = keys  # the last has a name that was known, and is another one
        assert (await sso.enter(sso.browser())).status == 303
    before = sso.provider.asked.count("keys")
    assert (await sso.enter(sso.browser())).status == 303
    assert sso.provider.asked.count("keys") == before, "and are not asked for each time"


async def test_a_state_is_used_once_and_by_the_browser_that_began(sso: Sso) -> None:
    sso.provider.claims = OF_KIM
    browser, thief = sso.browser(), sso.browser()
    back = await sso.at_provider(await sso.begin(browser))
    await sso.begin(thief)
    refused = await thief.ask("GET", back)
    assert (refused.status, "another browser" in refused.text) == (403, True)
    assert (await browser.ask("GET", back)).status == 303, "which the thief has not used up"
    again = await browser.ask("GET", back)
    assert (again.status, "used already" in again.text) == (403, True)
    for path in ("", "?state=x&code=y", "?code=y", f"?state={'x' * 2000}&code=y"):
        assert (await browser.ask("GET", f"/sign-in/oidc/callback{path}")).status == 403
    assert sso.provider.asked.count("token") == 1


async def test_a_state_is_over_after_a_while(sso: Sso) -> None:
    browser = sso.browser()
    back = await sso.at_provider(await sso.begin(browser))
    await sso.site.pool.execute("update oidc_attempts set ends_at = now() - interval '1 s'")
    assert (await browser.ask("GET", back)).status == 403
    await sso.begin(browser)
    assert await sso.site.pool.fetchval("select count(*) from oidc_attempts") == 1


async def test_another_process_ends_what_one_began_and_two_tabs_keep_apart(sso: Sso) -> None:
    sso.provider.claims = OF_KIM
    browser = sso.browser()
    first, second = [await sso.begin(browser) for _ in range(2)]
    elsewhere = Browser(sso.other, sso.site.session, browser.cookies)
    assert (await elsewhere.ask("GET", await sso.at_provider(first))).status == 303
    assert (await browser.ask("GET", await sso.at_provider(second))).status == 303


async def test_roles_follow_the_groups_and_sessions_from_before_end(sso: Sso) -> None:
    before = sso.browser()
    await sso.enter(before, groups=["staff", "owners"])
    assert await sso.roles() == {(KIM, "shop"): "admin", (KIM, "outlet"): "viewer"}
    assert (await sso.enter(sso.browser(), groups=["owners"])).status == 303
    assert await sso.roles() == {(KIM, "shop"): "admin"}
    assert (await before.ask("GET", "/")).status == 303, "what was allowed before is no more"
    await sso.enter(before, groups="staff")  # one alone, as some providers have it
    assert await sso.roles() == {(KIM, "shop"): "editor", (KIM, "outlet"): "viewer"}
    page = await sso.enter(sso.browser(), groups=[])
    assert (page.status, "You are in no group" in page.text) == (403, True)
    assert (await sso.roles(), (await before.ask("GET", "/")).status) == ({}, 303)
    assert await sso.site.pool.fetchval("select count(*) from users") == 0
    noted = [action for actor, action in await sso.told() if actor == "oidc"]
    assert noted == ["user.added", "user.role_changed", "user.removed"]


async def test_from_one_project_to_another_somebody_stays_who_they_are(sso: Sso) -> None:
    await sso.enter(sso.browser(), groups=["owners"])
    known = await sso.site.pool.fetchval("select user_id from users")
    assert (await sso.enter(sso.browser(), groups=["moved"])).status == 303
    assert await sso.roles() == {(KIM, "zoo"): "viewer"}
    assert await sso.site.pool.fetchval("select user_id from users") == known


async def test_groups_that_were_left_out_take_nothing_away(sso: Sso) -> None:
    await sso.enter(sso.browser())
    page = await sso.enter(sso.browser(), groups=None, _claim_names={"groups": "src1"})
    assert (page.status, "too many" in page.text) == (403, True)
    assert await sso.roles() == {(KIM, "shop"): "editor", (KIM, "outlet"): "viewer"}


async def test_an_address_makes_nobody_another_user(sso: Sso) -> None:
    jo = await sso.site.add()
    page = await sso.enter(sso.browser(), sub="evil", email=JO.upper())
    assert (page.status, "Sign in with the password" in page.text) == (403, True)
    for claims in ({"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email": None}):
        page = await sso.enter(sso.browser(), sub="evil", **claims)
        assert (page.status, "names no e-mail address" in page.text) == (403, True), claims
    assert await sso.site.pool.fetchval("select count(*) from user_identities") == 0
    assert await sso.site.pool.fetch("select user_id from users") == [(jo,)]


async def invite(sso: Sso, email: str = KIM, role: str = "editor", project: str = "shop") -> users.Invited:
    return await users.invite(sso.site.users, NewUser(project, email, "Kim", role), os.urandom, actor="ann")


async def test_who_is_invited_comes_by_the_address_that_the_provider_has_proved(sso: Sso) -> None:
    await sso.site.add()
    made, other = await invite(sso), await invite(sso, role="viewer", project="zoo")
    assert made.user_id == other.user_id
    page = await sso.browser().ask("GET", f"/welcome/{made.token}")
    assert "Sign in with Our Login" in page.text
    browser = sso.browser()
    assert (await sso.enter(browser, email=KIM.upper(), groups=[])).status == 303
    assert KIM in (await browser.ask("GET", "/")).text
    assert await sso.roles() == {(JO, "shop"): "admin", (KIM, "shop"): "editor", (KIM, "zoo"): "viewer"}
    assert await sso.site.pool.fetchval("select user_id from user_identities") == made.user_id
    for one in (made, other):
        assert (await sso.browser().ask("GET", f"/welcome/{one.token}")).status == 404, "the invitation is spent"
    rows = await sso.site.pool.fetch("select * from audit_log where action = 'user.joined' order by project_id")
    assert [(row["project_id"], row["actor"], row["thing"]) for row in rows] == [
        (project, f"user:{made.user_id}", made.user_id) for project in ("shop", "zoo")
    ]
    assert all(sso.provider.issuer in row["change"] and KIM not in row["change"] for row in rows)
    assert (await sso.enter(sso.browser(), email="moved@shop.example", groups=[])).status == 303
    again = await sso.enter(sso.browser(), sub="kim-2", groups=["staff"])
    assert again.status == 403, "another one of that address is nobody"


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email_verified": 1},
        {"email": "other@shop.example"}, {"email": None}, {"email": ["kim@shop.example"]},
        {"email": "\u212aim@shop.example"}, {"email": "\uff4bim@shop.example"}, {"email": "k\u0131m@shop.example"},
    ],
    ids=["false", "absent", "text", "number", "other", "none", "list", "kelvin", "wide", "dotless"],
)  # fmt: skip
async def test_an_invitation_waits_for_its_own_address_proved(sso: Sso, claims: dict[str, Any]) -> None:
    made = await invite(sso)
    assert (await sso.enter(sso.browser(), groups=[], **claims)).status == 403
    assert await sso.site.pool.fetchval("select count(*) from user_identities") == 0
    assert (await sso.browser().ask("GET", f"/welcome/{made.token}")).status == 200


async def test_an_invitation_is_not_accepted_by_an_address_that_settings_trust(settings: Settings, dsn: str) -> None:
    async with serving(settings, dsn, trusts_email=True) as sso:
        await invite(sso)
        assert (await sso.enter(sso.browser(), email_verified=None)).status == 403


async def test_an_invitation_that_is_over_or_taken_back_lets_nobody_in(sso: Sso) -> None:
    await sso.site.add()
    await invite(sso)
    await sso.site.pool.execute("update user_links set expires_at = now() - interval '1 s'")
    assert (await sso.enter(sso.browser(), groups=[])).status == 403
    await invite(sso)
    await users.remove(sso.site.users, "shop", KIM, actor="ann")
    assert (await sso.enter(sso.browser(), groups=[])).status == 403
    assert await sso.roles() == {(JO, "shop"): "admin"}


async def test_a_role_by_invitation_stays_beside_those_of_groups(sso: Sso) -> None:
    await invite(sso, role="viewer")
    assert (await sso.enter(sso.browser(), groups=["owners", "staff"])).status == 303
    assert await sso.roles() == {(KIM, "shop"): "viewer", (KIM, "outlet"): "viewer"}
    assert (await sso.enter(sso.browser(), groups=[])).status == 303
    assert await sso.roles() == {(KIM, "shop"): "viewer"}


async def test_who_has_a_password_is_nobody_s_by_an_invitation(sso: Sso) -> None:
    await sso.site.add()
    await invite(sso, JO, project="zoo")
    assert (await sso.enter(sso.browser(), sub="evil", email=JO)).status == 403
    assert await sso.roles() == {(JO, "shop"): "admin", (JO, "zoo"): "editor"}
    accepted = "select count(*) from user_roles where project_id = 'zoo' and accepted_at is not null"
    assert await sso.site.pool.fetchval(accepted) == 0


async def test_whoever_knows_the_link_does_not_become_who_signs_in_by_the_provider(sso: Sso) -> None:
    await sso.enter(sso.browser(), groups=["owners"])
    made, thief = await invite(sso, project="zoo"), sso.browser()
    page = await thief.ask("GET", f"/welcome/{made.token}")
    assert "sign in as you ever do" in page.text and "<input" not in page.text
    for form in ({"password": "planted-grey-heron"}, {}):
        assert (await thief.ask("POST", f"/welcome/{made.token}", form)).status == 403
    assert await sso.site.pool.fetchval("select password_hash from users") is None
    assert (await sso.enter(sso.browser(), groups=["owners"])).status == 303
    assert await sso.roles() == {(KIM, "shop"): "admin", (KIM, "zoo"): "editor"}
    assert (await thief.ask("GET", f"/welcome/{made.token}")).status == 404


async def test_of_those_who_come_at_once_by_one_address_one_is_the_invited(sso: Sso) -> None:
    await invite(sso)
    key = sso.provider.keys[-1]

    def as_somebody_new(claims: dict[str, Any]) -> str:
        head = {"alg": "RS256", "kid": key.kid}
        return jwt.encode(head, {**claims, "sub": claims["nonce"]}, key, algorithms=["RS256"])

    sso.provider.claims, sso.provider.sign = {**OF_KIM, "groups": []}, as_somebody_new
    browsers = [sso.browser() for _ in range(4)]
    backs = [await sso.at_provider(await sso.begin(one)) for one in browsers]
    pages = await asyncio.gather(*(one.ask("GET", back) for one, back in zip(browsers, backs, strict=True)))
    assert sorted(page.status for page in pages) == [303, 403, 403, 403]
    assert await sso.site.pool.fetchval("select count(*) from user_identities") == 1


async def test_one_links_what_the_provider_names_to_oneself_and_unlinks_it(sso: Sso) -> None:
    await sso.site.add()
    browser = sso.browser()
    await browser.sign_in()
    assert "Link Our Login" in (await browser.ask("GET", "/sessions")).text
    page = await sso.enter(browser, "?link=1&next=/sessions", sub="jo-1", email=None, groups=[])
    assert (page.status, page.headers["location"]) == (303, "/sessions")
    assert "You are linked" in (await browser.ask("GET", "/sessions")).text
    other = sso.browser()
    assert (await sso.enter(other, sub="jo-1", email=None, groups=[])).status == 303
    assert JO in (await other.ask("GET", "/")).text
    assert (await sso.roles())[JO, "shop"] == "admin", "a role that was given by hand is no matter of groups"
    assert (await browser.ask("POST", "/sign-in/oidc/unlink", {})).status == 303
    assert (await sso.enter(sso.browser(), sub="jo-1", email=JO, groups=["staff"])).status == 403
    assert [action for _, action in await sso.told() if "link" in action] == ["user.linked", "user.unlinked"]


async def test_a_link_is_begun_on_a_page_of_ours_and_ended_in_the_same_session(sso: Sso) -> None:
    await sso.site.add()
    browser = sso.browser()
    await browser.sign_in()
    for headers in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "none"}, {"accept": "text/html"}):
        page = await browser.ask("GET", "/sign-in/oidc?link=1", **headers)
        assert (page.status, page.headers["location"]) == (303, "/sessions")
    assert (await sso.browser().ask("GET", "/sign-in/oidc?link=1")).headers["location"] == "/sessions"
    sso.provider.claims = {**OF_KIM, "sub": "evil"}
    for email in (None, KIM):  # nobody, or somebody else, is signed in by the time that they come back
        back = await sso.at_provider(await sso.begin(browser, "?link=1"))
        await browser.ask("POST", "/sign-out", {})
        if email:
            await sso.site.add(email)
            await browser.sign_in(email=email)
        assert (await browser.ask("GET", back)).status == 403
        await browser.sign_in()
    assert await sso.site.pool.fetchval("select count(*) from user_identities") == 0


async def test_what_the_provider_names_is_one_user_and_a_user_one_name(sso: Sso) -> None:
    await sso.enter(sso.browser())
    await sso.site.add()
    browser = sso.browser()
    await browser.sign_in()
    page = await sso.enter(browser, "?link=1")
    assert (page.status, "linked otherwise" in page.text) == (403, True)
    assert (await sso.enter(browser, "?link=1", sub="jo-1")).status == 303
    assert (await sso.enter(browser, "?link=1", sub="jo-1")).status == 303
    assert (await sso.enter(browser, "?link=1", sub="jo-2")).status == 403


async def test_the_only_way_in_is_not_unlinked(sso: Sso) -> None:
    browser = sso.browser()
    await sso.enter(browser)
    page = await browser.ask("POST", "/sign-in/oidc/unlink", {})
    assert (page.status, "only way in" in page.text) == (409, True)
    assert (await sso.enter(sso.browser())).status == 303


async def test_who_is_disabled_does_not_come_in(sso: Sso) -> None:
    browser = sso.browser()
    await sso.enter(browser, groups=["owners"])
    await users.disable(sso.site.users, "shop", KIM, actor="ann", is_operator=True)
    page = await sso.enter(sso.browser(), groups=["owners"])
    assert (page.status, "You may not sign in" in page.text) == (403, True)
    assert (await browser.ask("GET", "/")).status == 303


async def test_passwords_do_while_the_provider_is_away_and_it_is_taken_again_once_it_is_back(sso: Sso) -> None:
    await sso.site.add()
    sso.provider.is_down = True
    page = await sso.browser().ask("GET", "/sign-in/oidc")
    assert (page.status, page.headers["retry-after"], "does not answer" in page.text) == (503, "5", True)
    browser = sso.browser()
    assert (await browser.sign_in()).status == 303
    sso.provider.is_down = False
    assert (await sso.enter(sso.browser())).status == 303
    back = await sso.at_provider(await sso.begin(waiting := sso.browser()))
    sso.provider.is_down = True
    assert (await waiting.ask("GET", back)).status == 503


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"authorization_endpoint": None},
    ],
    ids=["another-name", "token-without-tls", "keys-by-ftp", "no-endpoint"],
)
async def test_a_provider_that_is_not_the_one_of_the_settings_is_not_asked(sso: Sso, metadata: dict[str, Any]) -> None:
    sso.provider.metadata = metadata
    assert (await sso.browser().ask("GET", "/sign-in/oidc")).status == 503


async def test_an_answer_of_another_provider_is_refused(sso: Sso) -> None:
    sso.provider.answer = {"iss": "https://evil.example"}
    assert (await sso.enter(sso.browser())).status == 403
    sso.provider.answer = {"iss": sso.provider.issuer}
    assert (await sso.enter(sso.browser())).status == 303
    assert sso.provider.asked.count("token") == 1


async def test_who_refuses_at_the_provider_is_told_so_without_its_words(sso: Sso) -> None:
    sso.provider.answer = {"error": "access_denied", "error_description": "<b>planted words</b>"}
    page = await sso.enter(sso.browser())
    assert (page.status, "did not let you in" in page.text, "planted" in page.text) == (403, True, False)


NEXT = {
    "/sessions": "/sessions",
    "/audit?actor=a&since=7d": "/audit?actor=a&since=7d",
    "//evil.example": "/",
    "/\\evil.example": "/",
    "https://evil.example": "/",
    "javascript:alert(1)": "/",
    "/%2f/evil.example": "/",
    "/a//evil.example": "/",
    "/\tevil": "/",
    " //evil.example": "/",
    "///evil.example": "/",
    "/a\r\nset-cookie: x=y": "/",
    "": "/",
}


@pytest.mark.parametrize("asked", NEXT)
async def test_nobody_is_sent_on_to_another_site(sso: Sso, asked: str) -> None:
    page = await sso.enter(sso.browser(), f"?next={quote(asked, safe='')}")
    assert (page.status, page.headers["location"]) == (303, NEXT[asked])


async def test_addresses_and_groups_may_be_told_apart_from_the_token(sso: Sso) -> None:
    sso.provider.userinfo = {"sub": "kim-1", "email": KIM, "email_verified": False, "groups": ["staff"]}
    told: dict[str, Any] = {"email": None, "groups": None}
    assert (await sso.enter(sso.browser(), **told)).status == 403, "whoever names it says whether it is proved"
    sso.provider.userinfo["email_verified"] = True
    assert (await sso.enter(sso.browser(), **told)).status == 303
    sso.provider.userinfo["sub"] = "another"
    assert (await sso.enter(sso.browser(), **told)).status == 403


async def test_groups_may_stand_deeper_and_addresses_be_trusted_by_the_settings(settings: Settings, dsn: str) -> None:
    async with serving(settings, dsn, groups_claim="realm_access.roles", trusts_email=True) as sso:
        told: dict[str, Any] = {"groups": None, "realm_access": {"roles": ["owners"]}, "email_verified": None}
        assert (await sso.enter(sso.browser(), **told)).status == 303
        assert await sso.roles() == {(KIM, "shop"): "admin"}


async def test_an_id_that_was_brought_along_is_not_taken_and_the_old_session_ends(sso: Sso) -> None:
    await sso.site.add()
    browser = sso.browser()
    await browser.sign_in()
    before = browser.cookies["__Host-tidings"]
    await sso.enter(browser)
    assert browser.cookies["__Host-tidings"] != before
    assert await sso.site.pool.fetchval("select count(*) from sessions") == 1


async def test_no_secret_is_in_a_log_or_an_audit_row(sso: Sso) -> None:
    sso.provider.claims = OF_KIM
    browser = sso.browser()
    address = await sso.begin(browser)
    back = await sso.at_provider(address)
    await browser.ask("GET", back)
    await browser.ask("GET", back)
    kept = await sso.site.pool.fetch("select audit_log::text as row from audit_log")
    text = f"{sso.site.logged} {kept}"
    told = {**parse_qs(urlsplit(address).query), **parse_qs(urlsplit(back).query)}
    secrets = [told[name][0] for name in ("state", "nonce", "code", "code_challenge")]
    assert kept and not [one for one in (*secrets, SECRET, KIM, "kim-1", *browser.cookies.values()) if one in text]


# -- signing out ----------------------------------------------------------------------------------------------------


async def signed_out(sso: Sso, browser: Browser) -> str:
    """The address at the provider that the page of whoever has signed out goes on to."""
    page = await browser.ask("POST", "/sign-out", {})
    assert (page.status, page.title) == (200, "Signed out"), page.text
    found = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]+)">', page.text)
    assert found is not None
    return html.unescape(found[1])


@pytest.fixture
async def leaving(sso: Sso) -> Sso:
    sso.provider.metadata = {"end_session_endpoint": f"{sso.provider.issuer}/out?realm=shop"}
    return sso


async def test_who_signs_out_here_signs_out_at_the_provider_and_comes_back(leaving: Sso) -> None:
    browser = leaving.browser()
    await leaving.enter(browser)
    token = await leaving.site.pool.fetchval("select provider_hint from sessions")
    address = await signed_out(leaving, browser)
    assert await leaving.site.pool.fetchval("select count(*) from sessions") == 0, "before anybody goes anywhere"
    assert "__Host-tidings" not in browser.cookies
    assert address.startswith(f"{leaving.provider.issuer}/out?realm=shop&")
    asked = {name: one for name, (one,) in parse_qs(urlsplit(address).query).items()}
    assert asked["id_token_hint"] == token
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (claims["sub"], asked["client_id"]) == ("kim-1", CLIENT)
    assert asked["post_logout_redirect_uri"] == SIGNED_OUT
    back = await browser.ask("GET", f"/sign-in/oidc/signed-out?state={asked['state']}", sec_fetch_site="cross-site")
    assert (back.status, "signed out here and at Our Login" in back.text) == (200, True)
    assert [action for _, action in await leaving.told()][-1] == "user.sessions_ended"


async def test_a_state_that_is_not_of_this_browser_says_nothing(leaving: Sso) -> None:
    browser, other = leaving.browser(), leaving.browser()
    await leaving.enter(browser)
    state = parse_qs(urlsplit(await signed_out(leaving, browser)).query)["state"][0]
    await leaving.begin(other)
    for one, said in ((other, state), (leaving.browser(), state), (browser, ""), (browser, "x")):
        page = await one.ask("GET", f"/sign-in/oidc/signed-out?state={said}")
        assert (page.status, page.headers["location"]) == (303, "/sign-in")
    await leaving.enter(other)
    page = await other.ask("GET", f"/sign-in/oidc/signed-out?state={state}")
    assert (page.status, page.headers["location"]) == (303, "/"), "nobody is signed out by a link"


@pytest.mark.parametrize("endpoint", [None, "http://evil.example/out", "javascript:alert(1)"])
async def test_where_the_provider_has_no_such_page_one_signs_out_here_alone(sso: Sso, endpoint: str | None) -> None:
    sso.provider.metadata = {"end_session_endpoint": endpoint}
    browser = sso.browser()
    await sso.enter(browser)
    page = await browser.ask("POST", "/sign-out", {})
    assert (page.status, page.headers["location"]) == (303, "/sign-in")
    assert await sso.site.pool.fetchval("select count(*) from sessions") == 0


async def test_who_came_by_a_password_signs_out_here_alone(leaving: Sso) -> None:
    await leaving.site.add()
    browser = leaving.browser()
    await browser.sign_in()
    assert (await browser.ask("POST", "/sign-out", {})).headers["location"] == "/sign-in"


async def test_a_provider_that_is_away_keeps_nobody_signed_in_here(settings: Settings, dsn: str) -> None:
    async with serving(settings, dsn) as sso:
        sso.provider.metadata = {"end_session_endpoint": f"{sso.provider.issuer}/out"}
        browser = sso.browser()
        await sso.enter(browser)
        sso.provider.is_down = True
        elsewhere = Browser(sso.other, sso.site.session, browser.cookies)  # which has not asked it before
        page = await elsewhere.ask("POST", "/sign-out", {})
        assert (page.status, "may be signed in there still" in page.text) == (200, True)
        assert await sso.site.pool.fetchval("select count(*) from sessions") == 0


async def test_a_token_that_is_too_long_for_an_address_is_left_out(leaving: Sso) -> None:
    browser = leaving.browser()
    await leaving.enter(browser, groups=["staff", *(f"group-{number}" for number in range(600))])
    asked = parse_qs(urlsplit(await signed_out(leaving, browser)).query)
    assert "id_token_hint" not in asked and asked["client_id"] == [CLIENT]
