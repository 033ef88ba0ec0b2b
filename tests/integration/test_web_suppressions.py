"""The suppression list on a page, over real HTTP and on a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import Any
from urllib.parse import urlsplit

from schemas.suppression import NewSuppression, address_keys
from store.sending.suppressions import Suppressions
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
LIST = "/p/shop/suppressions"
ANN = "ann+news@private.example"


def keys(page: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'<th scope="row"><code>([^<]*)</code>', page)]


def problems(page: Page) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'<li><a href="#\w+">([^<]*)</a></li>', page.text)]


async def add(mine: Browser, *written: str, **more: str) -> Page:
    return await mine.ask("POST", LIST, {"keys": "\r\n".join(written), **more})


async def have(site: Site, *written: str, project: str = "shop", **more: Any) -> None:
    entries = [NewSuppression(project, one, "requested", more.get("source", "x"), "ann") for one in written]
    await Suppressions(site.pool).add(entries)


async def test_what_a_form_adds_is_what_senders_look_for(site: Site) -> None:
    mine = await signed_in(site, "operator")
    done = await add(mine, "ANN+News@Private.example ", "", "+48 600 100 200", "*.Spam.example", source="ticket 4711",
                     on="email", why="complained", until="2099-01-01")  # fmt: skip
    assert (done.status, done.headers["location"]) == (303, f"{LIST}?added=3&of=3")
    (entry,) = await Suppressions(site.pool).find("shop", address_keys("email", ANN))
    assert (entry.key, entry.channel, entry.reason, entry.source) == (ANN, "email", "complained", "ticket 4711")
    assert entry.added_by.startswith("user:")
    page = await mine.ask("GET", done.headers["location"])
    assert "Added, or made to last longer: 3 of 3." in page.text
    assert sorted(keys(page.text)) == ["*.spam.example", "+48600100200", ANN]
    again = await add(mine, ANN, on="email", until="2098-01-01")
    assert (
        "Added, or made to last longer: 0 of 1. The others are on the list for as long already."
        in (await mine.ask("GET", again.headers["location"])).text
    )
    audited = await site.pool.fetch("select actor, change::text from audit_log where action = 'suppressions.added'")
    assert [row["actor"] for row in audited] == [entry.added_by]
    assert ANN not in audited[0]["change"]
    assert ANN not in str(site.logged), "an address is in no log"


async def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_done(site: Site) -> None:
    mine = await signed_in(site, "editor")
    wrong = await add(mine, "ann@shop.example", "not an address at all", "bob@@shop.example")
    assert wrong.status == 422
    assert [one.partition(":")[0] for one in problems(wrong)] == ["Addresses in line 2", "Addresses in line 3"]
    assert "not an address at all" in wrong.text, "what was written is there to be mended"
    fields = await add(mine, "ann@shop.example", on="emial", why="x", until="never", source="x" * 201)
    assert [one.partition(":")[0] for one in problems(fields)] == ["Where it comes from", "Why", "On", "Until"]
    for form in ({}, {"keys": " \r\n "}, {"keys": "\r\n".join(f"a{n}@b.example" for n in range(501))}):
        assert (await mine.ask("POST", LIST, form)).status == 422
    assert keys((await mine.ask("GET", LIST)).text) == []


async def test_what_covers_an_address_is_found_and_taken_away(site: Site) -> None:
    await have(site, ANN, "private.example", "bob@shop.example")
    await have(site, ANN, project="outlet")
    mine = await signed_in(site, "operator")
    page = await mine.ask("POST", f"{LIST}/find", {"key": " Ann+News@private.example"})
    assert (page.status, ANN in page.headers.get("location", "")) == (200, False)
    found = page.text.partition("What covers <code>")[2].partition("All of them")[0]
    assert sorted(keys(found)) == [ANN, "private.example"]
    assert "Send to it again" in found
    refused = await mine.ask("POST", f"{LIST}/remove", {"key": ANN, "channel": "emial"})
    assert refused.status == 422, "a channel that is not one does not stand for every one"
    assert (await mine.ask("POST", f"{LIST}/remove", {"key": ANN, "channel": "email"})).status == 422
    gone = await mine.ask("POST", f"{LIST}/remove", {"key": ANN})
    assert (gone.status, gone.headers["location"]) == (303, f"{LIST}?removed=1")
    assert sorted(keys((await mine.ask("GET", LIST)).text)) == ["bob@shop.example", "private.example"]
    assert await Suppressions(site.pool).find("outlet", [ANN])
    again = await mine.ask("POST", f"{LIST}/remove", {"key": ANN})
    assert (again.status, "What covers it: private.example" in html.unescape(again.text)) == (422, True)
    other = await mine.ask("POST", f"{LIST}/find", {"key": "eve@shop.example"})
    assert "It is not suppressed." in other.text
    wrong = await mine.ask("POST", f"{LIST}/find", {"key": "x y"})
    assert (wrong.status, problems(wrong) != []) == (422, True)


async def test_another_site_and_those_who_may_not_change_nothing(site: Site) -> None:
    await have(site, ANN)
    mine, looks = await signed_in(site, "operator"), await signed_in(site)
    forged = {"sec_fetch_site": "cross-site"}
    for path, form in ((LIST, {"keys": "eve@shop.example"}), (f"{LIST}/remove", {"key": ANN})):
        assert (await mine.ask("POST", path, form, **forged)).status == 403
        assert (await looks.ask("POST", path, form)).status == 403
    page = await looks.ask("GET", LIST)
    assert keys(page.text) == [ANN]
    actions = map(html.unescape, re.findall(r'action="([^"]*)"', page.text.partition("<main")[2]))
    assert [urlsplit(one).path for one in actions] == [f"{LIST}/find", LIST]


async def test_the_list_is_filtered_paged_and_a_file(site: Site) -> None:
    await have(site, *(f"a{n:03}@shop.example" for n in range(120)), source="=1+1")
    await have(site, "theirs@shop.example", project="outlet")
    mine, path, seen = await signed_in(site), LIST, list[str]()
    while path:
        text = (await mine.ask("GET", path)).text
        seen += keys(text)
        following = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = html.unescape(following[1]) if following else ""
    assert sorted(seen) == [f"a{n:03}@shop.example" for n in range(120)]
    assert keys((await mine.ask("GET", f"{LIST}?reason=bounced")).text) == []
    assert len(keys((await mine.ask("GET", f"{LIST}?reason=requested")).text)) == 50
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text)))
    assert ([row["key"] for row in rows], {row["source"] for row in rows}) == (seen, {"'=1+1"})
    for query in ("?channel=emial", "?reason=x", "?cursor=x", "?cursor=WzFd"):
        assert (await mine.ask("GET", LIST + query)).status == 422, query


async def test_whatever_comes_from_outside_is_text(site: Site) -> None:
    await have(site, "a@shop.example", source=EVIL)
    mine = await signed_in(site, "operator")
    pages = [await mine.ask("GET", LIST), await add(mine, EVIL, source=EVIL, until=EVIL, on=EVIL)]
    pages.append(await mine.ask("POST", f"{LIST}/find", {"key": EVIL}))
    pages.append(await mine.ask("GET", f"{LIST}?added=<script>&of=1"))
    for page in pages:
        assert "<script>" not in page.text
        shown = re.sub(r'(?<=>)[^<]*(?=</textarea>)|value="[^"]*"', "", page.text)
        assert "\u202e" not in shown
