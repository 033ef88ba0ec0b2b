"""Accounts that are added, changed and tried on pages, on a real PostgreSQL and a mail server that asks for a login."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.accounts import account_keys
from channels.fakes.email import SmtpSink
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.channels.email import EmailAccountForm
from schemas.channels.sms import SmsAccountForm
from store.accounts import AccountKey, Accounts
from tests.integration.test_api_accounts import KEY, PLANTED, guarded, keyed
from tests.integration.test_web import Page, Site, running
from tests.integration.test_web_builder import problems
from tests.integration.test_web_projects import EVIL, signed_in

__all__ = ["guarded"]
LIST, NEW, EDIT = (f"/p/shop/accounts{one}" for one in ("", "/new?channel=email", "/edit?account=email/main"))


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    async with running(keyed(settings, dsn, KEY).settings, dsn, Web()) as one:
        yield one


def mailbox(sink: SmtpSink, **changes: str) -> dict[str, str]:
    given = {
        "name": "main", "field_host": "127.0.0.1", "field_port": str(sink.port), "field_security": "none",
        "field_sender": "a@example.com", "field_username": "u", "secret_password": PLANTED,
    }  # fmt: skip
    return given | changes


async def kept(settings: Settings, site: Site, dsn: str) -> EmailAccountForm:
    stored = await Accounts(site.pool).get(AccountKey("shop", "email", "main"))
    assert stored is not None
    form = stored.read(account_keys(keyed(settings, dsn, KEY).settings))
    assert isinstance(form, EmailAccountForm)
    return form


def value_of(page: Page, name: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(rf'id="{name}"[^>]* value="([^"]*)"', page.text)]


async def test_one_is_added_tried_changed_and_forgotten_and_its_secret_is_shown_by_none_of_it(
    site: Site, guarded: SmtpSink, settings: Settings, dsn: str
) -> None:
    mine, seen = await signed_in(site, "admin"), list[Page]()

    async def ask(method: str, path: str, form: Any = None) -> Page:
        seen.append(await mine.ask(method, path, form))
        return seen[-1]

    assert f'href="{LIST}/new"' in html.unescape((await ask("GET", LIST)).text)
    assert (await ask("GET", NEW)).status == 200
    done = await ask("POST", NEW, mailbox(guarded))
    assert (done.status, "email/main is kept" in html.unescape(done.text)) == (200, True), problems(done)
    twice = await ask("POST", NEW, mailbox(guarded))
    assert (twice.status, "there is an account email/main already" in "".join(problems(twice))) == (422, True)
    assert "has to be typed again" in twice.text
    well = await ask("POST", f"{LIST}/check", {"account": "email/main"})
    assert (well.status, "email/main: " in html.unescape(well.text), well.text.count('class="problems"')) == (
        200,
        True,
        0,
    )
    assert "What is left empty stays" in (await ask("GET", EDIT)).text
    changed = await ask("POST", EDIT, {"field_sender_name": "Shop", "secret_password": "", "field_host": " "})
    assert (changed.status, "email/main is changed" in html.unescape(changed.text)) == (200, True)
    form = await kept(settings, site, dsn)
    assert (form.sender_name, form.password, form.host) == ("Shop", PLANTED, "127.0.0.1")
    moved = await ask("POST", EDIT, {"field_host": "localhost"})
    assert (moved.status, "must be written anew" in "".join(problems(moved))) == (422, True)
    assert value_of(moved, "field_host") == ["localhost"]
    await ask("POST", EDIT, {"secret_password": "an0ther-planted"})
    ill = await ask("POST", f"{LIST}/check", {"account": "email/main"})
    assert (ill.status, problems(ill)[0].startswith("email/main: ")) == (422, True)
    assert (await ask("POST", LIST, {"account": "email/main", "step": "remove"})).status == 303
    assert (await ask("GET", EDIT)).status == 404
    rows = await site.pool.fetch("select actor, action, change::text from audit_log where thing = 'email/main'")
    assert {row["action"] for row in rows} >= {"account.changed", "account.removed"}
    everything = "".join(one.text for one in seen) + str(rows) + str(site.logged)
    assert (PLANTED in everything, "an0ther-planted" in everything) == (False, False)


async def test_what_is_wrong_is_told_at_its_field_and_all_but_secrets_is_kept(site: Site, guarded: SmtpSink) -> None:
    mine = await signed_in(site, "admin")
    wrong = await mine.ask("POST", NEW, mailbox(guarded, field_port="0", field_sender=f"no {EVIL}", name="a/b"))
    assert (wrong.status, PLANTED in wrong.text, "<script>" in wrong.text) == (422, False, False)
    assert problems(wrong)[0].startswith("Name: ")
    assert (value_of(wrong, "field_username"), value_of(wrong, "name")) == (["u"], ["a/b"])
    wrong = await mine.ask("POST", NEW, mailbox(guarded, field_port="0", field_sender="no"))
    assert [one.partition(":")[0] for one in problems(wrong)] == ["Sender", "Port"]
    assert (value_of(wrong, "field_port"), value_of(wrong, "field_sender")) == (["0"], ["no"])
    assert "must have" not in (await mine.ask("GET", "/p/shop/accounts/new?channel=sms")).text
    for path, expected in (("/new?channel=fax", 422), ("/edit?account=email/nobody", 404), ("/edit?account=x", 422),
                           ("/edit", 422), ("/edit?account=%00", 422)):  # fmt: skip
        for method in ("GET", "POST"):
            assert (await mine.ask(method, LIST + path, mailbox(guarded) if method == "POST" else None)).status == (
                expected
            ), path
    for named, expected in (("email/nobody", 404), ("x", 422), ("\0", 422), ("", 422)):
        assert (await mine.ask("POST", f"{LIST}/check", {"account": named})).status == expected, named
    assert await Accounts(site.pool).of_project("shop") == []


async def test_others_than_admins_see_no_way_to_write_one(site: Site, guarded: SmtpSink) -> None:
    looks = await signed_in(site, "operator")
    assert not re.findall("Add an account|Try it", (await looks.ask("GET", LIST)).text)
    for method, path in (("GET", NEW), ("POST", NEW), ("GET", EDIT), ("POST", EDIT), ("POST", f"{LIST}/check")):
        assert (await looks.ask(method, path, mailbox(guarded) if method == "POST" else None)).status == 403, path
    mine = await signed_in(site, "admin")
    forged = await mine.ask("POST", NEW, mailbox(guarded), sec_fetch_site="cross-site")
    assert (forged.status, await Accounts(site.pool).of_project("shop")) == (403, [])


TWILIO = "/p/shop/accounts/new?channel=sms"
GATEWAY = f"{TWILIO}&provider=http"
TEXTS = "/p/shop/accounts/edit?account=sms/main"


def inputs_of(page: Page) -> set[str]:
    return set(re.findall(r'<(?:input|textarea|select) id="(?:field|secret)_(\w+)"', page.text))


async def sms_kept(settings: Settings, site: Site, dsn: str) -> SmsAccountForm:
    stored = await Accounts(site.pool).get(AccountKey("shop", "sms", "main"))
    assert stored is not None
    form = stored.read(account_keys(keyed(settings, dsn, KEY).settings))
    assert isinstance(form, SmsAccountForm)
    return form


async def test_a_form_has_the_fields_of_its_provider_and_a_change_of_it_keeps_none_of_the_other(
    site: Site, settings: Settings, dsn: str
) -> None:
    mine = await signed_in(site, "admin")
    twilio, gateway = await mine.ask("GET", TWILIO), await mine.ask("GET", GATEWAY)
    assert inputs_of(twilio) >= {"account_sid", "auth_token", "sender"}
    assert inputs_of(gateway) >= {"url", "body", "headers", "sender"}
    assert inputs_of(twilio) & inputs_of(gateway) == {"sender", "max_parts", "rate", "concurrency", "callback_secrets"}
    assert "provider" not in inputs_of(twilio) | inputs_of(gateway)
    assert (await mine.ask("GET", f"{TWILIO}&provider=x")).status == 422
    assert (await mine.ask("GET", f"{NEW}&provider=http")).status == 422
    given = {"name": "main", "field_account_sid": "AC1", "secret_auth_token": PLANTED, "field_sender": "+48501234567"}
    done = await mine.ask("POST", TWILIO, given)
    assert (done.status, "sms/main is kept" in html.unescape(done.text)) == (200, True), problems(done)
    assert inputs_of(await mine.ask("GET", TEXTS)) == inputs_of(twilio)
    other = await mine.ask("GET", f"{TEXTS}&provider=http")
    assert inputs_of(other) == inputs_of(gateway)
    url = "https://sms.example.com/send?to={to}&text={text}"
    wrong = await mine.ask("POST", f"{TEXTS}&provider=http", {"field_body": "x"})
    assert (wrong.status, (await sms_kept(settings, site, dsn)).provider) == (422, "twilio")
    moved = await mine.ask("POST", f"{TEXTS}&provider=http", {"field_url": url, "field_method": "GET"})
    assert moved.status == 200, problems(moved)
    kept_now = await sms_kept(settings, site, dsn)
    assert (kept_now.provider, kept_now.url, kept_now.auth_token, kept_now.account_sid) == ("http", url, "", "")
    assert kept_now.sender == "+48501234567"


async def test_a_plain_field_is_emptied_and_what_has_to_be_and_secrets_are_not(
    site: Site, guarded: SmtpSink, settings: Settings, dsn: str
) -> None:
    mine = await signed_in(site, "admin")
    await mine.ask("POST", NEW, mailbox(guarded, field_sender_name="Shop"))
    page = await mine.ask("GET", EDIT)
    offered = set(re.findall(r'name="empty_(\w+)"', page.text))
    assert "sender_name" in offered
    assert offered & {"sender", "password", "callback_secrets", "dkim_private_key"} == set()
    assert "empty_" not in (await mine.ask("GET", NEW)).text
    both = await mine.ask("POST", EDIT, {"field_sender_name": "Store", "empty_sender_name": "yes"})
    assert (both.status, (await kept(settings, site, dsn)).sender_name) == (422, "Shop")
    done = await mine.ask("POST", EDIT, {"empty_sender_name": "yes", "empty_password": "yes", "empty_sender": "yes"})
    assert done.status == 200, problems(done)
    form = await kept(settings, site, dsn)
    assert (form.sender_name, form.password, form.sender) == ("", PLANTED, "a@example.com")


async def test_what_has_a_closed_list_is_chosen_and_left_alone_where_nobody_chooses(
    site: Site, guarded: SmtpSink, settings: Settings, dsn: str
) -> None:
    mine = await signed_in(site, "admin")
    new = html.unescape((await mine.ask("GET", NEW)).text)
    select = new.partition('<select id="field_security"')[2].partition("</select>")[0]
    assert re.findall('value="([^"]*)"', select) == ["", "none", "starttls", "tls"]
    assert (">as usual<" in select, "port 587 (usual)<" in select) == (True, True)
    assert '<input id="field_security"' not in new
    wrong = await mine.ask("POST", NEW, mailbox(guarded, field_port="0"))
    assert '<option value="none" selected>' in wrong.text, "what was chosen stays chosen"
    forged = await mine.ask("POST", NEW, mailbox(guarded, field_security="ssl"))
    assert (forged.status, problems(forged)[0].startswith("Security: ")) == (422, True)
    await mine.ask("POST", NEW, mailbox(guarded, field_failover_ambiguous="true"))
    assert ">as it is<" in (await mine.ask("GET", EDIT)).text
    await mine.ask("POST", EDIT, {"field_security": "", "field_failover_ambiguous": "", "field_sender_name": "Shop"})
    form = await kept(settings, site, dsn)
    assert (form.security, form.failover_ambiguous, form.sender_name) == ("none", True, "Shop")
    await mine.ask("POST", EDIT, {"field_failover_ambiguous": "false"})
    assert not (await kept(settings, site, dsn)).failover_ambiguous
    for path, names in ((GATEWAY, {"method", "content"}), (TWILIO, set()), (f"{LIST}/new?channel=klaviyo", {"bulk"})):
        page = await mine.ask("GET", path)
        assert set(re.findall(r'<select id="field_(\w+)"', page.text)) == names, path
