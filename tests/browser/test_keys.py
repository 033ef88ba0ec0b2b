"""Keys of the console in Chromium: to search, to pages and through rows; never while somebody writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")


from agents.wiring import Wiring
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.browser.stage import browser, chromium, enter, keep_picture, violations, window
from tests.integration.api_client import wired
from tests.integration.test_api_dead_letters import on_orders, refuse
from tests.integration.test_web import Site, running
from tests.integration.test_web_projects import apply

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.timeout(600),
]
LIST = "/p/shop/distributions"


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    with wired(settings, dsn, ("distributions",)) as wiring:
        async with running(wiring.settings, dsn, Web()) as one:
            await one.add("admin@shop.example", "admin", "shop")
            await apply(one, "first")
            await apply(one, "second")
            yield one


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("dead-letters", "events.orders"), 2) as made:
        yield made


async def focused(tab: Any) -> str:
    return str(await tab.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


@pytest.mark.slow
async def test_keys_lead_to_rows_pages_and_the_search(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        rows = await tab.locator("main .rows tbody th a").all_inner_texts()
        seen = []
        for key in ("j", "j", "j", "k"):
            await tab.keyboard.press(key)
            seen.append(await focused(tab))
        assert seen == [rows[0], rows[1], rows[1], rows[0]]
        await tab.keyboard.press("/")
        assert await focused(tab) == "q"
        await tab.keyboard.type("gd?/jk")
        assert await tab.input_value("#q") == "gd?/jk", "in a field they are letters"
        await tab.click("h1")
        await tab.keyboard.press("Control+j")
        await tab.keyboard.press("g")
        await tab.keyboard.press("t")
        await tab.wait_for_url("**/p/shop/templates")
        await tab.keyboard.press("g")
        await tab.keyboard.press("j")
        assert tab.url.endswith("/p/shop/templates")
        await tab.keyboard.press("g")
        await tab.keyboard.press("d")
        await tab.wait_for_url(f"**{LIST}")
        assert mine.faults == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1440, "light")])
async def test_single_keys_are_told_of_and_turned_off(site: Site, width: int, scheme: Any) -> None:
    async with browser() as opened, window(opened, site.base, width, scheme) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.keyboard.press("?")
        sheet = tab.locator("dialog[open]")
        assert "Templates" in await sheet.inner_text()
        found = await violations(tab)
        await keep_picture(tab, f"keys-{width}-{scheme}")
        assert found == []
        await tab.keyboard.press("j")
        await tab.check("#keys_off")
        await tab.keyboard.press("Escape")
        await sheet.wait_for(state="detached")
        await tab.keyboard.press("j")
        await tab.keyboard.press("?")
        assert (await focused(tab) in ("first", "second"), await sheet.count()) == (False, 0)
        await tab.reload()
        await tab.keyboard.press("?")
        assert await sheet.count() == 0, "it is kept"
        await tab.click(".account summary")
        await tab.click(".account button:text-is('Keyboard')")
        await tab.uncheck("#keys_off")
        await tab.click("dialog button")
        await tab.keyboard.press("?")
        await sheet.wait_for()
        assert mine.faults == []


@pytest.mark.slow
async def test_a_row_is_selected_where_rows_have_boxes(wiring: Wiring, dsn: str) -> None:
    async with (
        running(wiring.settings, dsn, Web()) as site,
        browser() as opened,
        window(opened, site.base, 1440) as mine,
    ):
        await site.add("admin@shop.example", "admin", "shop")
        for _ in range(3):
            await refuse(wiring, 0, b"c1", b"{bad")
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/dead-letters")
        await tab.keyboard.press("x")
        assert await tab.locator("main :checked").count() == 0, "no row has the focus"
        for key in ("j", "x", "j", "x", "j", "x", "x"):
            await tab.keyboard.press(key)
        assert await tab.locator("body > [role=status]").inner_text() == "No longer selected: 0:2"
        assert await focused(tab) == "0:2"
        await tab.focus("[name='at_0:1']")
        for key in ("x", "x", "k", "?"):
            await tab.keyboard.press(key)
        assert "Select the row, where rows have boxes" in await tab.inner_text("dialog[open]")
        await tab.keyboard.press("Escape")
        assert await focused(tab) == "0:0"
        await tab.click("text=Put the chosen back")
        await tab.wait_for_url("**put_back=2")
        assert "Put back: 2 records." in await tab.inner_text(".done")
        assert sorted(place for place, _, _ in on_orders(wiring)) == [1, 1]
        assert mine.faults == []
