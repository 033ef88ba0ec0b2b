"""Segments and who is in them on pages, over real HTTP and on a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import Any
from urllib.parse import quote

import pytest

from agents.clock import utc_now
from schemas.segment import SegmentDefinition
from store.segment_transaction import MembershipRow
from store.segments import Segments
from tests.integration.test_web import Browser, Site
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
LIST, MEMBERS = "/p/shop/segments", "/p/shop/members"
POLES: dict[str, Any] = {"when": {"customer.metadata.country": "PL"}}


async def segment(site: Site, *ids: str, project: str = "shop", name: str = "Poland", **who: Any) -> None:
    now = utc_now()
    made = [
        SegmentDefinition(id=one, project_id=project, name=name, version=1, updated_at=now, **(who or POLES))
        for one in ids
    ]
    await Segments(site.pool).save([(one, "") for one in made], applied_by="ann", now=now)


async def inside(site: Site, name: str, *customers: str, project: str = "shop") -> None:
    async with Segments(site.pool).transaction() as work:
        await work.put_memberships(project, [MembershipRow(one, name, True, 1, utc_now()) for one in customers])


async def all_pages(mine: Browser, path: str, pattern: str) -> list[str]:
    seen = list[str]()
    while path:
        text = (await mine.ask("GET", path)).text
        seen += map(html.unescape, re.findall(pattern, text))
        following = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = html.unescape(following[1]) if following else ""
    return seen


async def test_segments_are_listed_with_their_members(site: Site) -> None:
    await segment(site, *(f"s{number:03}" for number in range(70)), name=EVIL)
    await segment(site, "theirs", project="outlet")
    await inside(site, "s000", "c1", "c2")
    mine = await signed_in(site)
    found = await all_pages(mine, LIST, r'<code class="id">([^<]*)</code>')
    assert found == [f"s{number:03}" for number in range(70)]
    page = await mine.ask("GET", LIST)
    first = page.text.partition("<tbody>")[2].partition("</tr>")[0]
    assert (">2<span" in first, "<script>" in page.text, "\u202e" in page.text) == (True, False, False)
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text)))
    assert [(row["id"], row["members"]) for row in rows[:2]] == [("s000", "2"), ("s001", "0")]
    for query in ("?cursor=x", "?cursor=WzFd", "?cursor=ImFcdTAwMDBiIg"):
        assert (await mine.ask("GET", LIST + query)).status == 422, query


async def test_a_segment_tells_whom_it_cannot_judge(site: Site) -> None:
    await segment(site, "poland")
    await inside(site, "poland", "c1")
    async with Segments(site.pool).transaction() as work:
        await work.put_unjudged(
            "shop", ["a/b", "c3"], [(one, "poland", f"age: is a text {EVIL}") for one in ("a/b", "c3")]
        )
    mine = await signed_in(site)
    page = await mine.ask("GET", f"{LIST}/poland")
    assert (page.status, page.title) == (200, "Poland")
    (row,) = re.findall(r'<tr><th scope="row">(<bdi>age.*?)</tr>', page.text)
    assert '<td class="number">2</td>' in row
    assert "/p/shop/customers?id=a%2Fb" in html.unescape(row)
    assert ("<script>" in page.text, "\u202e" in page.text) == (False, False)
    assert "customer.metadata.country: PL" in page.text
    assert f'href="{MEMBERS}?segment=poland"' in html.unescape(page.text)
    for nowhere in ("nothing", "polan"):
        assert (await mine.ask("GET", f"{LIST}/{nowhere}")).status == 404
    assert "Did you mean" in (await mine.ask("GET", f"{LIST}/polan")).text


async def test_members_are_listed_by_pages_whatever_their_ids_are(site: Site) -> None:
    await segment(site, "vip", members=["c1", "c2"])
    ids = sorted([*(f"c{number:03}" for number in range(118)), "a/b", "=1+1"])
    await inside(site, "vip", *ids)
    await segment(site, "vip", project="outlet")
    await inside(site, "vip", "theirs", project="outlet")
    mine = await signed_in(site)
    seen = await all_pages(mine, f"{MEMBERS}?segment=vip", r'<th scope="row"><a href="[^"]*"><code>([^<]*)</code>')
    assert sorted(seen) == ids
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{MEMBERS}.csv?segment=vip")).text)))
    assert sorted(row["customer"] for row in rows) == sorted("'=1+1" if one == "=1+1" else one for one in ids)
    assert "members: 2 customers" in (await mine.ask("GET", f"{LIST}/vip")).text, "its list is not shown twice"
    nothing = await mine.ask("GET", MEMBERS)
    assert (nothing.status, "Name a segment" in nothing.text) == (200, True)
    for query, expected in (("?segment=none", 404), ("?segment=%00", 422), ("?segment=vip&cursor=x", 422)):
        for suffix in ("", ".json", ".csv"):
            assert (await mine.ask("GET", MEMBERS + suffix + query)).status == expected, query


@pytest.mark.parametrize("name", ["..", "a.b", "x" * 128])
async def test_any_id_leads_to_its_page_and_its_members(site: Site, name: str) -> None:
    await segment(site, name)
    await inside(site, name, "c1")
    mine = await signed_in(site)
    (path,) = re.findall(r'<th scope="row"><a href="([^"]+)">', (await mine.ask("GET", LIST)).text)
    assert (await mine.ask("GET", html.unescape(path))).title == "Poland"
    assert ">c1</code>" in (await mine.ask("GET", f"{MEMBERS}?segment={quote(name)}")).text
