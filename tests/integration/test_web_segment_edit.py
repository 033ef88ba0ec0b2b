"""Segments that are made, edited and removed on pages, over real HTTP and on a real PostgreSQL."""

from __future__ import annotations

import html
import re
from typing import Any

import msgspec

from agents.clock import utc_now
from console.control import segments
from schemas.managed import GitSource, ManagedThing, Mark
from store.managed import Managed, Marking
from store.segment_transaction import Profile
from store.segments import Segments
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_builder import post, problems, text_of
from tests.integration.test_web_distribution import save
from tests.integration.test_web_projects import EVIL, apply, signed_in, site

__all__ = ["site"]
NEW, EDIT, REMOVE = (f"/p/shop/segments/{one}" for one in ("new", "poland/edit", "poland/remove"))
TEXT = """# ours
segment: poland
when:
  customer.metadata.country: PL   # theirs
"""


async def profiles(site: Site, *countries: Any) -> None:
    async with Segments(site.pool).transaction() as work:
        rows = [
            Profile(f"c{number}", 0, 1, msgspec.json.encode({"id": f"c{number}", "metadata": {"country": one}}))
            for number, one in enumerate(countries)
        ]
        await work.put_customers("shop", rows)


async def saved(mine: Browser, text: str = TEXT, path: str = NEW, seen: int = 0) -> None:
    done = await post(mine, path, "save", text, seen)
    assert (done.status, done.headers.get("location")) == (303, "/p/shop/segments/poland?saved=1"), problems(done)


async def kept(site: Site) -> tuple[int, str]:
    definition, source = (await Segments(site.pool).sources("shop"))["poland"]
    return definition.version, source


def counted(page: Page) -> str:
    return re.sub(r"<[^>]*>", "", page.text.partition("Whom it would have now</h2>")[2].partition("</p>")[0]).strip()


async def test_one_is_made_by_rows_counted_and_then_saved(site: Site) -> None:
    await profiles(site, "PL", "PL", "DE", 7)
    mine = await signed_in(site, "editor")
    assert f'href="{NEW}"' in html.unescape((await mine.ask("GET", "/p/shop/segments")).text)
    form: Any = {"segment": "poland", "name": f"Poland {EVIL}", "when_0_path": "customer.metadata.country",
            "when_0_test": "starts_with", "when_0_value": "P"}  # fmt: skip
    page = await post(mine, NEW, "next", text_of(await mine.ask("GET", NEW)), step="form", **form)
    assert (page.status, "<script>" in page.text) == (200, False)
    assert counted(page) == "2, of 4 customers in all."
    assert "1 that it cannot judge" in page.text
    assert re.findall(r"<code>(c\d)</code>", page.text) == ["c3"]
    assert await Segments(site.pool).ids("shop") == [], "nothing is saved by counting"
    again = await post(mine, NEW, "go:form", text_of(page))
    assert re.findall(r'id="when_0_value"[^>]* value="([^"]*)"', again.text) == ["P"]
    await saved(mine, text_of(page))
    await saved(mine, text_of(page))
    found = (await segments.find(site.pool, "shop", "poland")).definition
    assert (found.version, found.when) == (1, {"customer.metadata.country": {"starts_with": "P"}})


async def test_what_is_wrong_is_told_at_its_field_and_nothing_typed_is_lost(site: Site) -> None:
    mine = await signed_in(site, "editor")
    form: Any = {
        "segment": "no spaces",
        "when_0_path": "customer.age",
        "when_0_test": "at_least",
        "when_0_value": "old",
    }
    page = await post(mine, NEW, "next", "segment:\n", step="form", **form)
    assert page.status == 422
    assert {one.partition(":")[0] for one in problems(page)} == {"Id", "Value"}
    for name, text in (("segment", "no spaces"), ("when_0_path", "customer.age"), ("when_0_value", "old")):
        assert re.findall(rf'id="{name}"[^>]* value="([^"]*)"', page.text) == [text]
    wrong = "segment: poland\nwhen: {customer.metadata.country: {starts_with: 7}}\n"
    for do in ("check", "save"):
        page = await post(mine, NEW, do, wrong)
        assert (page.status, text_of(page)) == (422, wrong)
        assert 'line 2, when."customer.metadata.country".starts_with' in "".join(problems(page))
    for text in ("", "- 1\n", "segment: a\n---\nsegment: b\n", "segment: {\n"):
        assert (await post(mine, NEW, "save", text)).status == 422, text
    assert await Segments(site.pool).ids("shop") == []


