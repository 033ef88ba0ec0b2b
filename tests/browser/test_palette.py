"""The palette of the console in Chromium: what it finds, by keys alone, while answers are late, and words composed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")


from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.browser.stage import beside, browser, chromium, enter, keep_picture, violations, window
from tests.integration.api_client import wired
from tests.integration.test_customer_search import PEOPLE
from tests.integration.test_customer_search import put as known
from tests.integration.test_web import Site, running
from tests.integration.test_web_projects import apply

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.timeout(600),
]
LIST, OPEN, MARKED = "/p/shop/distributions", "dialog.palette[open]", "[role=option][aria-selected=true]"
ON_A_MAC = """
for (const [name, value] of [["platform", "MacIntel"], ["userAgentData", undefined]])
    Object.defineProperty(navigator, name, { get: () => value });
"""


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    with wired(settings, dsn, ("distributions",)) as wiring:
        async with running(wiring.settings, dsn, Web()) as one:
            await one.add("admin@shop.example", "admin", "shop")
            await apply(one, "first", name="First purchase")
            await apply(one, "second", name="Second purchase")
            await known(one.pool, PEOPLE)
            yield one


async def marked(tab: Any) -> str:
    """The text of the option that Enter would go to, as the field tells whoever listens."""
    return str(
        await tab.evaluate(
            "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
            "?.querySelector('bdi').textContent ?? ''"
        )
    )


async def sought(tab: Any, text: str, first: str) -> None:
    """Type a text in the open palette, and wait until the first of what is found stands there."""
    await tab.fill("#palette_text", text)
    await tab.locator(f"{MARKED} bdi:text-is('{first}')").wait_for()


@pytest.mark.slow
async def test_everything_is_found_and_gone_to_by_keys(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.focus("#q")
        await tab.keyboard.press("Control+k")
        await tab.locator(f"{OPEN} [role=option]").first.wait_for()
        assert await marked(tab) == "Distributions", "the pages, before anything is typed"
        await tab.keyboard.type("purchase")
        await tab.locator(f"{MARKED} bdi:text-is('First purchase')").wait_for()
        seen = []
        for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp"):
            await tab.keyboard.press(key)
            seen.append(await marked(tab))
        assert seen == ["Second purchase", "First purchase", "Second purchase", "First purchase"]
        await tab.keyboard.press("Escape")
        await tab.locator(OPEN).wait_for(state="detached")
        assert await tab.evaluate("document.activeElement.id") == "q", "where it was"
        await tab.keyboard.press("Control+k")
        assert await tab.input_value("#palette_text") == "purchase"
        await tab.keyboard.type("KOWALSKA")
        await tab.keyboard.press("Control+k")
        assert await tab.input_value("#palette_text") == "KOWALSKA", "opened again, nothing is lost"
        await tab.locator(f"{MARKED} bdi:text-is('Anna Maria Kowalska')").wait_for()
        await tab.keyboard.press("Enter")
        await tab.wait_for_url("**/p/shop/customers?id=c1")
        await tab.go_back()
        await tab.wait_for_url(f"**{LIST}")
        assert await tab.locator(OPEN).count() == 0
        assert mine.faults == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1440, "light")])
async def test_the_open_palette_is_readable_to_everybody(site: Site, width: int, scheme: Any) -> None:
    async with browser() as opened, window(opened, site.base, width, scheme) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.click("a.find")
        for text, shows in (
            ("", "[role=option]"),
            ("purchase", MARKED),
            ("nothing of it", "p:text-is('Nothing fits.')"),
        ):
            await tab.fill("#palette_text", text)
            await tab.locator(f"{OPEN} {shows}").first.wait_for()
            found = await violations(tab)
            await keep_picture(tab, f"palette-{len(text)}-{width}-{scheme}")
            assert found == [], text
            past = await beside(tab)
            assert past <= 0
        await tab.click(f"{OPEN} button:text-is('Close')")
        assert await tab.evaluate("document.activeElement.className") == "find"
        assert mine.faults == [one for one in mine.faults if "status of 422" in one]


@pytest.mark.slow
async def test_an_answer_that_is_overtaken_is_not_shown_and_enter_waits_for_its_own(site: Site) -> None:
    asked, late = asyncio.Event(), asyncio.Event()

    async def answer(route: Any) -> None:
        if "text=first" in (route.request.post_data or ""):
            asked.set()
            await late.wait()
        await route.continue_()

    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.keyboard.press("Control+k")
        await sought(tab, "second", "Second purchase")
        await tab.route("**/p/shop/search", answer)
        await tab.fill("#palette_text", "first")
        await asyncio.wait_for(asked.wait(), 30)
        await sought(tab, "templates", "Templates")
        late.set()
        await tab.fill("#palette_text", "second")
        await tab.keyboard.press("Enter")
        await tab.wait_for_url("**/p/shop/distributions/second")
        assert [one for one in mine.faults if "ERR_ABORTED" not in one] == []


@pytest.mark.slow
async def test_what_composes_a_word_goes_nowhere(site: Site) -> None:
    press = "(event) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, ...event}))"
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.keyboard.press("Control+k")
        await sought(tab, "purchase", "First purchase")
        for composing in ({"isComposing": True}, {"keyCode": 229}):
            for key in ("ArrowDown", "Enter"):
                await tab.evaluate(press, {"key": key, **composing})
        assert (await marked(tab), tab.url.endswith(LIST)) == ("First purchase", True)
        assert await tab.locator(OPEN).count() == 1


@pytest.mark.slow
async def test_control_k_is_left_to_whoever_writes_on_a_mac(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await mine.context.add_init_script(ON_A_MAC)
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.keyboard.press("Control+k")
        assert await tab.locator(OPEN).count() == 0
        await tab.keyboard.press("Meta+k")
        await tab.locator(OPEN).wait_for()
        await tab.keyboard.press("Escape")
        await tab.locator(OPEN).wait_for(state="detached")
        await tab.keyboard.press("?")
        assert "Meta K" in " ".join((await tab.inner_text("dialog[open]")).split())


@pytest.mark.slow
async def test_by_another_alphabet_the_key_is_the_same(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        held = "(key) => document.dispatchEvent(new KeyboardEvent('keydown', {key, code: 'KeyK', ctrlKey: true}))"
        await tab.evaluate(held, "t")
        assert await tab.locator(OPEN).count() == 0, "on a Dvorak keyboard it is another letter"
        await tab.evaluate(held, "л")
        await tab.locator(OPEN).wait_for()


@pytest.mark.slow
async def test_where_no_answer_comes_the_page_is_asked_and_without_scripts_it_is_the_only_one(site: Site) -> None:
    async def none(route: Any) -> None:
        await (route.abort() if route.request.resource_type == "fetch" else route.continue_())

    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.keyboard.press("Control+k")
        await tab.locator(f"{OPEN} [role=option]").first.wait_for()
        await tab.route("**/p/shop/search", none)
        await tab.fill("#palette_text", "purchase")
        await tab.locator(f"{OPEN} p:has-text('as a page')").wait_for()
        await tab.keyboard.press("Enter")
        await tab.wait_for_url("**/p/shop/search")
        assert "Found: 2." in await tab.inner_text("main")
    async with browser() as opened, window(opened, site.base, 375, scripts=False) as mine:
        await enter(mine, "admin")
        tab = await mine.show(LIST)
        await tab.click("a.find")
        await tab.fill("#text", "purchase")
        await tab.click("main button")
        assert "Found: 2." in await tab.inner_text("main")
        await tab.click("main a:has-text('Second purchase')")
        await tab.wait_for_url("**/p/shop/distributions/second")
        assert mine.faults == []
