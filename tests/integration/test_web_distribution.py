"""The page of a distribution over real HTTP: its numbers, reasons and versions, on a real PostgreSQL."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.clock import utc_now
from console.control.context import ProjectContext
from console.control.funnel import funnel
from console.control.over_time import Range
from schemas.delivery import DistributionRef
from schemas.formats.days import zone_of
from schemas.formats.durations import parse_duration
from store.distributions import Change, Control
from store.read_models.recorded import Recorded
from tests.factory import rule
from tests.integration.test_purchases import gave, purchase
from tests.integration.test_purchases import put as put_purchases
from tests.integration.test_recorder import KEEP, decision, put, status
from tests.integration.test_web import Site
from tests.integration.test_web_projects import EVIL, apply, signed_in, site

__all__ = ["site"]
PAGE = "/p/shop/distributions/thanks"
SOURCE = """# thanks for an order
distribution: thanks
trigger: {event: customer.order.paid}
consent: marketing
channels: [{webhook: {url: "https://hooks.example.com/x", type: thanks}}]
"""


def numbers(page: str) -> dict[str, tuple[str, str, str, str]]:
    """By step its messages, share, those of the period before and the change, of the table."""
    table = page.partition("The same as a table, with the period before")[2].partition("</table>")[0]
    found = re.findall(r'<tr><th scope="row">(\w+)</th>(.*)</tr>', table)
    rows = ((name, re.findall(r"<td[^>]*>([^<]*)</td>", cells)) for name, cells in found)
    return {name: (cells[0], cells[1], cells[2], cells[3]) for name, cells in rows}


def reasons(page: str) -> dict[str, tuple[str, str]]:
    """By what became of messages and why, their number and the address of their list."""
    table = page.partition("Why others did not come so far")[2].partition("</table>")[0]
    row = r'<th scope="row">([^<]*)</th><td><span class="state [\w-]+">(\w+)</span></td>.*?href="([^"]+)">([\d,]+)<'
    return {f"{word}: {why}": (count, html.unescape(path)) for why, word, path, count in re.findall(row, table)}


async def fill(site: Site, now: datetime) -> None:
    """Ten decisions of an hour ago, four of last week, and what became of them."""
    recorded, then = Recorded(site.pool, KEEP), now - timedelta(hours=1)
    sent: dict[str, Any] = {"outcome": "emitted", "reason": None, "detail": None}
    decided = [decision(n, then, delivery_id=f"dlv_{n:032x}", **sent) for n in range(6)]
    decided += [decision(n, then, reason="capped") for n in (6, 7, 8)]
    decided += [decision(9, then), decision(10, then, outcome="deferred", reason="quiet_hours")]
    before = [decision(n, now - timedelta(days=9), **sent) for n in range(20, 24)]
    other = decision(30, then, distribution=DistributionRef(id="other", version=1, name="x"), **sent)
    await put(recorded, [*decided, *before, other, decision(31, then, project_id="outlet", **sent)])
    ends = [status(n, then, outcome=one) for n, one in enumerate(["sent"] * 3 + ["recovered", "failed", "suppressed"])]
    reported = [status(n, then + timedelta(minutes=1), outcome="delivered") for n in range(4)]
    clicked = [status(0, then + timedelta(minutes=2), outcome=one) for one in ("opened", "clicked")]
    await put(recorded, [*ends, *reported, *clicked], start=100)


async def test_its_messages_are_followed_from_what_matched_to_what_was_clicked(site: Site) -> None:
    await apply(site, "thanks", name="Say thanks")
    await fill(site, utc_now())
    page = await (await signed_in(site)).ask("GET", PAGE)
    assert (page.status, page.title) == (200, "Say thanks")
    assert numbers(page.text) == {
        "Matched": ("10", "", "4", "+150 %"),
        "Decided": ("6", "60 % of matched", "4", "+50 %"),
        "Sent": ("4", "66.7 % of decided", "0", "none before"),
        "Delivered": ("4", "100 % of sent", "0", "none before"),
        "Opened": ("1", "25 % of sent", "0", "none before"),
        "Clicked": ("1", "25 % of sent", "0", "none before"),
    }
    bars = re.findall(r'<rect class="filled" width="([\d.]+)"', page.text)
    assert bars == ["100.0", "60.0", "40.0", "40.0", "10.0", "10.0"]
    assert "When “Orders: order paid” happens, its customer gets a webhook at hooks.example.com." in page.text


async def test_what_was_redeemed_is_counted_without_what_was_taken_back(site: Site) -> None:
    now = utc_now()
    await apply(site, "thanks")
    recorded = Recorded(site.pool, KEEP)
    await put_purchases(recorded, [gave(n, now - timedelta(hours=2)) for n in range(3)])
    bought = [purchase(n, now - timedelta(hours=1)) for n in range(3)]
    back = purchase(9, now - timedelta(minutes=9), kind="rollback", subject_id="r0", code_key=None)
    await put_purchases(recorded, [*bought, back], start=10)
    assert numbers((await (await signed_in(site)).ask("GET", PAGE)).text)["Redeemed"][:2] == ("2", "66.7 % of sent")


async def test_each_reason_leads_to_the_messages_that_it_counts(site: Site) -> None:
    await apply(site, "thanks")
    await fill(site, utc_now())
    mine = await signed_in(site)
    found = reasons((await mine.ask("GET", PAGE)).text)
    assert {name: count for name, (count, _) in found.items()} == {
        "skipped: the customer has had as many messages as may be sent": "3",
        "skipped: the customer has not given this consent": "1",
        "held: these are quiet hours, or hours outside of its window": "1",
        "failed: its provider or endpoint did not take it": "1",
        "suppressed: its provider or endpoint did not take it": "1",
    }
    for name, (count, path) in found.items():
        listed = await mine.ask("GET", path)
        assert listed.status == 200, name
        if name.startswith(("skipped", "held")):
            assert len(re.findall(r'<th scope="row">', listed.text)) == int(count), name


async def test_the_period_is_chosen_by_the_address(site: Site) -> None:
    await apply(site, "thanks")
    await fill(site, utc_now())
    mine = await signed_in(site)
    for query, matched in (("?since=30d", "14"), ("?since=10m", "0"), ("?since=10d&until=8d", "4"), ("", "10")):
        assert numbers((await mine.ask("GET", PAGE + query)).text)["Matched"][0] == matched, query
    chosen = html.unescape((await mine.ask("GET", f"{PAGE}?since=30d")).text)
    assert re.findall(r'<a href="([^"]+)" aria-current="true">30 days<', chosen) == [f"{PAGE}?since=30d"]
    for query in ("?since=x", "?since=2026-13-01", "?until=30d", "?since=1d&until=2d", "?since=900d", "?since=%00"):
        wrong = await mine.ask("GET", PAGE + query)
        assert (wrong.status, "There is a problem" in wrong.text) == (422, True), query


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
@pytest.mark.parametrize("since", ["2h", "7d", "190d", "400d"])
async def test_bars_over_time_count_what_the_steps_count(site: Site, since: str, zone: str) -> None:
    await apply(site, "thanks")
    now = utc_now()
    await fill(site, now)
    asked, context = Range(now - parse_duration(since), now), ProjectContext("shop", zone=zone_of(zone))
    found = (await funnel(site.pool, context, "thanks", asked)).over_time
    sums = {name: sum(one.records.get(name, 0) for one in found.parts) for name in ("sent", "skipped", "failed")}
    assert sums == {"sent": 4, "skipped": 4, "failed": 2}
    (there,) = [one for one in found.parts if one.records.get("skipped")]
    assert there.since <= now - timedelta(hours=1) < there.until
    unit = "day" if found.unit == "week" else found.unit
    starts = [one.since for one in found.parts[1:]]
    assert starts == await site.pool.fetchval(
        "select array_agg(date_trunc($2, at, $3) order by at) from unnest($1::timestamptz[]) as at", starts, unit, zone
    )


async def test_each_bar_is_a_row_that_leads_to_its_messages(site: Site) -> None:
    await apply(site, "thanks")
    await fill(site, utc_now())
    mine = await signed_in(site)
    page = (await mine.ask("GET", f"{PAGE}?since=2h")).text.partition("<h2>Over time")[2].partition("<h2>")[0]
    assert "At most 10 messages in a minute" in page
    assert re.findall(r'<rect class="(\w+)"[^>]*height="([\d.]+)"', page) == [
        ("sent", "40.0"), ("skipped", "40.0"), ("failed", "20.0"),
    ]  # fmt: skip
    ((path, *cells),) = re.findall(
        r'<tr><th scope="row"><a href="([^"]+)">.*?</th><td[^>]*>(\d+)</td><td[^>]*>(\d+)</td><td[^>]*>(\d+)</td>', page
    )
    assert cells == ["4", "4", "2"]
    assert (await mine.ask("GET", html.unescape(path))).status == 200


async def test_a_distribution_without_messages_has_bars_without_length(site: Site) -> None:
    """Reported elsewhere: shares of nothing are shown as NaN, or as all, or the chart fails."""
    await apply(site, "thanks")
    page = await (await signed_in(site)).ask("GET", PAGE)
    assert page.status == 200
    assert set(re.findall(r'<rect class="filled" width="([\d.]+)"', page.text)) == {"0.0"}
    assert {one[:2] for one in numbers(page.text).values()} == {("0", "")}
    assert not re.search(r"nan|inf\b", page.text.partition("<main")[2], re.IGNORECASE)
    assert "Nothing was skipped, held or failed in this period" in page.text


async def save(site: Site, version: int, source: str, **changes: Any) -> None:
    made = msgspec.structs.replace(rule(**changes), version=version)
    await Control(site.pool).save([Change(made, source, ())], applied_by="ann", now=utc_now())


async def test_a_version_is_shown_beside_the_one_before_it(site: Site) -> None:
    """Reported elsewhere: a diff is full of keys that only stand in another order."""
    await save(site, 1, SOURCE)
    lines = SOURCE.splitlines()[1:]
    await save(site, 2, "\n".join(reversed(lines)) + "\nexpires_after: 2d\n", expires_after="2d")
    await save(site, 3, "", expires_after="2d", status="PAUSED")
    mine = await signed_in(site)

    async def diff(version: int) -> list[tuple[str, str]]:
        text = (await mine.ask("GET", f"{PAGE}?version={version}")).text
        found = re.findall(r'<li class="(added|removed)">.*?<code>(.*?)</code></li>', text)
        return [(kind, html.unescape(line)) for kind, line in found]

    assert await diff(2) == [("added", "expires_after: 2d")]
    assert await diff(3) == [("added", "status: PAUSED")]
    first = (await mine.ask("GET", f"{PAGE}?version=1")).text
    assert "Version 1 is the first one" in first
    assert "# thanks for an order" in first
    second = (await mine.ask("GET", f"{PAGE}?version=2")).text
    assert re.search(r"<li><bdi>expires_after: [^<]*2d</bdi></li>", second)
    newest = (await mine.ask("GET", PAGE)).text
    assert "Version 3 beside version 2" in newest
    assert re.findall(r'<th scope="row"><a href="[^"]+"[^>]*>Version (\d)</a>', newest) == ["3", "2", "1"]
    for wrong, expected in (("x", 422), ("-1", 422), ("0", 404), ("99", 404), ("9" * 30, 422), ("%00", 422)):
        assert (await mine.ask("GET", f"{PAGE}?version={wrong}")).status == expected, wrong


async def test_many_versions_are_read_by_pages(site: Site) -> None:
    for number in range(1, 46):
        await save(site, number, "", priority=number)
    mine, path, seen = await signed_in(site), PAGE, list[int]()
    while path:
        text = html.unescape((await mine.ask("GET", path)).text)
        seen += map(int, re.findall(r">Version (\d+)</a>", text))
        following = re.search(r'<a href="([^"#]+)#versions" rel="next">', text)
        path = html.unescape(following[1]) if following else ""
    assert seen == list(range(45, 0, -1))


async def test_any_id_that_a_distribution_may_have_leads_to_its_page(site: Site) -> None:
    names = ["thanks", "..", ".", "a.b", "...", "x" * 128]
    await apply(site, *names)
    mine = await signed_in(site)
    listed = (await mine.ask("GET", "/p/shop/distributions")).text
    paths = list(map(html.unescape, re.findall(r'<th scope="row"><a href="([^"]+)">', listed)))
    assert len(paths) == len(names)
    for path in paths:
        page = await mine.ask("GET", path)
        assert page.status == 200, path
        for link in re.findall(r'<a href="([^"]+)"[^>]*>30 days<', page.text):
            assert (await mine.ask("GET", html.unescape(link))).title == page.title, path
    for nowhere in ("/p/shop/distributions/nothing", "/p/shop/distribution", "/p/outlet/distributions/thanks"):
        assert (await mine.ask("GET", nowhere)).status == 404, nowhere
    assert (await mine.ask("GET", "/p/shop/distributions/%00")).status == 422
    assert "Did you mean" in (await mine.ask("GET", "/p/shop/distributions/thank")).text


async def test_what_comes_from_outside_is_text(site: Site) -> None:
    await apply(site, "thanks", name=EVIL, source=f"distribution: thanks\n# {EVIL}\n")
    page = await (await signed_in(site)).ask("GET", PAGE)
    assert page.status == 200
    assert "<script>" not in page.text
    assert "\u202e" not in page.text
    assert "{{ 7 * 7 }}" in page.text
