"""Every page as Chromium shows it: readable to everybody, in its window, and allowed by its own policy.

`BROWSER_PICTURES=folder make browser` leaves a picture of each there.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")

from axe_playwright_python.async_playwright import Axe

from agents.wiring import Wiring
from console.web.builder.steps import LABELS
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.browser.stage import (
    LONG,
    SCHEMES,
    WIDTHS,
    Scheme,
    beside,
    browser,
    chromium,
    enter,
    furnish,
    keep_picture,
    until_previewed,
    window,
)
from tests.integration.api_client import wired
from tests.integration.test_api_dead_letters import refuse
from tests.integration.test_web import Site, running

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.timeout(2400),
]
OPEN = ("/sign-in", "/welcome/nothing")
PAGES = (
    "/", "/sessions", "/passkeys", "/password", "/p/shop/start",
    "/p/shop/distributions", "/p/shop/distributions?q=nothing", "/p/shop/distributions?status=LIV",
    "/p/shop/distributions/thanks", "/p/shop/distributions/thanks?since=x", "/p/shop/distributions/draft",
    f"/p/shop/distributions/{LONG}", "/p/shop/distributions/nothing",
    "/p/shop/distributions/new", "/p/shop/distributions/new?from=thanks&step=trigger",
    *(f"/p/shop/distributions/built/edit?step={step}" for step in LABELS),
    f"/p/shop/distributions/{LONG}/edit?step=yaml", "/p/shop/distributions/new?step=summary",
    "/p/shop/messages", "/p/shop/messages?outcome=suppressed", "/p/shop/messages?outcome=snet",
    "/p/shop/messages?distribution=thanks&outcome=skipped", "/p/shop/messages/d1", "/p/shop/messages/d2",
    "/p/shop/messages/d20", "/p/shop/resend", "/p/shop/resend?outcome=failed&channel=webhook", "/p/shop/resend?since=x",
    "/p/shop/customers", "/p/shop/customers?id=cust_1", "/p/shop/customers?id=nobody",
    "/p/shop/suppressions", "/p/shop/suppressions?channel=sms", "/p/shop/audit", "/p/shop/audit?action=x",
    "/p/shop/campaigns", "/p/shop/campaigns/spring", "/p/shop/imports",
    "/p/shop/imports/codes", "/p/shop/imports/customers", "/p/shop/segments", "/p/shop/segments/poland",
    "/p/shop/segments/new", "/p/shop/segments/new?step=yaml",
    "/p/shop/segments/germany/edit", "/p/shop/members?segment=poland",
    "/p/shop/members", "/p/shop/templates", "/p/shop/templates/hello",
    "/p/shop/templates/hello/edit", "/p/shop/templates/news", "/p/shop/templates/news/edit",
    "/p/shop/templates/news/sections", "/p/shop/new-template",
    "/p/shop/preview?distribution=thanks", "/p/shop/preview?distribution=thanks&customer=x",
    "/p/shop/topics", "/p/shop/topics?topic=events.orders", "/p/shop/topics?topic=audit",
    "/p/shop/notices", "/p/shop/destinations", "/p/shop/workers", "/p/shop/accounts", "/p/shop/accounts/new",
    "/p/shop/accounts/new?channel=sms", "/p/shop/accounts/new?channel=sms&provider=http", "/p/shop/brand",
    "/p/shop/distributions?status=ARCHIVED", "/p/shop/distributions?deleted=thanks", "/p/shop/users", "/p/shop/keys",
    "/p/shop/sends", "/p/shop/sends?status=DONE", "/p/shop/sends/new", "/p/shop/sends/send_1",
    "/p/shop/sends/send_2?did=edit", "/p/shop/sends/send_3",
    "/p/shop/search", "/p/shop/settings",
    "/p/shop/dead-letters", "/p/shop/dead-letters/0:0", "/p/shop/dead-letters/0:9",
    "/p/shop/dead-letters/0:0/mend", "/p/shop/replay", "/p/shop/replay?kind=nothing",
    "/nowhere",
)  # fmt: skip
EMPTY = ("distributions", "messages", "segments", "campaigns", "imports", "templates", "suppressions", "notices",
         "sends", "topics", "destinations", "dead-letters", "accounts", "keys", "settings", "start",
         "brand")  # fmt: skip
"""Of a project that has nothing yet."""
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(
        settings, dsn, ("dead-letters", "distributions", "events.orders", "customers", "publications.requests"), 2
    ) as made:
        yield made


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        await furnish(one)
        await refuse(wiring, 0, b"c1", b'{"id": "ev1", "bad": "' + b"x" * 200, message="is not JSON: " + "y" * 150)
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_is_readable_to_everybody(site: Site, width: int, scheme: Scheme) -> None:
    """No finding of axe, nothing beside the window, no error and nothing that the policy of its own refused."""
    found: list[str] = []
    async with browser() as opened, window(opened, site.base, width, scheme) as mine:
        for path in OPEN:
            found += await _looked_at(mine, path, width, scheme)
        await enter(mine, "admin")
        for path in PAGES:
            found += await _looked_at(mine, path, width, scheme)
        found += [one for one in mine.faults if "status of 4" not in one]
        async with window(opened, site.base, width, scheme) as new:
            await enter(new, "admin", "outlet")
            for name in EMPTY:
                found += await _looked_at(new, f"/p/outlet/{name}", width, scheme)
    assert not found, "\n".join(found)


@pytest.mark.slow
async def test_what_is_written_is_shown_in_a_frame_and_saved_without_scripts(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440, scripts=False) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/templates/news/edit")
        before = await tab.input_value("#text_0")
        await tab.fill("#text_0", before.replace("Thank you!", "<b>Unsaved</b><script>alert(1)</script>"))
        await tab.fill("#locale", "en")
        await tab.click("text=Show how it looks")
        await until_previewed(tab, "b:text-is('Unsaved')")
        desktop = tab.frame_locator(".pane iframe").frame_locator(".desktop iframe")
        await desktop.locator("b:text-is('Unsaved')").scroll_into_view_if_needed()
        await keep_picture(tab, "a-draft-on-a-desktop")
        assert await tab.input_value("#text_0") != before, "nothing of the form is lost"
        await tab.fill("#text_0", before + "\n")
        await tab.click("text=Save a new version")
        await tab.wait_for_url("**/templates/news?saved=2")
        await tab.goto("/p/shop/templates/news/sections")
        await tab.fill("#f_1_body", "<h1>By cards</h1>")
        await tab.click("button:has-text('Down: Text 2')")
        assert await tab.input_value("#f_2_body") == "<h1>By cards</h1>"
        await until_previewed(tab, "h1:text-is('By cards')")
        await tab.click("text=Save a new version")
        await tab.wait_for_url("**/templates/news?saved=3")
        assert not [one for one in mine.faults if "Blocked script execution" not in one]


@pytest.mark.slow
async def test_the_menu_and_forms_work_on_a_phone_without_scripts(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 375, scripts=False) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions")
        assert not await tab.is_visible("#column a")
        await tab.click("button.menu")
        await tab.click("#column a:text-is('Suppressions')")
        await tab.wait_for_url("**/suppressions")
        await tab.click("summary:has-text('Suppress more')")
        await tab.fill("#keys", "ann@shop.example\nnot an address")
        await tab.click("button:text-is('Suppress')")
        assert "in line 2" in await tab.inner_text(".problems")
        await tab.fill("#keys", "ann@shop.example")
        await tab.click("button:text-is('Suppress')")
        assert "1 of 1" in await tab.inner_text("[role=status]")
        assert mine.faults == [one for one in mine.faults if "status of 422" in one]


@pytest.mark.slow
async def test_a_distribution_is_built_on_a_phone_without_scripts(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 375, scripts=False) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions")
        await tab.click("main >> text=New distribution")
        await tab.fill("#name", "Paid, thanks")
        await tab.press("#name", "Enter")
        await tab.select_option("#trigger_event", "customer.order.paid")
        await tab.click(".builder > .acts button")
        await tab.fill("#when_0_path", "order.amount")
        await tab.select_option("#when_0_test", "at_least")
        await tab.fill("#when_0_value", "ten")
        await tab.click(".builder > .acts button")
        assert "must be a number" in await tab.inner_text(".problems")
        await tab.fill("#when_0_value", "1000")
        await tab.click(".builder > .acts button")
        await tab.click(".builder > .acts button")
        await tab.select_option("#consent", "transactional")
        await tab.click("button:has-text('+ webhook')")
        await tab.fill("#channels_0_webhook_url", "https://hooks.example.com/x")
        await tab.click(".builder > .acts button")
        await tab.click(".builder > .acts button")
        assert "its customer gets a webhook at hooks.example.com" in await tab.inner_text("main")
        await tab.click("button:text-is('Try it')")
        assert await tab.inner_text("[role=status] b") in ("It fits.", "It does not fit.")
        await tab.click("button:text-is('Set live')")
        await tab.wait_for_url("**/distributions/paid-thanks")
        assert "live" in await tab.inner_text(".standing")
        assert mine.faults == [one for one in mine.faults if "status of 422" in one]


async def _looked_at(mine: Any, path: str, width: int, scheme: Scheme) -> list[str]:
    tab = await mine.show(path)
    try:
        await keep_picture(tab, _named(f"{path}-{width}-{scheme}"), whole=True)
        results = await Axe().run(tab, options=_RULES)
        found = [_said(path, one) for one in results.response["violations"]]
        past = await beside(tab)
        return [*found, *([f"{path}: {past} px beside the window"] if past > 0 else [])]
    finally:
        await tab.close()


def _said(path: str, violation: Any) -> str:
    nodes: Sequence[Any] = violation["nodes"]
    return f"{path}: {violation['id']} ({violation['help']}), {len(nodes)} times, at {nodes[0]['html'][:200]}"


def _named(name: str) -> str:
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')[:60]}-{zlib.crc32(name.encode())}"
