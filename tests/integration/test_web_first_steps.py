"""The way to the first message on pages: each step ticks once it is done, on a real PostgreSQL."""

from __future__ import annotations

import html
import re

from schemas.audit import AuditEntry
from schemas.events.triggers import MANUAL
from store import audit
from tests.integration.test_named_templates import named, save
from tests.integration.test_store import new
from tests.integration.test_web import Browser, Site
from tests.integration.test_web_live import event, following
from tests.integration.test_web_messages import taken_in
from tests.integration.test_web_projects import apply, signed_in, site

__all__ = ["site"]
START = "/p/shop/start"
NAMES = (
    "A way out", "Who sends it", "What it says", "Somebody to send to", "When it is sent", "A test of it",
    "The first message",
)  # fmt: skip


async def states(mine: Browser) -> list[str]:
    page = await mine.ask("GET", START)
    found = re.findall(r'<h2>\d\. ([^<]*) <span class="state \w+">(\w+)</span></h2>', page.text)
    assert (page.status, tuple(name for name, _ in found)) == (200, NAMES)
    return [state for _, state in found]


async def test_each_step_ticks_once_what_it_needs_is_there(site: Site) -> None:
    mine = await signed_in(site, "admin")
    assert await states(mine) == ["next", *["open"] * 6]
    await site.pool.execute(
        "insert into accounts (project_id, channel, name, state, key_id, content, version, changed_at, changed_by)"
        " values ('outlet', 'email', 'main', 'active', 'k', '', 1, now(), 'ann')"
    )
    assert (await states(mine))[0] == "next", "an account of another project"
    await site.pool.execute("update accounts set project_id = 'shop'")
    assert await states(mine) == ["done", "next", *["open"] * 5]
    await save(site.pool, named())
    assert await states(mine) == ["done", "next", "done", *["open"] * 4]
    await site.pool.execute(
        "insert into segment_customers (project_id, customer_id, partition, epoch, profile)"
        " values ('shop', 'c1', 0, 0, '{}')"
    )
    assert await states(mine) == ["done", "next", "done", "done", *["open"] * 3]
    await apply(site, "thanks", status="DRAFT")
    assert await states(mine) == ["done"] * 4 + ["next", "open", "open"]
    await apply(site, "welcome")
    assert await states(mine) == ["done"] * 5 + ["next", "open"]
    page = await mine.ask("GET", START)
    assert "/p/shop/preview?distribution=welcome" in html.unescape(page.text), "the one that is live"
    entry = AuditEntry(project_id="shop", actor="ann", action="distribution.tested", thing="welcome")
    async with site.pool.acquire() as connection, connection.transaction():
        await audit.write(connection, entry)
    assert await states(mine) == ["done"] * 6 + ["next"]
    said = html.unescape((await mine.ask("GET", START)).text)
    assert "tidings sample --distribution welcome --customer CUSTOMER --project shop > event.json\n" in said
    assert "/p/shop/messages?distribution=welcome" in said
    await taken_in(site, new(1, "shop.example"))
    assert await states(mine) == ["done"] * 7
    assert "the first message went out" in (await mine.ask("GET", START)).text


async def test_a_webhook_needs_neither_an_account_nor_a_template(site: Site) -> None:
    await apply(site, "thanks")
    assert await states(await signed_in(site)) == ["done", "done", "done", "next", "done", "open", "open"]


async def test_what_somebody_sends_by_hand_waits_for_no_event(site: Site) -> None:
    mine = await signed_in(site, "admin")
    await apply(site, "letter", trigger={"event": MANUAL}, channels=[{"sms": {"account": "main", "text": "Hi"}}])
    page = html.unescape((await mine.ask("GET", START)).text)
    assert "/p/shop/sends/new?distribution=letter" in page and "tidings sample" not in page


async def test_who_may_not_do_a_step_is_told_who_may(site: Site) -> None:
    page = await (await signed_in(site)).ask("GET", START)
    assert "This is for editor" in page.text
    assert "There has to be a distribution first" in page.text


async def leads_there(mine: Browser) -> set[bool]:
    return {'href="/p/shop/start"' in (await mine.ask("GET", path)).text for path in ("/", "/p/shop/distributions")}


async def test_a_project_leads_to_it_until_its_first_message_has_left(site: Site) -> None:
    mine = await signed_in(site, "admin")
    assert await leads_there(mine) == {True}
    await apply(site, "thanks")
    assert await leads_there(mine) == {True}, "a test and an event are still to come"
    await taken_in(site, new(1, "shop.example"))
    assert await leads_there(mine) == {False}


async def test_a_project_that_has_been_there_for_long_does_not_lead_to_it(site: Site) -> None:
    mine = await signed_in(site, "admin")
    await apply(site, "thanks")
    await site.pool.execute("update distribution_versions set applied_at = now() - interval '8 days'")
    assert await leads_there(mine) == {False}


async def test_a_step_ticks_while_somebody_looks(site: Site) -> None:
    mine = await signed_in(site)
    async with following(mine, START) as response:
        assert "0 of 7 steps" in (await event(response))["data"]
        await apply(site, "thanks")
        assert "4 of 7 steps" in (await event(response))["data"]
