"""Files of codes and of customers that are handed in on pages, on a real PostgreSQL."""

from __future__ import annotations

import html
import re

import aiohttp
import pytest

from agents.clock import utc_now
from agents.wiring import Wiring
from console.control.imports import ImportWork
from console.web import import_new
from deploy.settings.settings import Settings
from tests.integration.test_codes import campaign, saved
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_builder import problems
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
LIST = "/p/shop/imports"
CODES, CUSTOMERS = f"{LIST}/codes", f"{LIST}/customers"


async def hand_in(mine: Browser, path: str, text: str | bytes | None, **fields: str) -> Page:
    form = aiohttp.FormData(fields)
    body = b"" if text is None else text.encode() if isinstance(text, str) else text
    form.add_field("file", body, filename="" if text is None else "a.csv", content_type="text/csv")
    return await mine.ask("POST", path, form)


def row(page: Page) -> str:
    return re.sub(r"<[^>]*>", " ", html.unescape(page.text.partition("<tbody>")[2].partition("</tr>")[0]))


async def test_a_file_of_codes_is_handed_in_added_and_its_progress_is_shown(site: Site, settings: Settings) -> None:
    await saved(site.pool, campaign())
    mine = await signed_in(site, "editor")
    assert f'href="{CODES}"' in html.unescape((await mine.ask("GET", LIST)).text)
    page = await mine.ask("GET", f"{CODES}?campaign=spring")
    assert (page.status, 'value="spring"' in page.text) == (200, True)
    done = await hand_in(mine, CODES, "\ufeffcode\r\nA-1\r\nA-2\r\n", campaign="spring")
    assert (done.status, done.headers.get("location", "").startswith(f"{LIST}?began=")) == (303, True), problems(done)
    page = await mine.ask("GET", done.headers["location"])
    assert ("It is handed in" in page.text, "waiting" in row(page)) == (True, True)
    work = ImportWork(site.pool, Wiring(settings), "w", utc_now)
    assert await work.work()
    assert re.findall(r"done|\b2\b", row(await mine.ask("GET", LIST))) == ["done", "2", "2"]
    codes = await site.pool.fetchval("select count(*) from codes")
    assert codes == 2
    (logged,) = await site.pool.fetch("select actor from audit_log where action = 'codes.import_begun'")
    assert logged["actor"].startswith("user:")


async def test_what_is_wrong_is_told_by_line_and_nothing_is_handed_in(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(site.pool, campaign())
    mine = await signed_in(site, "editor")
    wrong = await hand_in(mine, CODES, f"code\nA-1\n{'x' * 300}\n", campaign="spring", as_written="yes")
    assert (wrong.status, any("File, line 3: " in one for one in problems(wrong))) == (422, True), problems(wrong)
    assert ('value="spring"' in wrong.text, 'value="yes" checked' in wrong.text) == (True, True)
    for text, name, field in (
        ("code\nA\n", "", "campaign"), ("code\nA\n", "nothing", "campaign"), (None, "spring", "file"),
        ("", "spring", "file"), (f"{EVIL}\n1\n", "spring", "file"), (b"\xff\xfe\x00", "spring", "file"),
    ):  # fmt: skip
        refused = await hand_in(mine, CODES, text, campaign=name)
        assert (refused.status, f'href="#{field}"' in refused.text, "<script>" in refused.text) == (422, True, False), (
            name
        )
    monkeypatch.setattr(import_new, "MOST_BYTES", 1000)
    assert (await hand_in(mine, CODES, "code\n" + "A\n" * 1000, campaign="spring")).status == 413
    assert await site.pool.fetchval("select count(*) from imports") == 0


async def test_lines_of_customers_that_are_wrong_are_skipped_only_where_that_is_asked_for(site: Site) -> None:
    mine = await signed_in(site, "editor")
    text = "id,email\nc1,ann@shop.example\nc2,not an address\n,x@shop.example\n"
    wrong = await hand_in(mine, CUSTOMERS, text)
    assert (wrong.status, [one for one in problems(wrong) if "line 4" in one] != []) == (422, True), problems(wrong)
    assert (await hand_in(mine, CUSTOMERS, text, skip_wrong="yes")).status == 303
    page = await mine.ask("GET", LIST)
    assert ("customers" in row(page), "ann@" in page.text) == (True, False)


async def test_those_who_may_not_see_no_form(site: Site) -> None:
    await saved(site.pool, campaign())
    looks, runs = await signed_in(site), await signed_in(site, "operator")
    assert "Hand in" not in (await looks.ask("GET", LIST)).text
    assert re.findall(r"Hand in a file of (\w+)", (await runs.ask("GET", LIST)).text) == ["customers"]
    assert "Hand in" not in (await looks.ask("GET", "/p/shop/campaigns/spring")).text
    for who, path in ((looks, CODES), (looks, CUSTOMERS), (runs, CODES)):
        assert (await hand_in(who, path, "code\nA\n", campaign="spring")).status == 403
    assert await site.pool.fetchval("select count(*) from imports") == 0
