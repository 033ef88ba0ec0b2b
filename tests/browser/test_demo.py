"""The demo in a browser: its first admin comes by the link that it prints, and finds on the pages what it did.

`make pictures` keeps the three pictures that the README shows.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")

from tests.browser.stage import browser, chromium, keep_picture, window
from tests.e2e.commands import running
from tests.integration.test_web import PASSWORD

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
_SIZE = ("--events", "2000", "--customers", "400", "--rate", "50")
_SENT = (
    "[...document.querySelectorAll('tbody tr td:nth-of-type(4)')].map(one => Number(one.innerText.replace(/\\D/g, '')))"
)


async def test_the_first_admin_of_a_demo_finds_what_it_did(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--keep", *_SIZE, environ={"LOGNAME": "anna"}) as demo:
        link = demo.address("")
        sent = json.loads((tmp_path / "var" / "demo" / "report.json").read_text())["api"]["sent"]
        async with browser() as opened, window(opened, link.split("/welcome/")[0], 1280) as mine:
            tab = await mine.show(link)
            await tab.fill("#password", PASSWORD)
            await tab.click("main button")
            await tab.wait_for_url("**/")
            await tab.goto("/p/demo/distributions")
            assert sum(await tab.evaluate(_SENT)) == sum(sent.values())
            await tab.click("text=Thanks for a large order, or for a gift")
            await tab.locator("#live .state:text-is('live')").wait_for()
            await keep_picture(tab, "distribution")
            await tab.goto("/p/demo/distributions/winback/edit?step=trigger")
            await keep_picture(tab, "builder")
            await tab.goto("/p/demo/messages?distribution=order-paid-thanks")
            await tab.click("tbody a[href*=customers]")
            assert "sent" in await tab.inner_text("main")
            await keep_picture(tab, "customer")
            assert mine.faults == []
