"""Failed messages sent again on a page: counted first, by what became of them, and once; on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from typing import Any

from agents.clock import utc_now
from schemas.delivery import DistributionRef
from store.read_models.recorded import Recorded
from store.sending.deliveries import Deliveries
from store.sending.ledger import Ledger, Settlement
from tests.integration.test_deliveries import due, failed, record, settle
from tests.integration.test_recorder import KEEP, put, status
from tests.integration.test_store import new
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_messages import taken_in
from tests.integration.test_web_projects import EVIL, apply, signed_in, site

__all__ = ["site"]
PAGE, FAILED = "/p/shop/resend", "/p/shop/resend?distribution=thanks&outcome=failed"


def mail(number: int, **changes: Any) -> Any:
    of: dict[str, Any] = {"distribution_id": "thanks", "channel": "email", "record": record("transactional")}
    return new(number, "main", customer_id=f"c{number}", **of | changes)


async def have_failed(site: Site, count: int = 4) -> Ledger:
    """So many that failed, of which the last but one may have arrived, and the last is another project's."""
    ledger = await taken_in(
        site, *(mail(number) for number in range(count - 1)), mail(count - 1, project_id="outlet"), mail(90)
    )
    await settle(
        ledger, *(failed(f"d{number}", f"550 no such box {EVIL}") for number in range(count - 2)),
        failed(f"d{count - 2}", "TimeoutError", is_ambiguous=True), failed(f"d{count - 1}"),
        Settlement("d90", "sent", "250 ok"),
    )  # fmt: skip
    return ledger


def form_of(page: Page) -> tuple[str, dict[str, str]]:
    """The address that the form goes to, and its hidden field."""
    form = r'<form method="post" action="([^"]+)">\s*<input type="hidden" name="seen" value="([^"]+)">'
    found = re.search(form, page.text)
    assert found, page.text
    return html.unescape(found[1]), {"seen": html.unescape(found[2])}


def link_of(page: Page, text: str) -> str:
    """The address of a link there."""
    (found,) = re.findall(rf'<a href="([^"]+)">{text}', page.text)
    return html.unescape(found)


async def again(mine: Browser, path: str, form: dict[str, str]) -> str:
    """The number that a form had sent again."""
    done = await mine.ask("POST", path, form)
    assert done.status == 303
    return str(done.headers["location"].rpartition("done=")[2])


async def test_a_doubled_form_sends_again_once_also_what_has_failed_anew_since(site: Site) -> None:
    ledger, mine = await have_failed(site), await signed_in(site, "operator")
    page = await mine.ask("GET", FAILED)
    text = html.unescape(page.text)
    assert (page.status, "<b>2 of 3 messages</b> can be sent again" in text) == (200, True)
    assert ("1 may have arrived" in text, "Send 2 again" in text, "<script>" in page.text) == (True, True, False)
    path, form = form_of(page)
    assert await due(ledger) == {}, "nothing is done by looking"
    both = await asyncio.gather(again(mine, path, form), again(mine, path, form))
    assert sorted(both) == ["0", "2"]
    assert sorted(await due(ledger)) == ["d0", "d1"]
    await settle(ledger, failed("d0"), Settlement("d1", "sent", "250 ok"))
    assert await again(mine, path, form) == "0", "it failed anew after it was counted"
    assert "has been sent again already" in (await mine.ask("GET", f"{FAILED}&done=0")).text
    assert await due(ledger) == {}
    assert await again(mine, *form_of(await mine.ask("GET", FAILED))) == "1"
    (row,) = await Deliveries(site.pool).actions_of(["d1"])
    assert (row["action"], row["actor"].startswith("user:")) == ("resend", True)
    actors = await site.pool.fetch("select actor from audit_log where action = 'deliveries.resent'")
    assert len(actors) == 2


async def test_what_may_have_arrived_is_sent_again_only_where_that_is_asked_for(site: Site) -> None:
    ledger, mine = await have_failed(site), await signed_in(site, "operator")
    path, form = form_of(await mine.ask("GET", f"{FAILED}&detail=TimeoutError"))
    assert await again(mine, path, form) == "0"
    assert await again(mine, path, {**form, "arrived": "yes"}) == "1"
    assert sorted(await due(ledger)) == ["d2"]


async def test_each_group_leads_to_its_own_messages_alone(site: Site) -> None:
    await have_failed(site, 6)
    mine = await signed_in(site, "operator")
    page = await mine.ask("GET", FAILED)
    of_groups = [html.unescape(one) for one in re.findall(r'<td class="number"><a href="([^"]+)">', page.text)]
    counted = [re.findall(r"<b>\d+ of (\d+) message", (await mine.ask("GET", one)).text) for one in of_groups]
    assert counted == [["4"], ["1"]]
    rows = (await mine.ask("GET", FAILED.replace("?", ".csv?"))).text.splitlines()
    assert rows[0] == "channel,destination,state,text,messages,oldest"


async def test_a_distribution_leads_there_from_why_its_messages_failed(site: Site) -> None:
    await apply(site, "thanks")
    await have_failed(site)
    of = {"distribution": DistributionRef(id="thanks", version=1, name="x")}
    ends = [status(n, utc_now() - timedelta(hours=1), outcome=one, **of) for n, one in enumerate(["failed", "expired"])]
    await put(Recorded(site.pool, KEEP), ends)
    mine, looks = await signed_in(site, "operator"), await signed_in(site)
    page = await mine.ask("GET", "/p/shop/distributions/thanks")
    path = link_of(page, "Send again")
    assert "<b>2 of 3 messages</b>" in (await mine.ask("GET", path)).text
    listed = await mine.ask("GET", "/p/shop/messages?distribution=thanks&outcome=failed")
    path = link_of(listed, "Send these again")
    assert "<b>2 of 3 messages</b>" in (await mine.ask("GET", path)).text
    sent = await mine.ask("GET", "/p/shop/messages?distribution=thanks&outcome=sent")
    assert ("d90" in sent.text, PAGE in html.unescape(sent.text)) == (True, False)
    for shown in ("/p/shop/distributions/thanks", "/p/shop/messages?distribution=thanks&outcome=failed"):
        assert PAGE not in html.unescape((await looks.ask("GET", shown)).text)
    assert (await looks.ask("GET", path)).status == 403


async def test_what_cannot_be_asked_does_nothing(site: Site) -> None:
    ledger, mine = await have_failed(site), await signed_in(site, "operator")
    seen = {"seen": utc_now().isoformat()}
    assert "Choose some" in (await mine.ask("GET", PAGE)).text
    for query in ("?outcome=expired", "?outcome=failed", "?since=x&channel=email", "?channel=fax", "?reason=x"):
        assert (await mine.ask("GET", PAGE + query)).status == 422, query
        assert (await mine.ask("POST", PAGE + query, seen)).status == 422, query
    for form in ({}, {"seen": "x"}, {"seen": "2026-11-30"}):
        refused = await mine.ask("POST", FAILED, form)
        assert (refused.status, "count them again" in refused.text) == (422, True), form
    assert (await mine.ask("POST", FAILED, seen, sec_fetch_site="cross-site")).status == 403
    assert await due(ledger) == {}
