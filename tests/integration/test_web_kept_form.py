"""Forms that come after their session has ended, over real HTTP: nothing typed is lost, and nothing is done."""

from __future__ import annotations

import html
import re

import aiohttp

from console.web import kept_form
from store.accounts import Accounts
from store.segments import Segments
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_builder import problems
from tests.integration.test_web_projects import EVIL, signed_in, site
from tests.integration.test_web_segment_edit import NEW, TEXT

__all__ = ["site"]


def again(page: Page) -> tuple[str, str, dict[str, str]]:
    """The address of the form on the page, how it is sent, and its fields."""
    found = re.search(r'<form method="post" action="([^"]*)" enctype="([^"]*)">', page.text)
    assert found, page.text
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    given = {html.unescape(name): html.unescape(value) for name, value in fields}
    return html.unescape(found[1]), html.unescape(found[2]), given


async def over(mine: Browser, site: Site) -> None:
    """End the session of a browser elsewhere."""
    await site.pool.execute("delete from sessions")
    assert (await mine.ask("GET", "/")).status == 303


async def test_a_form_is_sent_again_by_whoever_signs_in_then(site: Site) -> None:
    mine = await signed_in(site, "editor")
    await over(mine, site)
    text = TEXT.replace("ours", EVIL)
    typed = {"yaml": text, "seen": "0", "step": "yaml", "do": "save"}
    page = await mine.ask("POST", NEW, typed)
    assert (page.status, page.title, "<script" in page.text) == (401, "You are signed out", False)
    assert await Segments(site.pool).ids("shop") == []
    path, kind, given = again(page)
    assert (path, kind, given) == (NEW, "application/x-www-form-urlencoded", typed)
    assert (await mine.ask("POST", path, given)).status == 401, "as often as it is sent"
    other = site.browser()
    await site.add("viewer@shop.example", "viewer", "shop")
    await other.sign_in(email="viewer@shop.example")
    assert (await other.ask("POST", path, given)).status == 403, "it is judged by whoever sends it"
    await mine.sign_in(email="editor@shop.example")
    assert (await mine.ask("POST", path, given)).status == 303
    assert await Segments(site.pool).ids("shop") == ["poland"]


async def test_what_is_secret_and_files_are_on_no_page_and_nothing_is_done_without_them(site: Site) -> None:
    mine, path = await signed_in(site, "admin"), "/p/shop/accounts/new?channel=email"
    await over(mine, site)
    typed = {"name": "main", "field_host": "mail.shop.example", "field_sender": "a@shop.example"}
    page = await mine.ask("POST", path, typed | {"secret_password": "pl4nted-pa55word"})
    assert (page.status, "pl4nted" in page.text, "password" in page.text) == (401, False, True)
    await mine.sign_in(email="admin@shop.example")
    path, _, given = again(page)
    asked = await mine.ask("POST", path, given)
    assert (asked.status, problems(asked)) == (
        422, ["What is secret was not kept: type it again. Nothing was done"]
    )  # fmt: skip
    assert (await Accounts(site.pool).of_project("shop"), 'value="mail.shop.example"' in asked.text) == ([], True)
    await over(mine, site)
    form = aiohttp.FormData({"campaign": "spring"})
    form.add_field("file", b"code\nA\n", filename="a.csv", content_type="text/csv")
    page = await mine.ask("POST", "/p/shop/imports/codes", form)
    assert (page.status, "<b>file</b>" in page.text) == (401, True)
    assert again(page)[1:] == ("multipart/form-data", {"campaign": "spring", "lost": "yes"})


async def test_where_there_is_nothing_to_keep_or_too_much_one_is_sent_to_sign_in(site: Site) -> None:
    mine = site.browser()
    for path, form in (("/p/shop/users", {}), ("/p/shop/users", {"step": ""}), ("/password", {"current": "pl4nted"})):
        out = await mine.ask("POST", path, form)
        assert (out.status, out.headers["location"]) == (303, "/sign-in"), path
    large = {"yaml": "x" * (kept_form.MOST_BYTES + 1)}
    assert (await mine.ask("POST", NEW, large)).status == 303
    assert (await mine.ask("POST", NEW, {"yaml": "x"}, sec_fetch_site="cross-site")).status == 403
