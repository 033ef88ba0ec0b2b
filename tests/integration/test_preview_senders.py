"""Previews of e-mails that a project sends from a mailbox of its own: they name it, wherever they are shown."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from agents.accounts import account_keys
from agents.clock import utc_now
from agents.roles.sender.ledger_rows import kept_record
from agents.wiring import Wiring
from console.cli.main import app
from console.control.preview.mailboxes import STAND_IN
from console.control.sent_messages import content
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.channels.email import EmailAccountForm
from schemas.template import StoredTemplate
from store.accounts import AccountKey, Accounts
from store.sending.ledger import Ledger
from tests.factory import delivery
from tests.integration.api_client import Api, running_api
from tests.integration.test_api_accounts import KEY
from tests.integration.test_api_trials import BRAND, applied
from tests.integration.test_store import LEASE, new
from tests.integration.test_web import Browser, Site, running
from tests.integration.test_web_projects import signed_in

PLANTED = "pl4nted-pa55word-of-the-mailbox"
OWN = AccountKey("shop", "email", "main")
FORM = EmailAccountForm(
    host="mail.shop.example", sender="own@shop.example", sender_name="Our Shop", username="kim", password=PLANTED,
    unsubscribe_url="https://shop.example/leave",
)  # fmt: skip
SENDER = "Our Shop <own@shop.example>"
SHARED = EmailAccountSettings("127.0.0.1", "all@office.example")


@pytest.fixture
def mine(settings: Settings, dsn: str) -> Settings:
    keys, at = AccountKeys((Secret(KEY),)), Postgres(dsn=Secret(dsn))
    return replace(settings, postgres=at, accounts=keys, brand=BRAND, email_accounts={})


@pytest.fixture
async def api(mine: Settings) -> AsyncIterator[Api]:
    async with running_api(Wiring(mine)) as one:
        yield one


@pytest.fixture
async def site(mine: Settings, dsn: str, api: Api) -> AsyncIterator[Site]:
    async with running(mine, dsn, Web()) as one:
        yield one


async def added(api: Api, mine: Settings, key: AccountKey = OWN) -> Accounts:
    """The accounts, with a mailbox of a project's own among them, and a distribution that leaves from it."""
    await applied(api, distribution="thanks")
    accounts = Accounts(api.pool)
    await accounts.add(key, FORM, account_keys(mine), by="ann")
    return accounts


async def told(api: Api) -> Any:
    """The only message of its preview over the API."""
    answer = await api.ask("POST", "/distributions/thanks/preview", {}, role="viewer")
    assert (answer.status, PLANTED.encode() in answer.raw) == (200, False), answer.raw
    (message,) = answer.json["messages"]
    return message


async def shown(browser: Browser) -> dict[str, str]:
    """The facts of its frame on the page of its messages."""
    page = await browser.ask("GET", "/p/shop/preview?distribution=thanks")
    (frame,) = re.findall(r'<iframe sandbox class="message"[^>]* src="([^"]*)"', page.text)
    mail = await browser.ask("GET", html.unescape(frame))
    assert (mail.status, PLANTED in mail.text, STAND_IN.sender in mail.text) == (200, False, False)
    return dict(re.findall(r"<dt>(.*?)</dt><dd><bdi>(.*?)</bdi></dd>", html.unescape(mail.text)))


async def test_the_projects_own_mailbox_is_named_also_while_it_is_paused(site: Site, api: Api, mine: Settings) -> None:
    accounts, browser = await added(api, mine), await signed_in(site)
    for _ in range(2):
        assert (await told(api))["facts"]["from"] == SENDER
        assert (await shown(browser))["From"] == SENDER
        await accounts.pause(OWN, by="ann")
    await accounts.remove(OWN, by="ann")
    assert "account email/main was removed" in (await told(api))["failure"]
    assert await shown(browser) == {"Subject": "For Jack Nowak"}, "nobody is named in its place"


async def test_what_cannot_be_read_here_names_nobody(api: Api, mine: Settings, dsn: str) -> None:
    await added(api, mine)
    other = replace(mine, accounts=AccountKeys((Secret(KEY.replace("k1", "k2")),)))
    async with running(other, dsn, Web()) as one, running_api(Wiring(other)) as elsewhere:
        assert "From" not in await shown(await signed_in(one))
        assert "account email/main cannot be used" in (await told(elsewhere))["failure"]


async def test_a_mailbox_of_another_project_is_not_taken(site: Site, api: Api, mine: Settings) -> None:
    await added(api, mine, AccountKey("outlet", "email", "main"))
    assert "no email account main" in (await told(api))["failure"]
    assert "From" not in await shown(await signed_in(site))


async def test_one_of_the_settings_is_named_only_where_the_project_has_none_of_its_name(
    api: Api, mine: Settings, dsn: str
) -> None:
    both = replace(mine, email_accounts={"main": SHARED})
    async with running(both, dsn, Web()) as one, running_api(Wiring(both)) as api_of_both:
        browser, accounts = await signed_in(one), await added(api, mine)
        await accounts.pause(OWN, by="ann")
        assert ((await shown(browser))["From"], (await told(api_of_both))["facts"]["from"]) == (SENDER, SENDER)
        await accounts.remove(OWN, by="ann")
        assert (await shown(browser))["From"] == SHARED.sender
        assert (await told(api_of_both))["facts"]["from"] == SHARED.sender


async def test_the_command_names_it_too(
    api: Api, mine: Settings, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = await added(api, mine)
    (tmp_path / "tidings.toml").write_text(f'project_id = "shop"\n[accounts]\nkeys = ["{KEY}"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDINGS_POSTGRES", dsn)

    async def said(*more: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["preview", "thanks", *more])

    for made in (await said(), await said("--raw")):
        assert (made.exit_code, "own@shop.example" in made.stdout, PLANTED in made.output) == (0, True, False)
    await accounts.remove(OWN, by="ann")
    made = await said()
    assert (made.exit_code, "was removed" in made.stdout) == (1, True)


async def test_what_was_sent_has_the_links_of_the_mailbox_that_it_left_from(api: Api, mine: Settings) -> None:
    await added(api, mine)
    template = StoredTemplate(name="news", subject="News", text="Leave: {{ unsubscribe_url }}")
    made = delivery("email")
    email = msgspec.structs.replace(made.email, template=template.ref)
    of: dict[str, Any] = {"delivery_id": "d1", "project_id": "shop", "account": "main", "category": "marketing"}
    record = kept_record(msgspec.structs.replace(made, email=email, **of))
    kept = "insert into templates (digest, name, body, created_at) values ($1, 'news', $2, now())"
    await api.pool.execute(kept, template.ref.digest, msgspec.json.encode(template).decode())
    await Ledger(api.pool).claim_new([new(1, "main", record=record, channel="email")], owner="s", lease=LEASE)
    found = await content(api.pool, mine, "shop", "d1", utc_now())
    assert found is not None and found.failure is None, found
    assert "Leave: https://shop.example/leave" in dict(found.facts)["text"]
