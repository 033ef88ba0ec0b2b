"""A project that has something of everything, and a browser that is signed in to it."""

from __future__ import annotations

import base64
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Error, Route, async_playwright

from agents.clock import utc_now
from console.control.designs import design_named
from schemas.access import AccessRole
from schemas.campaign import CodeConfig
from schemas.decision import Check
from schemas.segment import SegmentDefinition
from store.notices import Notices, nobody
from store.read_models.recorded import Recorded
from store.segments import Segments
from store.sending.ledger import Settlement
from streams.notices import codes_low
from tests.integration.test_codes import campaign, filled, saved
from tests.integration.test_deliveries import failed, settle
from tests.integration.test_named_templates import named
from tests.integration.test_named_templates import save as save_template
from tests.integration.test_recorder import KEEP, decision, put, status
from tests.integration.test_store import new
from tests.integration.test_web import PASSWORD, Site
from tests.integration.test_web_access import key
from tests.integration.test_web_audit import changed
from tests.integration.test_web_campaigns import hand_in
from tests.integration.test_web_distribution import SOURCE, fill, save
from tests.integration.test_web_messages import taken_in
from tests.integration.test_web_operations import pause
from tests.integration.test_web_projects import apply
from tests.integration.test_web_segments import inside, segment
from tests.integration.test_web_sends import keep_send
from tests.integration.test_web_suppressions import have as suppressed
from tests.integration.test_web_template_edit import store as store_template

Scheme = Literal["light", "dark"]
WIDTHS = (375, 1440)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
_ELSEWHERE = re.compile(r"https?://(?!(?:127\.0\.0\.1|localhost):)")
_PATIENCE_MS = 120_000
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LONG = "a-name-that-is-long-and-has-nowhere-to-be-broken-" + "x" * 70


BUILT = f"""distribution: built
name: Built in steps
status: DRAFT
trigger: {{event: customer.segment.entered, segment: poland}}
when:
  all:
    - customer.metadata.country: [PL, DE]
    - customer.metadata.{LONG}: {{at_least: 3}}
    - not: {{customer.email: {{ends_with: "@{LONG}.example"}}}}
    - any:
        - customer.name: {{is_set: true}}
        - all: [{{customer.metadata.a: 1}}, {{any: [{{not: {{customer.phone: x}}}}]}}]
    - customer.metadata.items: {{any_item: {{sku: {{starts_with: G}}, price: {{at_least: 3}}}}}}
    - customer.metadata.items: {{count: 2}}
publish: {{campaign: spring}}
consent: marketing
channels:
  - webhook: {{url: "https://hooks.example.com/{LONG}", type: built, headers: {{x-team: {LONG}}}}}
  - webhook: {{url: "https://hooks.example.com/y", type: built}}
arms: {{a: {{share: 50%}}, b: {{share: 50%, delay: 2h}}}}
window: {{from: "09:00", to: "20:00"}}
cap: [{{at_most: 2, in: week}}, {{at_most: 1, in: day}}]
"""


def chromium() -> str | None:
    """The browser of this machine; `TIDINGS_CHROMIUM` names another."""
    return os.environ.get("TIDINGS_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


async def keep_picture(tab: Any, name: str, *, whole: bool = False) -> None:
    """Leave a picture of a page in the folder that `BROWSER_PICTURES` names, if any."""
    if folder := os.environ.get("BROWSER_PICTURES"):
        file = Path(folder) / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        await tab.screenshot(path=file, full_page=whole)


async def _picture(route: Route) -> None:
    """In place of what messages show from elsewhere: a picture of one pixel."""
    await route.fulfill(body=base64.b64decode(_PIXEL), content_type="image/png")


@dataclass(frozen=True, slots=True)
class Window:
    """A browser's window; `faults` are what it says to nobody: errors, and what its policy refused."""

    context: BrowserContext
    faults: list[str]

    async def show(self, path: str) -> Any:
        """A page in a tab of its own."""
        tab = await self.context.new_page()
        tab.on("console", lambda said: self.faults.append(f"{path}: {said.text}") if said.type == "error" else None)
        tab.on("pageerror", lambda error: self.faults.append(f"{path}: {error}"))
        await tab.goto(path)
        return tab


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def window(
    opened: Browser, base: str, width: int, scheme: Scheme = "light", *, scripts: bool = True
) -> AsyncIterator[Window]:
    """A window of a width, and of a person's choice of colours."""
    context = await opened.new_context(
        base_url=base, viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
    )
    context.set_default_timeout(_PATIENCE_MS)
    await context.route(_ELSEWHERE, _picture)
    try:
        yield Window(context, [])
    finally:
        await context.close()


async def enter(mine: Window, role: AccessRole, project: str = "shop") -> None:
    """Sign in by the form."""
    tab = await mine.context.new_page()
    await tab.goto("/sign-in")
    await tab.fill("#email", f"{role}@{project}.example")
    await tab.fill("#password", PASSWORD)
    await tab.click("main button")
    await tab.wait_for_url("**/")
    await tab.close()


async def violations(tab: Any) -> list[tuple[str, list[str]]]:
    """The rules that axe finds broken on a page, and where."""
    found = await Axe().run(tab)
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found.response["violations"]]


