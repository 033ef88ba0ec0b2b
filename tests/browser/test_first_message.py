"""The whole way of somebody new: an empty folder, `tidings dev`, a browser, and an e-mail that is received.

Nothing is done but what pages say: the links of "Start here", their forms, and the command that its last step shows.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")

from channels.fakes.email import Mail, SmtpSink
from console.control.message_trial import MARK
from tests import ROOT
from tests.browser.stage import Window, browser, chromium, keep_picture, window
from tests.e2e.commands import PATIENCE, Running, running
from tests.integration.test_web import PASSWORD

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
FILE = "id,name,email,consents.marketing:truth\ncust_1,Anna Kowalska,anna@example.com,true\n"
BRAND = {
    "name": "The Shop", "address": "Street 1, Town", "contact": "help@shop.example",
    "privacy_url": "https://shop.example/privacy", "terms_url": "https://shop.example/terms",
    "logo_url": "https://shop.example/logo.png", "permission_reminder": "You shopped with us.",
}  # fmt: skip
GO_ON = ".acts button[value=next]"


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    one = SmtpSink()
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


async def test_an_empty_install_leads_to_a_received_e_mail(
    tmp_path: Path, sink: SmtpSink, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"TIDINGS_DATA": str(tmp_path / "data"), "LOGNAME": "anna"}
    with running(tmp_path, "dev", environ=environ) as dev:
        link = await asyncio.to_thread(first_link, dev)
        async with browser() as opened, window(opened, link.split("/welcome/")[0], 1280) as mine:
            began = time.monotonic()
            tab = await mine.show(link)
            await enter(tab)
            await add_an_account(tab, sink)
            await write_the_brand(tab)
            await begin_a_template(tab)
            await hand_in_a_customer(tab)
            await build_a_distribution(tab)
            await send_a_test(tab, sink)
            await publish_an_event(tab, tmp_path, environ)
            (mail,) = await received(sink, lambda one: not is_a_test(one))
            with capsys.disabled():
                print(f"\nfrom the link to the e-mail: {time.monotonic() - began:.0f} s")  # noqa: T201
            assert mail.recipients == ("anna@example.com",)
            assert "Anna Kowalska" in words(mail)
            await look_at_the_message(tab, mail)
            await leave(mine, mail)
            assert mine.faults == []


def first_link(dev: Running) -> str:
    """The link that is printed once all of it runs."""
    said, deadline = re.compile(r"The first admin comes by this link, .*:\n(http\S+)"), time.monotonic() + PATIENCE
    while not (found := said.search(dev.out.read_text())):
        assert dev.process.poll() is None and time.monotonic() < deadline, dev.out.read_text()
        time.sleep(0.1)
    return found[1]


async def enter(tab: Any) -> None:
    await tab.fill("#email", "anna@shop.example")
    await tab.fill("#name", "Anna")
    await tab.fill("#password", PASSWORD)
    await tab.click("main button")
    await tab.wait_for_url("**/")
    await tab.click("text=Start here")


async def go(tab: Any) -> None:
    """On to the next step, by the way that the pages show."""
    await start_here(tab)
    await tab.click("[aria-current=step] a.go")


async def start_here(tab: Any) -> None:
    await tab.click("nav >> text=Distributions")
    await tab.click("text=Start here")


async def add_an_account(tab: Any, sink: SmtpSink) -> None:
    await go(tab)
    await tab.fill("#name", "main")
    await tab.fill("#field_host", "127.0.0.1")
    await tab.fill("#field_sender", "news@shop.example")
    await tab.click("main summary:has-text('More of it')")
    await tab.fill("#field_port", str(sink.port))
    await tab.select_option("#field_security", "none")
    await tab.click("text=Add it")
    await says(tab, "email/main is kept")


async def write_the_brand(tab: Any) -> None:
    await go(tab)
    for name, text in BRAND.items():
        await tab.fill(f"#{name}", text)
    await tab.click("text=Save it")
    await says(tab, "It is saved")


async def begin_a_template(tab: Any) -> None:
    await go(tab)
    await tab.fill("#name", "thanks")
    await tab.select_option("#design", "order-thanks")
    await tab.click("text=Make it")
    await tab.wait_for_url("**/templates/thanks/edit")


async def hand_in_a_customer(tab: Any) -> None:
    await go(tab)
    await tab.set_input_files("#file", {"name": "customers.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    await tab.click("text=Hand it in")
    await tab.locator("#live-rows .state:text-is('done')").wait_for()
    await keep_picture(tab, "first-import")


async def build_a_distribution(tab: Any) -> None:
    await go(tab)
    await tab.fill("#name", "Thanks")
    await on(tab, "trigger_event")
    await tab.select_option("#trigger_event", "customer.order.paid")
    await on(tab, "action")
    await on(tab, "consent")
    await tab.select_option("#consent", "marketing")
    await tab.click("[value='add:email']")
    await tab.fill("#channels_0_email_subject", "Thanks for your order")
    await tab.select_option("#channels_0_email_template", "thanks")
    await on(tab, "again")
    await tab.click(GO_ON)
    await says(tab, "Setting it live")
    await keep_picture(tab, "first-summary", whole=True)
    await tab.click("text=Set live")
    await says(tab, "LIVE")


async def on(tab: Any, field: str) -> None:
    """The step that has a field; a step that was given new fields asks once more."""
    while not await tab.locator(f"#{field}").count():
        async with tab.expect_navigation():
            await tab.click(GO_ON)


async def send_a_test(tab: Any, sink: SmtpSink) -> None:
    await go(tab)
    await tab.fill("#to", "anna@example.com")
    await tab.click("text=Send the test")
    await says(tab, "The test was sent. It was taken")
    assert [is_a_test(one) for one in sink.mails] == [True]


async def publish_an_event(tab: Any, folder: Path, environ: Mapping[str, str]) -> None:
    """As the last step says: in a terminal, in the folder in which `tidings dev` was started."""
    await start_here(tab)
    command = (await tab.inner_text("[aria-current=step] pre")).replace("CUSTOMER", "cust_1")
    script = f'set -e; tidings() {{ {shlex.quote(sys.executable)} -m console "$@"; }}\n{command}'
    told = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", script], cwd=folder, env=told, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["1", "events.orders"]), done.stdout + done.stderr


async def received(sink: SmtpSink, fits: Callable[[Mail], bool]) -> list[Mail]:
    """The mail that fits, once there is any."""
    deadline = time.monotonic() + PATIENCE
    while not (found := [one for one in sink.mails if fits(one)]):
        assert time.monotonic() < deadline, "no e-mail came"
        await asyncio.sleep(0.1)
    return found


async def look_at_the_message(tab: Any, mail: Mail) -> None:
    """Its page, as it is found from the last step on."""
    await tab.locator("main a[href*='/messages']").first.click()
    await tab.click("tbody th a")
    await says(tab, mail.message_id)
    await tab.locator("main .standing .state:text-is('sent')").wait_for()
    assert "Anna Kowalska" in await tab.inner_text("main")
    await keep_picture(tab, "first-message", whole=True)


async def leave(mine: Window, mail: Mail) -> None:
    """By the link that an e-mail needs which asks for a consent: nobody configured any address for it."""
    (link,) = re.findall(r"<(http[^>]+)>", str(mail.parsed()["list-unsubscribe"]))
    tab = await mine.show(link)
    await tab.click("main form button")
    await says(tab, "You are unsubscribed")
    await keep_picture(tab, "first-goodbye")


async def says(tab: Any, text: str) -> None:
    await tab.locator("main", has_text=text).wait_for()


def is_a_test(mail: Mail) -> bool:
    return str(mail.parsed()["subject"]).startswith(MARK)


def words(mail: Mail) -> str:
    return "".join(part.get_content() for part in mail.parsed().walk() if part.get_content_maintype() == "text")
