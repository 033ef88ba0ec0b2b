"""Writing messages in Chromium: variables by a click, and a preview that follows what is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")


from console.control.document_texts import values_of
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.browser.stage import (
    BUILT,
    SCHEMES,
    WIDTHS,
    beside,
    browser,
    chromium,
    enter,
    keep_picture,
    previewed,
    until_previewed,
    violations,
    window,
)
from tests.integration.api_client import wired
from tests.integration.test_api_templates import BRAND
from tests.integration.test_codes import campaign, saved
from tests.integration.test_web import Site, running
from tests.integration.test_web_distribution import save
from tests.integration.test_web_template_edit import store

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.timeout(600),
]
MJML = (
    '---\nsubject: "News"\n---\n\n{% from "sections" import header %}\n{{ header("Hello") }}\n'
    "<mj-text>Dear customer</mj-text>\n"
)
NAME = '{{ customer.name | default("there") }}'


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    accounts = {"main": EmailAccountSettings("127.0.0.1", "shop@shop.example", sender_name="The Shop")}
    mine = replace(settings, email_accounts=accounts, brand=BRAND)
    with wired(mine, dsn, ("distributions", "events.orders", "customers")) as wiring:
        async with running(wiring.settings, dsn, Web()) as one:
            await one.add("admin@shop.example", "admin", "shop")
            await saved(one.pool, campaign())
            await store(one, **{"hello.mjml": MJML, "hello.pl.txt": "Cześć"})
            await save(one, 1, BUILT, distribution="built", name="Built in steps", status="DRAFT")
            yield one


def variable(tab: Any, written: str) -> Any:
    return tab.locator("#variables button.variable").filter(has=tab.locator(f"code:text-is({written!r})")).first


async def said(tab: Any) -> str:
    return str(await tab.inner_text("#variables [role=status]"))


@pytest.mark.slow
async def test_a_variable_is_put_where_the_caret_was_and_the_preview_follows(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/templates/hello/sections")
        steps = await tab.evaluate("history.length")
        await tab.click("summary:text-is('Variables')")
        await variable(tab, "{{ voucher.code }}").click()
        assert "Click into a text first" in await said(tab)
        await tab.evaluate("document.getElementById('f_3_body').setSelectionRange(5, 13)")
        await tab.focus("#f_3_body")
        await tab.evaluate("document.getElementById('f_3_body').setSelectionRange(5, 13)")
        await variable(tab, NAME).click()
        assert await tab.input_value("#f_3_body") == f"Dear {NAME}"
        assert await tab.evaluate("document.activeElement.id") == "f_3_body"
        assert await said(tab) == f"{NAME} was put into Text."
        await tab.keyboard.type("!")
        assert await tab.input_value("#f_3_body") == f"Dear {NAME}!", "the caret stands behind it"
        await until_previewed(tab, "text=Dear Jack Nowak!")
        await tab.locator(".pane iframe.coming").wait_for(state="detached")
        assert await tab.locator(".pane iframe").count() == 1
        assert await tab.evaluate("history.length") == steps, "what is shown is no step of the back button"
        await keep_picture(tab, "variables-sections", whole=True)
        await tab.keyboard.press("Control+z")
        await tab.keyboard.press("Control+z")
        assert await tab.input_value("#f_3_body") == "Dear customer", "it can be undone"
        await tab.focus("#f_0_subject")
        await tab.evaluate("document.getElementById('f_0_subject').setSelectionRange(0, 0)")
        await variable(tab, '<img src="cid:qr" width="120">').click()
        assert (await said(tab), await tab.input_value("#f_0_subject")) == ("This does not go into Subject.", "News")
        await variable(tab, "{{ customer.email }}").focus()
        await tab.keyboard.press("Enter")
        assert await tab.input_value("#f_0_subject") == "{{ customer.email }}News"
        await tab.fill("#f_0_subject", "Hi {{ ")
        await variable(tab, NAME).click()
        assert await tab.input_value("#f_0_subject") == 'Hi {{ customer.name | default("there")'
        assert [one for one in mine.faults if "status of 422" not in one] == [], "half of it cannot be shown"


@pytest.mark.slow
async def test_the_source_of_a_template_takes_variables_too(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/templates/hello/edit")
        await tab.click("summary:text-is('Variables')")
        await tab.fill("#locale", "en")
        await tab.fill("#text_0", "<mj-text></mj-text>")
        await tab.evaluate("document.getElementById('text_0').setSelectionRange(9, 9)")
        await variable(tab, "{{ customer.name }}").click()
        assert await tab.input_value("#text_0") == "<mj-text>{{ customer.name }}</mj-text>"
        await until_previewed(tab, "text=Jack Nowak")
        await tab.close()
        assert mine.faults == []


@pytest.mark.slow
@pytest.mark.parametrize("view", ["phone", "desktop", "text"])
async def test_a_preview_stays_where_it_was_scrolled_to(site: Site, view: str) -> None:
    """Reported elsewhere: each change of a text takes the preview back to its top."""
    lines = "".join(f"<p>Line {number}</p>" for number in range(60))
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/templates/hello/sections")
        await tab.fill("#f_3_body", f"{lines}<p>Old words</p>")
        await until_previewed(tab, "text=Old words")
        await tab.click(f".pane button[data-view={view}]")
        mark = "pre" if view == "text" else "p:text-is('Line 30')"
        await until_previewed(tab, mark, view=view)
        marked = previewed(tab, view).locator(mark)
        await tab.locator(".pane iframe.coming").wait_for(state="detached")
        before = await marked.bounding_box()
        await tab.hover(".pane")
        await tab.mouse.wheel(0, 400)

        async def moved() -> Any:
            now = await marked.bounding_box()
            return None if now == before else now

        async with asyncio.timeout(60):
            while (at := await moved()) is None:
                await asyncio.sleep(0.05)
            while (later := await marked.bounding_box()) != at:  # it may come to rest
                at = later
        await tab.fill("#f_3_body", f"{lines}<p>New words</p>")
        await until_previewed(tab, "text=New words", view=view)
        await tab.locator(".pane iframe.coming").wait_for(state="detached")
        assert await marked.bounding_box() == at
        assert not [one for one in mine.faults if "Blocked script execution" not in one]


@pytest.mark.slow
async def test_without_scripts_variables_are_texts(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 375, scripts=False) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/templates/hello/sections")
        await tab.click("summary:text-is('Variables')")
        assert await tab.locator("#variables button").count() == 0
        assert "the customer's name" in await tab.inner_text("#variables")
        assert "{{ voucher.code }}" in await tab.inner_text("#variables")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_variables_fit_into_every_window(site: Site, width: int, scheme: Any) -> None:
    async with browser() as opened, window(opened, site.base, width, scheme) as mine:
        await enter(mine, "admin")
        for name in ("templates/hello/sections", "distributions/built/edit?step=channels"):
            tab = await mine.show(f"/p/shop/{name}")
            await tab.click("summary:text-is('Variables')")
            assert await violations(tab) == []
            past = await beside(tab)
            await keep_picture(
                tab, f"variables-{name.replace('/', '-').partition('?')[0]}-{width}-{scheme}", whole=True
            )
            assert past == 0, name
        assert mine.faults == []


PAYLOAD = """distribution: paid
name: Paid
status: DRAFT
trigger: customer.order.paid
consent: transactional
channels:
  - webhook:
      url: https://hooks.example.com/paid
      type: paid
      payload:
        id: {from: customer.id}
        order: {amount: {from: order.amount}, tags: [a, {from: customer.locale}]}
        vip: {from: customer.metadata.vip, default: false}
