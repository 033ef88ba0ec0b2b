"""An e-mail beside its channel in the builder over real HTTP: as it would leave, by the renderer of senders."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.accounts import account_keys
from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.messages import Console, EmailAccountSettings
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.channels.email import EmailAccountForm
from store.accounts import AccountKey, Accounts
from store.distributions import Control
from tests.integration.api_client import wired
from tests.integration.test_api_accounts import KEY
from tests.integration.test_api_templates import BRAND
from tests.integration.test_web import Browser, Page, Site, running
from tests.integration.test_web_builder_steps import at, fields_of, press
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_template_edit import keep_profile

LEAVE = "{% if unsubscribe_url %}<a href='{{ unsubscribe_url }}'>leave</a>{% endif %}"
HTML = f"<style>p {{ color: red }}</style><p>Dear {{{{ customer.name }}}}</p>{LEAVE}"
CHANNEL: dict[str, Any] = {"account": "main", "subject": "Hi {{ customer.name }}", "html": HTML}
EVENT = {
    "id": "e1", "type": "customer.order.paid", "created_at": "2026-11-20T09:00:00Z",
    "data": {"customer": {"id": "c9", "name": "Nobody", "email": "n@shop.example"}, "order": {"id": "o", "amount": 7}},
}  # fmt: skip


def document(consent: str = "transactional", **changes: Any) -> str:
    mail = {key: value for key, value in {**CHANNEL, **changes}.items() if value is not None}
    channels = json.dumps([{"webhook": {"url": "https://hooks.example.com/x", "type": "paid"}}, {"email": mail}])
    return f"distribution: paid\ntrigger: customer.order.paid\nconsent: {consent}\nchannels: {channels}\n"


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Any:
    account = EmailAccountSettings("127.0.0.1", "shop@shop.example", sender_name="The Shop")
    public = Console(public_url="https://shop.example", secrets=(Secret("s" * 32),))
    keys, accounts = AccountKeys((Secret(KEY),)), {"main": account}
    mine = replace(settings, email_accounts=accounts, accounts=keys, brand=BRAND, console=public)
    with wired(mine, dsn, ("distributions", "events.orders", "customers")) as made:
        yield made


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        yield one


def address(page: Page) -> str:
    """The address of its frame, as the button without scripts has it."""
    (found,) = re.findall(r'formaction="([^"]+)" formtarget="output_1"', page.text)
    return html.unescape(found)


async def frame(mine: Browser, page: Page, **given: str) -> Page:
    """The e-mail of a form with other fields."""
    return await mine.ask("POST", address(page), {**fields_of(page), **given})


def facts(page: Page) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd><bdi>(.*?)</bdi></dd>", html.unescape(page.text)))


def shown(page: Page) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'srcdoc="([^"]*)"', page.text)]


def failure(page: Page) -> str:
    found = re.search(r'<p class="failed">(.*?)</p>', page.text, re.DOTALL)
    return html.unescape(found[1]) if found else ""


async def test_an_email_is_shown_beside_its_channel_as_it_would_leave(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, document(), "channels")
    assert ('data-follows="' in page.text, '<iframe sandbox name="output_1"' in page.text) == (True, True)
    assert ('id="output_0"' in page.text, "pane." in page.text) == (True, True), "the webhook stands as it did"
    mail = await frame(mine, page)
    assert (mail.status, facts(mail)) == (
        200, {"Subject": "Hi Jack Nowak", "From": "The Shop <shop@shop.example>"},
    ), failure(mail)  # fmt: skip
    phone, desktop = shown(mail)
    assert ("Dear Jack Nowak" in phone, phone == desktop, "<base target" in phone) == (True, True, True)
    policy = mail.headers["content-security-policy"]
    assert ("frame-ancestors 'self'; sandbox" in policy, "script-src" in policy) == (True, False)
    changed = await frame(mine, page, channels_1_email_subject="{{ order.amount }} paid", channels_1_email_html="<b>1")
    assert (facts(changed)["Subject"], "<b>1" in shown(changed)[0]) == ("12000 paid", True)
    assert await Control(site.pool).current("shop") == {}, "nothing is saved"


async def test_it_is_about_the_event_of_the_form_and_the_profile_that_is_kept(site: Site) -> None:
    await keep_profile(site.pool, {"id": "c9", "name": "Kim", "email": "kim@shop.example"})
    mine = await signed_in(site, "editor")
    page = await at(mine, document(), "channels")
    mail = await frame(mine, page, event=json.dumps(EVENT))
    assert (facts(mail)["Subject"], "Dear Kim" in shown(mail)[0]) == ("Hi Kim", True)
    assert "The profile of c9 is the one that is kept" in facts(mail)["Profile"]
    policy = mail.headers["content-security-policy"]
    assert ("https:" in policy, "about somebody" in facts(mail)["Note"]) == (False, True)
    assert "img-src data: https: http:" in (await frame(mine, page)).headers["content-security-policy"]


async def test_what_needs_consent_has_a_link_to_leave_by(site: Site) -> None:
    """Reported elsewhere: a preview that is not of the kind that is sent has the link where none is, or lacks it."""
    mine = await signed_in(site, "editor")
    for consent, leads in (("marketing", True), ("transactional", False)):
        page = await at(mine, document(consent), "channels")
        assert (">leave</a>" in shown(await frame(mine, page))[0]) is leads, consent


async def test_it_says_who_sends_it(site: Site, wiring: Wiring) -> None:
    """Reported elsewhere: a preview names another sender than the message will have."""
    key, keys = AccountKey("shop", "email", "own"), account_keys(wiring.settings)
    form = EmailAccountForm(host="mail.example", sender="own@shop.example", unsubscribe_mailto="own@shop.example")
    await Accounts(site.pool).add(key, form, keys, by="ann")
    mine = await signed_in(site, "editor")
    page = await at(mine, document(account="own", sender_name="Kim", reply_to="help@shop.example"), "channels")
    said = facts(await frame(mine, page))
    assert (said["From"], said["Reply to"]) == ("Kim <own@shop.example>", "help@shop.example")
    await Accounts(site.pool).pause(key, by="ann")
    assert facts(await frame(mine, page)) == said, "what waits for it leaves from it"


@pytest.mark.parametrize(
    ("changes", "given", "said"),
    [
        ({}, {"channels_1_email_subject": "{{ customer.nmae }}"}, "nmae"),
        ({}, {"channels_1_email_html": "{% if %}"}, "html"),
        ({"account": "gone"}, {}, "account"),
        ({"html": None, "template": "gone"}, {}, "template"),
        ({}, {"event": "{"}, "The event cannot be read"),
        ({}, {"event": '{"type": "x"}'}, "The event cannot be read"),
    ],
    ids=["variable", "markup", "account", "template", "event", "other-event"],
)
async def test_what_is_in_the_way_is_said_in_its_place(
    site: Site, changes: dict[str, Any], given: dict[str, str], said: str
) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, document(**changes), "channels")
    wrong = await frame(mine, page, **given)
    assert (wrong.status, said in failure(wrong), shown(wrong)) == (200, True, []), wrong.text


async def test_only_who_may_write_it_sees_it_and_only_of_what_is_an_email(site: Site) -> None:
    mine, looks = await signed_in(site, "editor"), await signed_in(site)
    page = await at(mine, document(), "channels")
    assert (await looks.ask("POST", address(page), fields_of(page))).status == 403
    assert (await mine.ask("POST", address(page), fields_of(page), sec_fetch_site="cross-site")).status == 403
    for number in ("0", "2", "-1", "x", "", "9" * 30):
        other = address(page).replace("channel=1", f"channel={number}")
        assert (await mine.ask("POST", other, fields_of(page))).status == 404, number
    for form in ({}, {**fields_of(page), "yaml": "a: ["}):
        unread = await mine.ask("POST", address(page), form)
        assert (unread.status, "The document cannot be read" in failure(unread)) == (422, True)


async def test_nothing_of_it_gets_out_of_its_frame(site: Site) -> None:
    mine = await signed_in(site, "editor")
    event = json.loads(json.dumps(EVENT))
    event["data"]["customer"]["name"] = EVIL
    page = await at(mine, document(html="<p>{{ customer.name }}</p>"), "channels")
    mail = await frame(mine, page, event=json.dumps(event))
    assert (mail.status, "<script>alert" in mail.text, "<script>alert" in shown(mail)[0]) == (200, False, False)
    assert "<script>alert" not in page.text


async def test_without_a_webhook_the_event_can_be_chosen_as_well(site: Site) -> None:
    mine = await signed_in(site, "editor")
    channels = json.dumps([{"email": CHANNEL}])
    page = await at(mine, f"trigger: customer.order.paid\nchannels: {channels}\n", "channels")
    assert ('formtarget="output_0"' in page.text, "event" in fields_of(page)) == (True, True)
    page = await press(mine, page, "stay", event=json.dumps(EVENT))
    assert json.loads(fields_of(page)["event"]) == EVENT