async def beside(tab: Any) -> int:
    """Pixels of a page that stand beside its window."""
    return int(await tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def previewed(tab: Any, view: str = "phone", pane: str = ".pane") -> Any:
    """The message in the pane beside an editor, as it is seen in one way."""
    frame = tab.frame_locator(f"{pane} iframe:not(.coming)")
    return frame if view == "text" else frame.frame_locator(f".{view} iframe")


async def until_previewed(tab: Any, selector: str, pane: str = ".pane", view: str = "phone") -> None:
    """Wait until the pane beside an editor shows it. The next frame may replace the one that is asked."""
    shown = previewed(tab, view, pane)
    for _ in range(20):
        try:
            await shown.locator(selector).wait_for()
            return
        except Error as error:
            if tab.is_closed() or "has been closed" not in str(error):
                raise
    raise AssertionError(f"{selector} was not shown: its frame went each time")


async def furnish(site: Site) -> None:
    """Users of every role, distributions in several states, messages that came and that did not."""
    for role in ("viewer", "operator", "admin"):
        await site.add(f"{role}@shop.example", role, "shop")
    await site.add("admin@outlet.example", "admin", "outlet")
    await save(site, 1, SOURCE, name="Thanks for an order")
    await save(site, 2, SOURCE + "expires_after: 2d\n", name="Thanks for an order", expires_after="2d")
    await apply(site, "winback", name="Win back those who have not bought anything for three months", status="PAUSED")
    await apply(site, LONG, status="STOPPED", name=LONG)
    await apply(site, "draft", status="DRAFT")
    await save(site, 1, BUILT, distribution="built", name="Built in steps", status="DRAFT")
    await fill(site, utc_now())
    await _messages(site)
    await _customer(site)
    await _things(site)
    await suppressed(site, "*.spam.example", f"ann@{LONG}.example"[:60] + ".example", source="ticket 4711 " + "x" * 60)
    await changed(site, "thanks", LONG, change={"before": {"priority": 1}, "after": {"priority": 9, "x": "y" * 150}})


async def _things(site: Site) -> None:
    """Segments, campaigns, an import, a template, a notice, a held destination and a key."""
    await segment(site, "poland", LONG, name="Customers in Poland")
    await inside(site, "poland", *(f"cust_{number}" for number in range(8)), LONG)
    germany = SegmentDefinition(
        id="germany",
        project_id="shop",
        name=LONG,
        version=1,
        when={"customer.metadata.country": "DE"},
        updated_at=utc_now(),
    )
    source = f"# {LONG}\nsegment: germany\nwhen: {{customer.metadata.country: DE}}\n"
    await Segments(site.pool).save([(germany, source)], applied_by="ann", now=utc_now())
    async with Segments(site.pool).transaction() as work:
        await work.put_unjudged("shop", ["cust_9"], [("cust_9", "poland", "customer.metadata.age: must be a number")])
    pattern = CodeConfig(pattern="S-##", length=4, charset="0123456789")
    await saved(site.pool, campaign(type="AUTO_UPDATE", code_config=pattern, low_water=200), campaign(LONG, name=LONG))
    await filled(site.pool, ["A-1", "A-2"], LONG)
    await hand_in(site, "code\nA-1\n")
    await save_template(site.pool, named(), named(LONG[:60]))
    await Notices(site.pool, nobody).open(codes_low("shop", "spring", 100, 200))
    await pause(site, "webhook", f"{LONG}.example.com", why="HTTP 401 " + "x" * 80)
    await key(site, "ci")
    await store_template(site, "news", **design_named("default-order-paid", "en", "news"))
    await keep_send(site, "send_1", "DRAFT")
    await keep_send(site, "send_2", "SENDING", LONG, waits_for="its messages wait at a provider " + "x" * 90)
    await keep_send(site, "send_3", "TO SEND")


async def _messages(site: Site) -> None:
    rows = [new(number, "shop.example", customer_id=f"cust_{number}", event_id=f"ev{number}") for number in range(8)]
    ledger = await taken_in(site, *rows, new(20, "shop.example", customer_id=LONG, distribution_id=LONG))
    await settle(
        ledger, failed("d1", "HTTP 501 at the endpoint"), Settlement("d2", "sent", "HTTP 200"),
        failed("d20", "HTTP 500 " + "x" * 120),
    )  # fmt: skip


async def _customer(site: Site) -> None:
    now = utc_now()
    tests = [
        Check(test="order.amount at_least 1000", passed=True, seen="1500"),
        Check(test="customer.metadata.country is PL", passed=False, seen="DE"),
        Check(test="customer.metadata.age more_than 3", passed=None, seen="not a number"),
    ]
    of: dict[str, Any] = {"customer_id": "cust_1", "checks": tests}
    event = msgspec.structs.replace(decision().event, id="ev1", created_at=now - timedelta(hours=2))
    made = {"outcome": "emitted", "reason": None, "detail": None, "delivery_id": "d1", "channel": "webhook"}
    held = {"outcome": "deferred", "reason": "quiet_hours", "detail": "until 09:00", "until": now}
    recorded = Recorded(site.pool, KEEP)
    decided = [
        decision(201, now - timedelta(hours=2), event=event, **held, **of),
        decision(202, now - timedelta(hours=1), event=event, **made, **of),
        decision(203, now, reason="capped", detail="2 in a week", **of),
    ]
    await put(recorded, decided, start=500)
    await put(recorded, [status(202, now, delivery_id="d1", customer_id="cust_1")], start=600)