async def test_an_edit_changes_its_keys_alone_and_only_what_was_looked_at(site: Site) -> None:
    mine = await signed_in(site, "editor")
    await saved(mine)
    assert (await post(mine, NEW, "save", TEXT.replace("PL", "DE"))).status == 422, "its id is taken"
    page = await mine.ask("GET", EDIT)
    page = await post(mine, EDIT, "next", text_of(page), 1, step="form", when_0_path="customer.metadata.country",
                      when_0_test="is", when_0_value="DE")  # fmt: skip
    assert "# ours\n" in text_of(page), "what has no field stays as it is"
    await saved(mine, text_of(page), EDIT, 1)
    assert (await kept(site))[0] == 2
    late = await post(mine, EDIT, "save", TEXT.replace("PL", "FR"), 1)
    assert (late.status, text_of(late), 'value="over:2"' in late.text) == (409, TEXT.replace("PL", "FR"), True)
    done = await post(mine, EDIT, "over:2", text_of(late), 1)
    assert (done.status, await kept(site)) == (303, (3, TEXT.replace("PL", "FR")))
    renamed = await post(mine, EDIT, "save", TEXT.replace("poland", "other"), 3)
    assert (renamed.status, await Segments(site.pool).ids("shop")) == (422, ["poland"])


async def test_a_list_and_what_customers_did_are_counted_as_far_as_that_is_known(site: Site) -> None:
    await profiles(site, "PL")
    mine = await signed_in(site, "editor")
    page = await post(mine, NEW, "check", "segment: testers\nmembers: [c1, c2, c7]\n")
    assert counted(page) == "3, of 1 customers in all."
    assert "stands in the YAML" in (await post(mine, NEW, "go:form", text_of(page))).text
    did = "segment: buyers\nwhen: {events: {type: customer.order.paid, within: 30d, count: {at_least: 2}}}\n"
    page = await post(mine, NEW, "check", did)
    assert (page.status, "nobody is in it before" in counted(page)) == (200, True), problems(page)


async def test_one_is_forgotten_where_nothing_uses_it(site: Site) -> None:
    mine, looks = await signed_in(site, "editor"), await signed_in(site)
    await saved(mine)
    shown = "/p/shop/segments/poland"
    assert "Forget it" in (await mine.ask("GET", shown)).text
    for path in (shown, "/p/shop/segments"):
        assert not re.findall("Forget it|>Edit<|New segment", (await looks.ask("GET", path)).text)
    for path in (EDIT, NEW, REMOVE):
        assert (await looks.ask("POST", path, {"sure": "yes"})).status == 403
    assert (await mine.ask("POST", REMOVE, {})).status == 422
    await apply(site, "winback", trigger={"event": "customer.segment.entered", "segment": "poland"}, when=None)
    used = await mine.ask("POST", REMOVE, {"sure": "yes"})
    assert (used.status, "is used by winback" in used.text) == (422, True)
    await save(site, 2, "", distribution="winback", status="STOPPED")
    assert (await mine.ask("POST", REMOVE, {"sure": "yes"}, sec_fetch_site="cross-site")).status == 403
    done = await mine.ask("POST", REMOVE, {"sure": "yes"})
    assert (done.status, "It is forgotten" in (await mine.ask("GET", done.headers["location"])).text) == (303, True)
    assert (await mine.ask("POST", REMOVE, {"sure": "yes"})).status == 404
    (row,) = await site.pool.fetch("select actor from audit_log where action = 'segment.removed'")
    assert row["actor"].startswith("user:")


async def test_what_is_managed_from_git_is_changed_here_only_all_the_same(site: Site) -> None:
    mine = await signed_in(site, "editor")
    await saved(mine)
    thing = ManagedThing("shop", "segment", "poland")
    mark = Mark(thing, GitSource("shop.git", "abc"), "hash", 1, "ann", utc_now())
    await Managed(site.pool).put(Marking([mark]), by="ann")
    refused = await post(mine, EDIT, "save", TEXT.replace("PL", "DE"), 1)
    assert (refused.status, "managed from Git" in refused.text, 'value="override"' in refused.text) == (422, True, True)
    assert (await mine.ask("POST", REMOVE, {"sure": "yes"})).status == 422
    assert (await post(mine, EDIT, "override", text_of(refused), 1)).status == 303
    assert (await kept(site))[0] == 2
    assert (await mine.ask("POST", REMOVE, {"sure": "yes", "override": "yes"})).status == 303
