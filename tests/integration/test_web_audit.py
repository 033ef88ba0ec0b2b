"""The audit log on a page, over real HTTP and on a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from typing import Any

import pytest

from console.control.user_links import actor_of
from console.web import projects
from console.web.tables import address as address_of
from schemas.audit import AuditAction, AuditEntry
from schemas.formats.cursors import write_cursor
from store import audit
from store.users import Users
from tests.integration.test_web import Browser, Site
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
LIST = "/p/shop/audit"


async def changed(site: Site, *things: str, action: AuditAction = "distribution.changed", **more: Any) -> None:
    given = {"project_id": "shop", "actor": "ann", **more}
    entries = [AuditEntry(action=action, thing=thing, **given) for thing in things]
    async with site.pool.acquire() as connection, connection.transaction():
        await audit.write(connection, *entries)


def things(page: str) -> list[str]:
    found = re.findall(r'<td class="thing">(?:<a href="[^"]*">)?<code>(.*?)</code>', page)
    return [html.unescape(one) for one in found]


async def asked(mine: Browser, **query: str) -> list[str]:
    page = await mine.ask("GET", address_of(LIST, query))
    assert page.status == 200, query
    return things(page.text)


async def test_a_change_tells_who_did_what_to_which_thing(site: Site) -> None:
    await changed(site, "thanks", version=3, change={"before": {"priority": 1}, "after": {"priority": 9}})
    page = await (await signed_in(site, "operator")).ask("GET", LIST)
    assert (page.status, page.title) == (200, "Audit log")
    row = next(html.unescape(one) for one in page.text.split("<tr>") if "thanks" in one)
    link = '<a href="/p/shop/distributions/thanks">'
    for said in ("<code>distribution.changed</code>", link, " v3", "<bdi>ann</bdi>", "<bdi>priority</bdi>",
                 '"priority": 9'):  # fmt: skip
        assert said in row, said
    assert "user.signed_in" in page.text, "a request tells where it came from"
    assert '<bdi>Jo &amp; Co</bdi> <code class="id">user:' in page.text, (
        "a user has a name, and the id that is asked for"
    )
    assert "from 127.0.0.1" in page.text


async def test_the_log_is_filtered_by_its_address(site: Site) -> None:
    await changed(site, "a", "b")
    await changed(site, "a", action="segment.created", actor="key:ci")
    mine = await signed_in(site, "operator")
    assert await asked(mine, action="distribution") == ["b", "a"]
    assert await asked(mine, action="segment.created") == ["a"]
    assert await asked(mine, thing="b") == ["b"]
    assert await asked(mine, actor="key:ci", since="1h") == ["a"]
    assert await asked(mine, thing="a", until="1h") == []
    assert "Nothing fits" in (await mine.ask("GET", f"{LIST}?thing=c")).text
    places = ("x", *map(write_cursor, (2**70, -1, "a")))
    for query in ("?action=segmnt", "?since=x", "?until=2026-13-01", "?thing=%00", "?actor=" + "x" * 300,
                  *(f"?cursor={one}" for one in places)):  # fmt: skip
        wrong = [await mine.ask("GET", LIST + suffix + query) for suffix in ("", ".json", ".csv")]
        assert [one.status for one in wrong] == [422] * 3, query
        assert "There is a problem" in wrong[0].text, query
    assert "Did you mean &quot;segment&quot;?" in (await mine.ask("GET", f"{LIST}?action=segmnt")).text


async def test_pages_and_files_hold_every_row_once(site: Site) -> None:
    await changed(site, *(f"t{number}" for number in range(120)))
    mine, path, seen = await signed_in(site, "operator"), f"{LIST}?action=distribution", list[str]()
    while path:
        page = html.unescape((await mine.ask("GET", path)).text)
        seen += things(page)
        following = re.search(r'<a href="([^"]+)" rel="next">', page)
        path = following[1] if following else ""
        if len(seen) == 50:
            await changed(site, "meanwhile")
    assert seen == [f"t{number}" for number in reversed(range(120))]
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv?action=distribution")).text)))
    assert [row["thing"] for row in rows] == ["meanwhile", *seen]
    first = json.loads((await mine.ask("GET", f"{LIST}.json?action=distribution")).text)
    assert [one["thing"] for one in first["items"]] == ["meanwhile", *seen][:50]
    second = json.loads((await mine.ask("GET", f"{LIST}.json?action=distribution&cursor={first['next']}")).text)
    assert second["items"][0]["thing"] == seen[49]


async def test_whatever_stands_in_the_log_is_text(site: Site) -> None:
    await changed(site, EVIL, "=HYPERLINK(1)", actor=f"+{EVIL}", change={"after": {EVIL: EVIL, "at": "@x"}})
    await changed(site, "theirs", project_id="outlet")
    mine = await signed_in(site, "operator")
    page = await mine.ask("GET", LIST)
    assert "<script>" not in page.text
    assert "\u202e" not in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "theirs" not in page.text
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text)))
    assert {row["thing"] for row in rows} >= {EVIL, "'=HYPERLINK(1)"}
    assert not [cell for row in rows for cell in row.values() if cell[:1] in tuple("=+-@\t\r")]
    assert [
        one["change"] for one in json.loads((await mine.ask("GET", f"{LIST}.json?thing=%3DHYPERLINK(1)")).text)["items"]
    ] == [{"after": {EVIL: EVIL, "at": "@x"}}]


async def test_names_of_users_are_read_once_for_pages_that_follow_each_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, of_project, at = list[str](), Users.of_project, [100.0]

    async def counted(users: Users, project_id: str) -> Any:
        read.append(project_id)
        return await of_project(users, project_id)

    monkeypatch.setattr(Users, "of_project", counted)
    monkeypatch.setattr(projects, "monotonic", lambda: at[0])
    mine = await signed_in(site, "admin")
    for path in (LIST, f"{LIST}.csv", "/p/shop/distributions", "/p/shop/imports"):
        assert (await mine.ask("GET", path)).status == 200
    assert read == ["shop"]
    other = await signed_in(site, "approver")
    await site.pool.execute("update users set display_name = 'Kim' where email = 'approver@shop.example'")
    kim = await site.users.find("approver@shop.example")
    assert kim is not None
    await changed(site, "thanks", actor=actor_of(kim.user_id))
    named = "<bdi>Kim</bdi>"
    assert [named in (await one.ask("GET", LIST)).text for one in (mine, other)] == [False, True], "but one's own"
    at[0] += projects._NAMES_SECONDS + 1
    assert (named in (await mine.ask("GET", LIST)).text, read) == (True, ["shop", "shop"])
