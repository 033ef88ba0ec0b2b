"""The brand of a project in a form, on a real PostgreSQL."""

from __future__ import annotations

import html
import re

from store.projects import Projects
from tests.integration.test_web import Browser, Site
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
PAGE = "/p/outlet/brand"
BRAND = {
    "name": "The Shop", "address": "Street 1, Town", "contact": "help@shop.example",
    "privacy_url": "https://shop.example/privacy", "terms_url": "https://shop.example/terms",
    "logo_url": "https://shop.example/logo.png", "permission_reminder": "You shopped with us.",
}  # fmt: skip


async def values(mine: Browser) -> dict[str, str]:
    page = await mine.ask("GET", PAGE)
    assert page.status == 200
    found = re.findall(r'<input id="(\w+)" name="\w+" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found if value}


async def stored(site: Site) -> tuple[int, str]:
    found = await Projects(site.pool).get("outlet")
    return (found.project.version, found.applied_by) if found else (0, "")


async def test_a_brand_is_written_and_changed_and_says_what_is_missing(site: Site) -> None:
    mine = await signed_in(site, "admin", "outlet")
    empty = await mine.ask("GET", PAGE)
    assert "E-mail cannot be sent before these are written: Name, Address, Contact, Privacy policy" in empty.text
    assert await values(mine) == {}
    saved = await mine.ask("POST", PAGE, {"seen": "0", **BRAND})
    assert (saved.status, "It is saved" in saved.text, "cannot be sent" in saved.text) == (200, True, False)
    assert await values(mine) == BRAND
    version, who = await stored(site)
    assert (version, who.startswith("user:")) == (1, True)
    again = await mine.ask("POST", PAGE, {"seen": "1", **BRAND})
    assert "Nothing differs" in again.text
    light = await mine.ask("POST", PAGE, {"seen": "1", **BRAND, "color": "#ffffff", "letters_color": "#eeeeee"})
    assert "has a contrast of" in light.text
    changed = await mine.ask("POST", PAGE, {"seen": "2", **BRAND, "name": "Shop & Sons", "address": ""})
    assert "before these are written: Address" in changed.text
    assert (await values(mine))["name"] == "Shop & Sons"
    assert (await stored(site))[0] == 3


async def test_what_is_wrong_stands_at_its_field_and_keeps_what_was_typed(site: Site) -> None:
    mine = await signed_in(site, "admin", "outlet")
    wrong = {**BRAND, "seen": "0", "privacy_url": "shop", "color": "blue", "name": EVIL}
    page = await mine.ask("POST", PAGE, wrong)
    assert page.status == 422
    for name in ("privacy_url", "color"):
        assert f'id="{name}-error"' in page.text, name
    assert "Street 1, Town" in page.text and "<script>alert" not in page.text
    assert await stored(site) == (0, "")
    nul = await mine.ask("POST", PAGE, {"seen": "0", "name": "a\0b"})
    assert (nul.status, "U+0000" in nul.text) == (422, True)


async def test_the_second_of_two_is_told_and_loses_nothing_that_was_typed(site: Site) -> None:
    mine = await signed_in(site, "admin", "outlet")
    await mine.ask("POST", PAGE, {"seen": "0", **BRAND})
    late = await mine.ask("POST", PAGE, {"seen": "0", **BRAND, "name": "Another"})
    assert (late.status, "Somebody has changed the project meanwhile" in late.text) == (422, True)
    assert 'value="Another"' in late.text and 'name="seen" value="1"' in late.text
    assert (await values(mine))["name"] == "The Shop"


async def test_the_default_project_keeps_one_as_any_other_and_says_where_it_comes_from(site: Site) -> None:
    mine = await signed_in(site, "admin")
    assert "It comes from the settings" in (await mine.ask("GET", "/p/shop/brand")).text
    saved = await mine.ask("POST", "/p/shop/brand", {"seen": "0", **BRAND})
    assert (saved.status, "It was saved here" in saved.text, "It comes from" in saved.text) == (200, True, False)
    found = await Projects(site.pool).get("shop")
    assert found is not None and found.project.brand == BRAND
    shown = await mine.ask("GET", "/p/shop/settings")
    assert "It says its brand alone" in shown.text
    back = await mine.ask("POST", "/p/shop/brand", {"seen": "1", "do": "forget", "name": "Another"})
    assert ("That of the settings counts again" in back.text, "It comes from the settings" in back.text) == (True, True)
    found = await Projects(site.pool).get("shop")
    assert found is not None and (found.project.version, found.project.brand) == (2, None)


async def test_it_is_for_those_who_may_write_the_project(site: Site) -> None:
    for role in ("viewer", "operator"):
        mine = await signed_in(site, role, "outlet")
        assert (await mine.ask("GET", PAGE)).status == 403
        assert (await mine.ask("POST", PAGE, {"seen": "0", **BRAND})).status == 403
    assert await stored(site) == (0, "")
