"""Campaigns, their codes and imports on pages, over real HTTP and on a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from io import BytesIO
from typing import Any

import pytest

from agents.clock import utc_now
from agents.wiring import Wiring
from console.control import imports
from console.control.imports import ImportWork, Upload
from deploy.settings.settings import Settings
from schemas.campaign import CodeConfig
from tests.integration.test_codes import campaign, filled, saved
from tests.integration.test_web import Site
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
LIST, IMPORTS = "/p/shop/campaigns", "/p/shop/imports"
PATTERN = CodeConfig(pattern="S-##", length=4, charset="0123456789")


def ids(page: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'<code class="id">([^<]*)</code>', page)]


def counts(page: str) -> dict[str, str]:
    found = re.findall(r'<th scope="row">([^<]*)</th><td class="number">([^<]*)</td>', page)
    return dict(found)


async def hand_in(site: Site, text: str, name: str = "spring") -> str:
    upload = Upload(BytesIO(text.encode()), len(text.encode()))
    made = await imports.begin_codes(site.pool, "shop", name, upload, as_written=False, actor="ann")
    return made.import_id


async def test_campaigns_are_listed_with_what_is_left(site: Site) -> None:
    winter = campaign("winter", name=EVIL, active=False, low_water=1)
    promo = campaign("promo", kind="PROMOTION", discount=None)
    await saved(site.pool, campaign(low_water=3), winter, promo, campaign("theirs", project_id="outlet"))
    await filled(site.pool, ["a", "b"])
    await filled(site.pool, [f"w{n}" for n in range(9)], "winter")
    mine = await signed_in(site)
    page = await mine.ask("GET", LIST)
    assert (page.status, ids(page.text)[::1]) == (200, ["promo", "spring", "winter"])
    assert page.text.count("running low</span>") == 1
    assert ("<script>" in page.text, "\u202e" in page.text) == (False, False)
    for query, expected in (("?q=WIN", ["winter"]), ("?codes=low", ["spring"]), ("?q=nothing", [])):
        assert ids((await mine.ask("GET", LIST + query)).text) == expected, query
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text))}
    assert {name: (row["left"], row["state"]) for name, row in rows.items()} == {
        "spring": ("2", "live"), "winter": ("9", "inactive"), "promo": ("", "live"),
    }  # fmt: skip
    for query in ("?codes=x", "?cursor=x", "?q=%00"):
        assert (await mine.ask("GET", LIST + query)).status == 422, query


async def test_many_campaigns_are_read_by_pages(site: Site) -> None:
    await saved(site.pool, *(campaign(f"c{number:03}") for number in range(120)))
    mine, path, seen = await signed_in(site), LIST, list[str]()
    while path:
        text = (await mine.ask("GET", path)).text
        seen += ids(text)
        following = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = html.unescape(following[1]) if following else ""
    assert seen == [f"c{number:03}" for number in range(120)]


async def test_codes_are_counted_and_made_ahead_of_time(site: Site) -> None:
    await saved(site.pool, campaign(type="AUTO_UPDATE", code_config=PATTERN, low_water=90), campaign("own"))
    mine, looks = await signed_in(site, "editor"), await signed_in(site)
    path = f"{LIST}/spring"
    assert "Codes to make" not in (await looks.ask("GET", path)).text
    made = await mine.ask("POST", path, {"count": "7"})
    assert (made.status, made.headers["location"]) == (303, f"{path}?made=7")
    page = await mine.ask("GET", made.headers["location"])
    assert "Made: 7 codes." in page.text
    assert "discount:\n  type: PERCENT" in page.text, "its document is YAML"
    assert counts(page.text) | {"Published": "0"} == {
        "Left": "100", "Free, of those that are made": "7", "Published": "0", "Inactive": "0", "Ended": "0",
        "Made or imported": "7", "Low water": "90",
    }  # fmt: skip
    for wrong in ("", "0", "-1", "x", "50001", "9" * 40, "1.5", "\u0663", "200"):
        refused = await mine.ask("POST", path, {"count": wrong})
        assert (refused.status, "There is a problem" in refused.text) == (422, True), wrong
    assert "do not fit" in html.unescape((await mine.ask("POST", path, {"count": "200"})).text)
    assert "no code_config" in html.unescape((await mine.ask("POST", f"{LIST}/own", {"count": "1"})).text)
    assert (await mine.ask("POST", f"{LIST}/nothing", {"count": "1"})).status == 404
    assert (await looks.ask("POST", path, {"count": "1"})).status == 403
    assert (await mine.ask("POST", path, {"count": "1"}, sec_fetch_site="cross-site")).status == 403
    assert counts((await mine.ask("GET", path)).text)["Made or imported"] == "7"
    (row,) = await site.pool.fetch("select actor from audit_log where action = 'codes.generated'")
    assert row["actor"].startswith("user:")


@pytest.mark.parametrize("name", ["..", ".", "a.b", "x" * 128])
async def test_any_id_leads_to_its_page(site: Site, name: str) -> None:
    await saved(site.pool, campaign(name, type="AUTO_UPDATE", code_config=PATTERN))
    mine = await signed_in(site, "editor")
    (path,) = re.findall(r'<th scope="row"><a href="([^"]+)">', (await mine.ask("GET", LIST)).text)
    page = await mine.ask("GET", html.unescape(path))
    assert (page.status, page.title) == (200, "Spring")
    (action,) = re.findall(r'<form method="post" action="([^"]+)" novalidate>', page.text)
    made = await mine.ask("POST", html.unescape(action), {"count": "1"})
    assert made.status == 303
    assert "Made: 1 code." in (await mine.ask("GET", made.headers["location"])).text


async def test_an_import_tells_how_far_it_is_and_what_is_wrong(site: Site, settings: Settings) -> None:
    await saved(site.pool, campaign())
    wrong, waits = await hand_in(site, f"code\nA-1\n{EVIL} \n"), await hand_in(site, "code\nA-1\n")
    worker = ImportWork(site.pool, Wiring(settings), "w", utc_now)
    assert await worker.work()
    mine, looks = await signed_in(site, "editor"), await signed_in(site)
    page = await mine.ask("GET", IMPORTS)
    assert ids(page.text) == [waits, wrong]
    first, second = page.text.partition("<tbody>")[2].split("</tr>")[:2]
    assert ('class="state waiting"' in first, 'class="state refused"' in second) == (True, True)
    assert ("line 3:" in second, "<script>" in second, "\u202e" in second) == (True, False, False)
    assert ("Cancel" in first, "Cancel" in second) == (True, False)
    assert "Cancel" not in (await looks.ask("GET", IMPORTS)).text
    assert (await looks.ask("POST", f"{IMPORTS}/cancel", {"import": waits})).status == 403
    filtered = await mine.ask("GET", f"{IMPORTS}?kind=codes")
    (back,) = map(html.unescape, re.findall(r'name="back" value="([^"]*)"', filtered.text))
    done = await mine.ask("POST", f"{IMPORTS}/cancel", {"import": waits, "back": back})
    assert (done.status, done.headers["location"]) == (303, f"{IMPORTS}?kind=codes&canceled=1")
    over = await mine.ask("POST", f"{IMPORTS}/cancel", {"import": waits})
    assert (over.status, "is canceled and cannot be canceled" in over.text) == (422, True)
    assert (await mine.ask("POST", f"{IMPORTS}/cancel", {"import": "nothing"})).status == 404
    items: list[Any] = json.loads((await mine.ask("GET", f"{IMPORTS}.json?kind=codes")).text)["items"]
    assert [one["state"] for one in items] == ["canceled", "refused"]
    assert ids((await mine.ask("GET", f"{IMPORTS}?kind=customers")).text) == []
    assert ids((await mine.ask("GET", f"{IMPORTS}?campaign=spring")).text) == [waits, wrong]
    assert ids((await mine.ask("GET", f"{IMPORTS}?campaign=winter")).text) == []
    assert (await mine.ask("GET", f"{IMPORTS}?cursor=x")).status == 422


async def test_a_campaign_shows_its_own_files_of_codes(site: Site) -> None:
    await saved(site.pool, campaign(), campaign("winter"), campaign("promo", kind="PROMOTION", discount=None))
    own, other = await hand_in(site, "code\nA-1\n"), await hand_in(site, "code\nB-1\n", "winter")
    mine, looks = await signed_in(site, "editor"), await signed_in(site)
    page = await mine.ask("GET", f"{LIST}/spring")
    assert (ids(page.text), other in page.text) == ([own], False)
    (all_of_them,) = re.findall(r'<a href="([^"]+)">All files of codes for it</a>', page.text)
    assert ids((await mine.ask("GET", html.unescape(all_of_them))).text) == [own]
    (cancel,) = re.findall(r'<form class="acts" method="post" action="([^"]+)">', page.text)
    assert "Cancel" not in (await looks.ask("GET", f"{LIST}/spring")).text
    done = await mine.ask("POST", html.unescape(cancel), {"import": own, "back": f"{LIST}/spring"})
    assert (done.status, done.headers["location"]) == (303, f"{IMPORTS}?canceled=1")
    assert 'class="state canceled"' in (await mine.ask("GET", f"{LIST}/spring")).text
    assert "Files of codes" not in (await mine.ask("GET", f"{LIST}/promo")).text