"""
AT = "channels_0_webhook_payload"


@pytest.mark.slow
async def test_what_a_payload_sends_follows_its_rows(site: Site) -> None:
    await save(site, 1, PAYLOAD, distribution="paid", name="Paid", status="DRAFT")
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions/paid/edit?step=channels")
        sends = tab.locator("#output_0")
        assert '"vip": false' in await sends.inner_text()
        steps = await tab.evaluate("history.length")
        await tab.fill(f"#{AT}_4_name", "shop.name")
        await tab.select_option(f"#{AT}_4_how", "text")
        await tab.fill(f"#{AT}_4_value", "007")
        await sends.locator("text=007").wait_for()
        await tab.select_option(f"#{AT}_4_how", "from")
        await tab.focus(f"#{AT}_4_value")
        await tab.click("summary:text-is('Variables')")
        await variable(tab, "{{ customer.email }}").click()
        assert await tab.input_value(f"#{AT}_4_value") == "customer.email", "a payload takes the path"
        await sends.locator("text=jack@example.com").wait_for()
        assert await tab.evaluate("history.length") == steps
        await tab.fill(f"#{AT}_4_value", "customer.emial")
        await sends.locator("text=Did you mean").wait_for()
        await keep_picture(tab, "payload-wrong", whole=True)
        assert [one for one in mine.faults if "status of 422" not in one] == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_payloads_fit_into_every_window(site: Site, width: int, scheme: Any) -> None:
    await save(site, 1, PAYLOAD, distribution="paid", name="Paid", status="DRAFT")
    async with browser() as opened, window(opened, site.base, width, scheme) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions/paid/edit?step=channels")
        for one in ("The event that it is made of", "Variables", "More of it"):
            await tab.click(f"summary:text-is('{one}')")
        assert await violations(tab) == []
        past = await beside(tab)
        await keep_picture(tab, f"payload-{width}-{scheme}", whole=True)
        assert (past, mine.faults) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1440, "light")])
async def test_items_of_a_list_are_counted_without_scripts(site: Site, width: int, scheme: Any) -> None:
    await save(site, 1, PAYLOAD, distribution="paid", name="Paid", status="DRAFT")
    async with browser() as opened, window(opened, site.base, width, scheme, scripts=False) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions/paid/edit?step=trigger")
        await tab.fill("#when_0_path", "order.items")
        await tab.select_option("#when_0_test", "sum")
        await tab.fill("#when_0_value", "10000")
        await tab.click("button:has-text('Add this condition')")
        await tab.fill("#when_0_of", "amount")
        await tab.fill("#when_0_0_path", "metadata.kind")
        await tab.fill("#when_0_0_value", "shoe")
        async with tab.expect_navigation():  # what it looks like is asked of the page that comes
            await tab.click("button:has-text('Add this condition') >> nth=0")
        past = await beside(tab)
        await keep_picture(tab, f"sum-{width}-{scheme}", whole=True)
        assert (past, mine.faults) == (0, [])
        await tab.click("button.tab:text-is('YAML')")
        (written,) = values_of(await tab.input_value("#yaml"))
        added = {"of": "amount", "where": {"metadata.kind": {"is": "shoe"}}, "at_least": 10000}
        assert written["when"] == {"order.items": {"sum": added}}


def mail(subject: str, html: str) -> dict[str, Any]:
    return {"email": {"account": "main", "subject": subject, "html": html}}


MAILS = f"""distribution: mailed
name: Mailed
status: DRAFT
trigger: customer.order.paid
consent: transactional
channels:
  - webhook: {{url: "https://hooks.example.com/paid", type: paid}}
  - {json.dumps(mail("First", "<style>p { color: rgb(1, 2, 3) }</style><p>Dear {{ customer.name }}</p>"))}
  - {json.dumps(mail("Second", "<p>Bye {{ customer.name }}</p>"))}
