"""Everything of a project found on one page over real HTTP: by the user's own rights, on a real PostgreSQL."""

from __future__ import annotations

import html
import re

import pytest

from agents.clock import utc_now
from schemas.access import AccessRole
from schemas.segment import SegmentDefinition
from store.segments import Segments
from tests.integration.test_codes import campaign, saved
from tests.integration.test_customer_search import PEOPLE
from tests.integration.test_customer_search import put as known
from tests.integration.test_named_templates import named, save
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_projects import EVIL, apply, signed_in, site

__all__ = ["site"]
SEARCH = "/p/shop/search"
LINK = re.compile(r'<li><a href="([^"]*)"><bdi>(.*?)</bdi>')


def links(page: Page) -> dict[str, str]:
    """The addresses that were found, by their texts."""
    found = html.unescape(page.text.partition('<div id="found">')[2])
    return {text: path for path, text in LINK.findall(found)}


async def ask(mine: Browser, text: str) -> Page:
    return await mine.ask("POST", SEARCH, {"text": text})


async def furnish(site: Site, project: str = "shop", name: str = "Kowalska") -> None:
    """One thing of each kind whose name has a text in it."""
    await apply(site, f"{name.lower()}-paid", project=project, name=f"Thanks, {name}")
    rule = SegmentDefinition(
        id=f"{name.lower()}-fans", project_id=project, name=f"{name} fans", version=1, members=["c1"],
        updated_at=utc_now(),
    )  # fmt: skip
    await Segments(site.pool).save([(rule, "segment: x\n")], applied_by="ann", now=utc_now())
    await saved(site.pool, campaign(f"{name.lower()}-codes", project_id=project, name=f"{name} codes"))
    await save(site.pool, named(f"{name.lower()}-mail", project=project))


async def test_whatever_has_a_name_is_found_by_a_part_of_it(site: Site) -> None:
    await furnish(site)
    await known(site.pool, PEOPLE)
    mine = await signed_in(site)
    page = await ask(mine, "KOWALSKA")
    assert (page.status, page.title) == (200, "Search")
    assert links(page) == {
        "Thanks, Kowalska": "/p/shop/distributions/kowalska-paid",
        "Kowalska fans": "/p/shop/segments/kowalska-fans",
        "kowalska-mail": "/p/shop/templates/kowalska-mail",
        "Kowalska codes": "/p/shop/campaigns/kowalska-codes",
        "Anna Maria Kowalska": "/p/shop/customers?id=c1",
        "Kowalska-Nowak Ewa": "/p/shop/customers?id=c2",
    }
    assert "Found: 6." in page.text
    for path in links(page).values():
        assert (await mine.ask("GET", path)).status == 200, path
    assert links(await ask(mine, "seg")) == {"Segments": "/p/shop/segments"}
    nothing = await ask(mine, "<script>")
    assert (links(nothing), "Nothing fits." in nothing.text, "<script>alert" in nothing.text) == ({}, True, False)


async def test_another_project_is_in_no_answer(site: Site) -> None:
    await furnish(site, "outlet", "Theirs")
    await known(site.pool, [{"id": "c9", "name": "Theirs"}], project="outlet")
    mine = await signed_in(site)
    assert links(await ask(mine, "theirs")) == {}
    theirs = await signed_in(site, project="outlet")
    assert len(links(await theirs.ask("POST", "/p/outlet/search", {"text": "theirs"}))) == 5
    assert (await mine.ask("POST", "/p/outlet/search", {"text": "theirs"})).status == 404


@pytest.mark.parametrize(("role", "is_there"), [("viewer", False), ("editor", False), ("admin", True)])
async def test_pages_are_those_of_the_role(site: Site, role: AccessRole, is_there: bool) -> None:
    mine = await signed_in(site, role)
    for page in (await mine.ask("GET", SEARCH), await ask(mine, "se")):
        assert ("Users" in links(page), "Segments" in links(page)) == (is_there, True)


async def test_what_cannot_be_sought_says_so_and_stays_in_the_form(site: Site) -> None:
    mine = await signed_in(site)
    for text in ("", "  ", "x" * 201, "\0"):
        page = await ask(mine, text)
        assert (page.status, "1 to 200 characters" in page.text) == (422, True), text
    assert (await mine.ask("POST", SEARCH, {"text": "a"}, sec_fetch_site="cross-site")).status == 403
    assert "?" not in re.findall(r'<form[^>]*role="search"[^>]*>', page.text)[0], "what is sought is in no address"


async def test_names_from_outside_stay_texts_and_more_than_a_few_are_counted(site: Site) -> None:
    await apply(site, *(f"many-{number}" for number in range(11)), name=f"Many {EVIL}")
    await apply(site, "many-old", name="Many", status="ARCHIVED")
    page = await ask(await signed_in(site), "many")
    assert ("<script>alert" in page.text, "\u202e" in page.text) == (False, False)
    assert ("many-old, archived" in page.text, "And 4 others." in page.text) == (True, True)
    assert "Found: 8, and more" in page.text
