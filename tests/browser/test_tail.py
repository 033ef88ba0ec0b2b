"""A topic followed in Chromium: by a button, paused, bounded, and allowed by the page's own policy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")

from axe_playwright_python.async_playwright import Axe

from agents.wiring import Wiring
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.browser.stage import beside, browser, chromium, enter, keep_picture, window
from tests.browser.test_pages import _RULES
from tests.integration.api_client import wired
from tests.integration.test_web import Site, running
from tests.integration.test_web_topics import order, write

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")]
PAGE = "/p/shop/topics?topic=events.orders"


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("events.orders",), 2) as made:
        yield made


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        await one.add("operator@shop.example", "operator", "shop")
        yield one


async def says(tab: Any, text: str) -> None:
    await tab.locator("#tail", has_text=text).wait_for(timeout=60_000)


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1440, "light")])
async def test_records_come_are_held_back_and_only_the_newest_are_kept(
    site: Site, wiring: Wiring, width: int, scheme: Any
) -> None:
    async with browser() as opened, window(opened, site.base, width, scheme) as mine:
        await enter(mine, "operator")
        tab = await mine.show(PAGE)
        await tab.click("text=Follow what comes")
        await says(tab, "following")
        await write(wiring, [order(number) for number in range(3)])
        await tab.locator("#records tr >> nth=2").wait_for(timeout=60_000)
        assert await tab.inner_text("#records tr >> nth=0 >> th") == "c2"
        await tab.click("#records tr >> nth=1 >> summary")
        await says(tab, "paused")
        await write(wiring, [order(number) for number in range(3, 15)])
        await says(tab, "Show 12 new")
        await keep_picture(tab, f"tail-paused-{width}-{scheme}")
        assert await tab.locator("#records tr").count() == 3, "nothing moves"
        axe = await Axe().run(tab, options=_RULES)
        assert [one["id"] for one in axe.response["violations"]] == []
        await tab.click("text=Show 12 new")
        assert await tab.locator("#records tr").count() == 15
        assert await tab.locator("#records details[open]").count() == 1
        await write(wiring, [order(number) for number in range(15, 400)])
        await tab.locator("th:has-text('c399')").wait_for(timeout=60_000)
        assert await tab.locator("#records tr").count() == 200
        past = await beside(tab)
        assert (past, mine.faults) == (0, [])