"""
FIRST, SECOND = (f'.pane[data-follows$="channel={number}"]' for number in (1, 2))


@pytest.mark.slow
async def test_emails_follow_what_is_written_beside_their_channels(site: Site) -> None:
    await save(site, 1, MAILS, distribution="mailed", name="Mailed", status="DRAFT")
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions/mailed/edit?step=channels")
        steps = await tab.evaluate("history.length")
        await until_previewed(tab, "text=Dear Jack Nowak", FIRST)
        await until_previewed(tab, "text=Bye Jack Nowak", SECOND)
        head = tab.frame_locator(f"{FIRST} iframe:not(.coming)").locator("dl")
        assert (await head.inner_text()).split("\n") == ["Subject", "First", "From", "The Shop <shop@shop.example>"]
        inside = previewed(tab, pane=FIRST)
        color = await inside.locator("text=Dear Jack Nowak").evaluate("one => getComputedStyle(one).color")
        assert color == "rgb(1, 2, 3)", "its styles are not those of the page's policy"
        held, asked = asyncio.Event(), list[str]()

        async def late(route: Any) -> None:
            asked.append(route.request.url)
            if len(asked) == 1:
                await held.wait()
            await route.continue_()

        await tab.route(lambda url: "/distribution/email" in url, late)
        async with tab.expect_request(lambda one: "/distribution/email?channel=1" in one.url):
            await tab.fill("#channels_1_email_html", "<p>Old words</p>")
        async with tab.expect_response(lambda one: one.request.method == "POST" and "/edit" in one.url):
            await tab.fill("#channels_1_email_html", "<p>New {{ customer.email }}</p>")
        held.set()
        await until_previewed(tab, "text=New jack@example.com", FIRST)
        await tab.fill("#channels_2_email_subject", "{{ customer.nmae }}")
        await tab.frame_locator(f"{SECOND} iframe:not(.coming)").locator("text=It cannot be made yet").wait_for()
        await tab.locator(".pane iframe.coming").first.wait_for(state="detached")
        assert [await tab.locator(f"{one} iframe").count() for one in (FIRST, SECOND)] == [1, 1]
        assert await tab.locator("#output_0 pre").count() == 1, "the webhook stands beside them as it did"
        assert await tab.evaluate("history.length") == steps
        assert mine.faults == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_emails_fit_into_every_window(site: Site, width: int, scheme: Any) -> None:
    await save(site, 1, MAILS, distribution="mailed", name="Mailed", status="DRAFT")
    async with browser() as opened, window(opened, site.base, width, scheme) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions/mailed/edit?step=channels")
        await until_previewed(tab, "text=Dear Jack Nowak", FIRST)
        await until_previewed(tab, "text=Bye Jack Nowak", SECOND)
        assert await violations(tab) == []
        past = await beside(tab)
        await keep_picture(tab, f"emails-{width}-{scheme}", whole=True)
        assert (past, mine.faults) == (0, [])


@pytest.mark.slow
async def test_without_scripts_an_email_is_shown_by_its_button(site: Site) -> None:
    await save(site, 1, MAILS, distribution="mailed", name="Mailed", status="DRAFT")
    async with browser() as opened, window(opened, site.base, 1440, scripts=False) as mine:
        await enter(mine, "admin")
        tab = await mine.show("/p/shop/distributions/mailed/edit?step=channels")
        await tab.fill("#channels_2_email_html", "<p>Written now</p>")
        await tab.click('button[formtarget="output_2"]')
        await until_previewed(tab, "text=Written now", SECOND)
        assert mine.faults == []
