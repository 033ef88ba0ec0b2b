"""Templates, accounts, keys, users and the project itself on pages, over real HTTP and on a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from agents.accounts import account_keys
from console.control import api_keys
from console.control.api_keys import NewKey
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.api_key import RANDOM_BYTES
from schemas.channels.email import EmailAccountForm
from schemas.formats.cursors import write_cursor
from store.accounts import AccountKey, Accounts
from store.api_keys import ApiKeys
from tests.integration.test_api_accounts import KEY, PLANTED
from tests.integration.test_named_templates import apply, named, save, sending
from tests.integration.test_web import PASSWORD, Browser, Page, Site, running
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_segments import all_pages

TEMPLATES, ACCOUNTS, KEYS, USERS = (f"/p/shop/{one}" for one in ("templates", "accounts", "keys", "users"))
ROW_IDS = r'<code class="id">(key_\w+)</code>'


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    kafka = replace(settings.kafka, bootstrap="127.0.0.1:1")
    async with running(replace(settings, kafka=kafka, accounts=AccountKeys((Secret(KEY),))), dsn, Web()) as one:
        yield one


async def account(site: Site, settings: Settings, name: str, project: str = "shop") -> None:
    form = EmailAccountForm(host="mail.shop.example", sender="a@shop.example", username="u", password=PLANTED)
    keys = account_keys(replace(settings, accounts=AccountKeys((Secret(KEY),))))
    assert await Accounts(site.pool).add(AccountKey(project, "email", name), form, keys, by="ann")


async def key(site: Site, name: str, project: str = "shop") -> str:
    _, kept = await api_keys.create(
        ApiKeys(site.pool), NewKey(project, name, "editor"), os.urandom(RANDOM_BYTES), actor=EVIL
    )
    return kept.key_id


async def actions(site: Site, action: str) -> list[str]:
    return [row["actor"] for row in await site.pool.fetch("select actor from audit_log where action = $1", action)]


def inert(page: Page) -> bool:
    return "<script>" not in page.text and "\u202e" not in re.sub(r'value="[^"]*"', "", page.text)


async def test_templates_are_listed_with_who_sends_an_older_version(site: Site) -> None:
    await save(site.pool, *(named(f"t{number:02}") for number in range(60)), named("theirs", project="outlet"))
    await apply(site.pool, sending(named("t00")))
    await save(site.pool, named("t00", 2, text=f"Hello {EVIL}", files={"t00.txt": f"Hello {EVIL}"}))
    mine = await signed_in(site)
    listed = r'<th scope="row"><a href="[^"]*"><code>(\w+)</code></a></th>'
    assert await all_pages(mine, TEMPLATES, listed) == [f"t{number:02}" for number in range(60)]
    for query, expected in (("?q=T05", ["t05"]), ("?sent=older", ["t00"]), ("?q=nothing", [])):
        assert await all_pages(mine, TEMPLATES + query, listed) == expected, query
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{TEMPLATES}.csv?sent=older")).text)))
    assert [(row["template"], row["version"], row["older"]) for row in rows] == [("t00", "2", "winback (v1)")]


async def test_a_template_is_shown_as_it_was_written_in_each_version(site: Site) -> None:
    await save(site.pool, named())
    await apply(site.pool, sending(named()))
    await save(site.pool, named(version=2, text=f"Hello {EVIL}", files={"hello.txt": f"Hello {EVIL}"}))
    mine = await signed_in(site)
    page = await mine.ask("GET", f"{TEMPLATES}/hello")
    assert (page.status, page.title, inert(page)) == (200, "Template hello", True)
    assert "Hello &lt;script&gt;" in page.text
    assert re.findall(r">Version (\d)</a>", page.text) == ["2", "1"]
    assert "winback</code></a> in version 1" in page.text
    first = await mine.ask("GET", f"{TEMPLATES}/hello?version=1")
    assert ("<code>Hi</code>" in first.text, "Hello" in first.text) == (True, False)
    for query, expected in (("?version=9", 404), ("?version=x", 422), ("?version=" + "9" * 30, 422)):
        assert (await mine.ask("GET", f"{TEMPLATES}/hello{query}")).status == expected, query
    assert (await mine.ask("GET", f"{TEMPLATES}/helo")).status == 404


async def test_accounts_show_nothing_secret_and_are_paused_and_resumed(site: Site, settings: Settings) -> None:
    await account(site, settings, "main")
    await account(site, settings, "theirs", "outlet")
    mine, looks = await signed_in(site, "admin"), await signed_in(site, "operator")
    page = await mine.ask("GET", ACCOUNTS)
    assert (page.status, "email/main" in html.unescape(page.text), "theirs" in page.text) == (200, True, False)
    assert PLANTED not in page.text
    assert (await looks.ask("POST", ACCOUNTS, {"account": "email/main", "step": "pause"})).status == 403
    assert (await (await signed_in(site)).ask("GET", ACCOUNTS)).status == 403
    forged = await mine.ask("POST", ACCOUNTS, {"account": "email/main", "step": "pause"}, sec_fetch_site="cross-site")
    assert forged.status == 403
    for step, state in (("pause", "paused"), ("resume", "active")):
        assert (await mine.ask("POST", ACCOUNTS, {"account": "email/main", "step": step})).status == 303
        assert f'"state {state}"' in (await mine.ask("GET", ACCOUNTS)).text
    for form in ({}, {"account": "email/main"}, {"account": "email/main", "step": "x"},
                 {"account": "email/theirs", "step": "pause"}, {"account": "x", "step": "pause"}):  # fmt: skip
        assert (await mine.ask("POST", ACCOUNTS, form)).status == 422, form
    assert len(await actions(site, "account.paused")) == len(await actions(site, "account.resumed")) == 1


async def test_keys_are_listed_and_ended_at_once(site: Site) -> None:
    ids = [await key(site, f"ci-{number:02}") for number in range(55)]
    theirs = await key(site, "theirs", "outlet")
    mine = await signed_in(site, "admin")
    assert await all_pages(mine, KEYS, ROW_IDS) == ids[::-1]
    assert inert(await mine.ask("GET", KEYS))
    assert (await (await signed_in(site, "operator")).ask("GET", KEYS)).status == 403
    assert (await mine.ask("POST", f"{KEYS}/revoke", {"key": ids[0]}, sec_fetch_site="cross-site")).status == 403
    assert (await mine.ask("POST", f"{KEYS}/revoke", {"key": ids[0]})).status == 303
    for named_key, expected in ((theirs, 404), ("key_" + "0" * 16, 404), ("ci-01", 422), ("", 422)):
        assert (await mine.ask("POST", f"{KEYS}/revoke", {"key": named_key})).status == expected, named_key
    states = {one.key_id: one.state for one in await api_keys.listed(ApiKeys(site.pool), "shop")}
    assert [one for one, state in states.items() if state == "revoked"] == [ids[0]]
    assert [one.startswith("user:") for one in await actions(site, "key.revoked")] == [True]
    assert (await mine.ask("GET", f"{KEYS}?cursor={write_cursor('x')}")).status == 422


async def test_a_key_is_made_and_shown_once(site: Site) -> None:
    mine = await signed_in(site, "admin")
    asked = {"name": "ci", "role": "editor", "kind": "test", "expires": "90d"}
    assert (await mine.ask("POST", KEYS, asked, sec_fetch_site="cross-site")).status == 403
    page = await mine.ask("POST", KEYS, asked)
    (made,) = re.findall(r"<code>(tdg_test_\w+)</code>", page.text)
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    assert made not in (await mine.ask("GET", KEYS)).text
    assert made not in str(site.logged)
    (kept,) = await api_keys.listed(ApiKeys(site.pool), "shop")
    assert (kept.name, kept.role, kept.kind, kept.expires_at is None) == ("ci", "editor", "test", False)
    again = await mine.ask("POST", KEYS, asked)
    assert (again.status, "is in use" in again.text) == (422, True)
    wrong = await mine.ask("POST", KEYS, {"name": "a b", "role": "boss", "kind": "x", "expires": "soon"})
    fields = re.findall(r'<li><a href="#(\w+)">', wrong.text)
    assert (wrong.status, sorted(fields)) == (422, ["expires", "kind", "name", "role"])
    assert len(await api_keys.listed(ApiKeys(site.pool), "shop")) == 1
    (one,) = await actions(site, "key.created")
    assert one.startswith("user:")


async def test_somebody_is_invited_by_a_link_that_is_shown_once(site: Site) -> None:
    mine = await signed_in(site, "admin")
    asked = {"email": "kim@shop.example", "display_name": EVIL, "role": "editor"}
    assert (await mine.ask("POST", f"{USERS}/invite", asked, sec_fetch_site="cross-site")).status == 403
    page = await mine.ask("POST", f"{USERS}/invite", asked | {"display_name": "Kim"})
    assert page.status == 200
    (link,) = map(html.unescape, re.findall(r'aria-label="The link"><code>([^<]*)</code>', page.text))
    assert (await site.browser().ask("GET", link)).status == 200
    listed = await mine.ask("GET", USERS)
    assert ("kim@shop.example" in listed.text, html.escape(link) in listed.text) == (True, False)
    assert "has not come yet" in listed.text
    there = await mine.ask("POST", f"{USERS}/invite", asked | {"email": "admin@shop.example", "display_name": "Jo"})
    assert (there.status, "is in this project already" in there.text) == (422, True)
    wrong = await mine.ask("POST", f"{USERS}/invite", {"email": "x", "display_name": "", "role": "boss"})
    fields = re.findall(r'<li><a href="#(\w+)">', wrong.text)
    assert (wrong.status, sorted(fields), inert(wrong)) == (422, ["display_name", "email", "role"], True)


async def user_id(mine: Browser, email: str) -> str:
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{USERS}.csv")).text)))
    return next(row["user_id"] for row in rows if row["email"] == email)


async def test_somebody_is_kept_from_signing_in_and_let_in_again(site: Site) -> None:
    mine = await signed_in(site, "admin")
    other = await signed_in(site)
    await signed_in(site, project="outlet")
    page = await mine.ask("GET", USERS)
    assert (page.status, "viewer@shop.example" in page.text, "outlet" in page.text) == (200, True, False)
    assert (await other.ask("GET", USERS)).status == 403
    viewer, admin = [await user_id(mine, f"{one}@shop.example") for one in ("viewer", "admin")]
    form = {"user": viewer, "step": "disable"}
    assert (await mine.ask("POST", USERS, form, sec_fetch_site="cross-site")).status == 403
    assert (await mine.ask("POST", USERS, form)).status == 303
    assert (await other.ask("GET", "/p/shop/distributions")).status == 303, "their sessions ended with it"
    assert (await site.browser().sign_in(PASSWORD, "viewer@shop.example")).status == 422
    assert (await mine.ask("POST", USERS, {"user": viewer, "step": "enable"})).status == 303
    assert (await site.browser().sign_in(PASSWORD, "viewer@shop.example")).status == 303
    for wrong in ({}, {"user": viewer}, {"user": admin, "step": "disable"}, {"user": viewer, "step": "x"}):
        assert (await mine.ask("POST", USERS, wrong)).status == 422, wrong
    assert len(await actions(site, "user.disabled")) == 1
    form_of_oneself = re.search(rf'value="{admin}"', html.unescape((await mine.ask("GET", USERS)).text))
    assert form_of_oneself is None, "nobody locks themselves out by a click"


async def test_somebody_gets_another_role_a_new_password_and_is_taken_out(site: Site) -> None:
    mine, other = await signed_in(site, "admin"), await signed_in(site)
    await signed_in(site, "editor")
    viewer, admin = [await user_id(mine, f"{one}@shop.example") for one in ("viewer", "admin")]
    form = {"user": viewer, "step": "role", "role": "editor"}
    assert (await mine.ask("POST", USERS, form, sec_fetch_site="cross-site")).status == 403
    assert (await other.ask("POST", USERS, form)).status == 403
    assert (await mine.ask("POST", USERS, form)).status == 303
    assert (await other.ask("GET", "/p/shop/segments")).status == 303, "their sessions ended with it"
    await other.sign_in(email="viewer@shop.example")
    assert (await other.ask("GET", "/p/shop/segments/new")).status == 200
    for changes in ({"role": "boss"}, {"role": ""}, {"user": admin}, {"user": admin, "step": "remove"}, {"user": "x"}):
        refused = await mine.ask("POST", USERS, form | changes)
        assert refused.status in (404, 422), changes
    assert "must be one of viewer" in (await mine.ask("POST", USERS, form | {"role": "boss"})).text
    page = await mine.ask("POST", USERS, form | {"step": "reset"})
    (link,) = map(html.unescape, re.findall(r'aria-label="The link"><code>([^<]*)</code>', page.text))
    assert (page.status, (await site.browser().ask("GET", link)).status) == (200, 200)
    assert html.escape(link) not in (await mine.ask("GET", USERS)).text
    assert (await mine.ask("POST", USERS, form | {"step": "remove"})).status == 303
    assert (await other.ask("GET", "/p/shop/distributions")).status in (303, 404)
    assert "viewer@shop.example" not in (await mine.ask("GET", USERS)).text
    for action in ("user.role_changed", "user.reset_allowed", "user.removed"):
        (actor,) = await actions(site, action)
        assert actor.startswith("user:"), action


async def test_the_settings_say_what_one_may_do(site: Site) -> None:
    looks, runs = await signed_in(site), await signed_in(site, "admin")
    for mine, may_write in ((looks, False), (runs, True)):
        page = await mine.ask("GET", "/p/shop/settings")
        assert (page.status, "campaigns:write" in page.text) == (200, may_write)
    assert "The settings of the deployment describe it" in (await looks.ask("GET", "/p/shop/settings")).text
    other = await (await signed_in(site, project="outlet")).ask("GET", "/p/outlet/settings")
    assert "Nobody has described it" in other.text
