"""The builder of distributions over real HTTP: drafts as YAML, what is wrong with them, and two who edit one."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from console.control import distributions
from console.control.document_texts import with_status
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.managed import GitSource, ManagedThing, Mark
from schemas.record import JsonObject
from store.managed import Managed, Marking
from tests.integration.api_client import wired
from tests.integration.test_web import Browser, Page, Site, running
from tests.integration.test_web_projects import EVIL, signed_in

NEW, EDIT = "/p/shop/distributions/new", "/p/shop/distributions/winback/edit"
DRAFT = """# for those who went away
distribution: winback
name: Win back
status: DRAFT

trigger:
  event: customer.segment.entered   # ours
  segment: lapsed
consent: marketing
channels:
  - webhook: {url: "https://hooks.example.com/x", type: winback}   # theirs
"""


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    with wired(settings, dsn, ("distributions",)) as wiring:
        async with running(wiring.settings, dsn, Web()) as one:
            yield one


def text_of(page: Page) -> str:
    """The document that a page's form brings along."""
    area = re.search(r'<textarea id="yaml"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    hidden = re.search(r'<input type="hidden" name="yaml" value="([^"]*)">', page.text)
    found = area or hidden
    assert found, page.text
    return html.unescape(found[1])


def problems(page: Page) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'<li><a href="#\w+">(.*?)</a></li>', page.text, re.DOTALL)]


async def post(mine: Browser, path: str, do: str, text: str, seen: int = 0, **more: Any) -> Page:
    form = {"yaml": text.replace("\n", "\r\n"), "seen": str(seen), "step": "yaml", "do": do, **more}
    return await mine.ask("POST", path, form)


async def written(site: Site, identity: str = "winback") -> tuple[int, str, str]:
    """Version, status and source of the newest one."""
    found = await distributions.find(site.pool, "shop", identity)
    kept = await distributions.version(site.pool, "shop", identity, found.version)
    return found.version, found.status, kept.source


async def saved(site: Site, mine: Browser, text: str = DRAFT) -> None:
    assert (await post(mine, NEW, "save", text)).status == 303
    assert (await written(site))[0] == 1


async def test_a_draft_is_written_checked_and_saved_as_it_was_written(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await mine.ask("GET", f"{NEW}?step=yaml")
    assert (page.status, page.title, text_of(page)) == (200, "New distribution", "status: DRAFT\n")
    checked = await post(mine, NEW, "check", DRAFT)
    assert (checked.status, "Nothing is wrong with it" in checked.text) == (200, True)
    assert "<bdi>DRAFT</bdi>" in checked.text.partition("Applying it")[2]
    assert await site.pool.fetchval("select count(*) from distribution_versions") == 0
    done = await post(mine, NEW, "save", DRAFT)
    assert (done.status, done.headers["location"]) == (303, f"{EDIT}?step=yaml&saved=1")
    assert await written(site) == (1, "DRAFT", DRAFT)
    again = await mine.ask("GET", done.headers["location"])
    assert ("It is saved, in version 1" in again.text, text_of(again)) == (True, DRAFT)
    actors = [row["actor"] for row in await site.pool.fetch("select actor from audit_log where thing = 'winback'")]
    assert [one.startswith("user:") for one in actors] == [True]


async def test_what_is_wrong_is_told_at_its_line_and_nothing_is_lost(site: Site) -> None:
    mine = await signed_in(site, "editor")
    text = DRAFT.replace("consent: marketing", "consent: marketng").replace("type: winback", "tipe: winback")
    for do in ("check", "save"):
        page = await post(mine, NEW, do, text)
        assert (page.status, text_of(page)) == (422, text)
        found = problems(page)
        assert {one.partition(":")[0] for one in found} >= {"line 9, consent", "line 11, channels[0].webhook.tipe"}
        assert any('Did you mean "marketing"?' in one for one in found)
        assert '<code class="written">consent: marketng</code>' in page.text
    for broken, said in (
        ("a: [", "line"), ("", "there is nothing here yet"), ("a: 1\n---\nb: 2\n", "there are 2 documents here"),
        ("- a\n", "must be a mapping"), ("a: \x00", "line"), (EVIL, "line"),
    ):  # fmt: skip
        page = await post(mine, NEW, "save", broken)
        assert (page.status, said in problems(page)[0], "<script>" in page.text) == (422, True, False), broken
    assert (await mine.ask("POST", NEW, {})).status == 422
    assert (await post(mine, NEW, "save", "x" * 600_000)).status == 413
    assert await site.pool.fetchval("select count(*) from distribution_versions") == 0


async def test_a_draft_stays_one_whatever_it_says_and_needs_an_id_of_its_own(site: Site) -> None:
    mine = await signed_in(site, "editor")
    await saved(site, mine, with_status(DRAFT, "LIVE"))
    assert await written(site) == (1, "DRAFT", DRAFT)
    taken = await post(mine, NEW, "save", DRAFT.replace("Win back", "Another"))
    assert (taken.status, "is there already, in version 1" in problems(taken)[0]) == (422, True)
    other = await post(mine, EDIT, "save", DRAFT.replace("winback\n", "other\n", 1), 1)
    assert (other.status, 'must be "winback"' in problems(other)[0]) == (422, True)
    assert await written(site) == (1, "DRAFT", DRAFT)


async def test_the_second_of_two_editors_is_told_and_loses_nothing(site: Site) -> None:
    mine, other = await signed_in(site, "editor"), await signed_in(site, "admin")
    await saved(site, mine)
    theirs, ours = DRAFT.replace("Win back", "Theirs"), DRAFT.replace("Win back", "Ours")
    assert (await post(other, EDIT, "save", theirs, 1)).status == 303
    page = await post(mine, EDIT, "save", ours, 1)
    assert (page.status, text_of(page)) == (409, ours)
    assert "Somebody else has changed it: it is in version 2 by now" in problems(page)[0]
    said = html.unescape(page.text)
    assert "name: Win back → Theirs" in said
    assert re.findall(r'<li class="(?:added|removed)">.*?<code>(.*?)</code>', said) == ["name: Theirs", "name: Ours"]
    assert (await post(mine, EDIT, "save", ours, 1)).status == 409, "asking again is not enough"
    assert (await written(site))[2] == theirs
    third = theirs.replace("Theirs", "Third")
    assert (await post(other, EDIT, "save", third, 2)).status == 303
    assert (await post(mine, EDIT, "over:2", ours, 1)).status == 409, "another version than the one that was shown"
    assert (await post(mine, EDIT, "over:3", ours, 1)).status == 303
    assert await written(site) == (4, "DRAFT", ours)


async def test_pressing_a_button_twice_saves_once(site: Site) -> None:
    mine = await signed_in(site, "editor")
    pages = [await post(mine, NEW, "save", DRAFT) for _ in range(2)]
    assert [page.headers.get("location") for page in pages] == [f"{EDIT}?step=yaml&saved=1"] * 2
    ours = DRAFT.replace("Win back", "Ours")
    pages = [await post(mine, EDIT, "save", ours, 1) for _ in range(2)]
    assert [page.headers.get("location") for page in pages] == [f"{EDIT}?step=yaml&saved=2"] * 2
    assert await site.pool.fetchval("select count(*) from distribution_versions") == 2
    long = await post(mine, EDIT, "save", ours + "# x" * 11_000, 2)
    assert (long.status, "use tidings apply" in long.text) == (422, True)


async def test_changing_what_is_live_is_for_those_who_may_set_live(site: Site) -> None:
    edits, decides = await signed_in(site, "editor"), await signed_in(site, "approver")
    await saved(site, edits)
    live = with_status(DRAFT, "LIVE").replace("type: winback", "type: live")
    found = await distributions.find(site.pool, "shop", "winback")
    await distributions.set_status(
        site.pool, "shop", found.id, "LIVE", lambda _: _nothing(), actor="ann", now=found.updated_at
    )
    page = await post(edits, EDIT, "save", live, 2)
    assert (page.status, "needs the role of an approver" in page.text, text_of(page)) == (422, True, live)
    assert (await written(site))[:2] == (2, "LIVE")
    shown = await decides.ask("GET", f"{EDIT}?step=yaml")
    assert "Save as version 3" in shown.text
    assert (await post(decides, EDIT, "save", live, 2)).status == 303
    assert await written(site) == (3, "LIVE", live)
    looks = await signed_in(site)
    assert (await looks.ask("GET", EDIT)).status == (await post(looks, EDIT, "save", DRAFT, 3)).status == 403
    for role, may in ((looks, False), (edits, True)):
        listed = html.unescape((await role.ask("GET", "/p/shop/distributions")).text)
        assert ("/p/shop/distributions/new" in listed) is may


async def _nothing() -> None:
    return None


async def test_what_is_managed_from_git_is_changed_by_those_alone_who_insist(site: Site) -> None:
    mine = await signed_in(site, "editor")
    await saved(site, mine)
    thing, now = (
        ManagedThing("shop", "distribution", "winback"),
        (await distributions.find(site.pool, "shop", "winback")).updated_at,
    )
    mark = Mark(thing, GitSource("shop.git", "abc"), "hash", 1, "ann", now)
    await Managed(site.pool).put(Marking([mark]), by="ann")
    ours = DRAFT.replace("Win back", "Ours")
    page = await post(mine, EDIT, "save", ours, 1)
    assert (page.status, "managed from Git (shop.git" in problems(page)[0], text_of(page)) == (422, True, ours)
    assert (await written(site))[0] == 1
    assert (await post(mine, EDIT, "override", ours, 1)).status == 303
    assert await written(site) == (2, "DRAFT", ours)
    actions = [row["action"] for row in await site.pool.fetch("select action from audit_log")]
    assert "managed.overridden" in actions


async def test_a_copy_is_a_draft_under_another_id(site: Site) -> None:
    mine = await signed_in(site, "editor")
    await saved(site, mine)
    for expected in ("winback-copy", "winback-copy-2"):
        page = await mine.ask("GET", f"{NEW}?from=winback&step=yaml")
        text = text_of(page)
        assert f"distribution: {expected}\n" in text
        assert (text.splitlines()[0], "name: Win back (copy)\n" in text) == (DRAFT.splitlines()[0], True)
        assert (await post(mine, NEW, "save", text)).status == 303
    assert (await mine.ask("GET", f"{NEW}?from=nothing")).status == 404


async def test_one_called_new_or_of_dots_is_edited_as_well(site: Site) -> None:
    mine = await signed_in(site, "editor")
    for name in ("new", ".."):
        done = await post(mine, NEW, "save", DRAFT.replace("winback\n", f"{name}\n", 1))
        path = f"/p/shop/distribution/edit?id={name}"
        assert (done.status, done.headers["location"]) == (303, f"{path}&step=yaml&saved=1")
        assert (await mine.ask("GET", f"/p/shop/distribution?id={name}")).status == 200
        changed = DRAFT.replace("winback\n", f"{name}\n", 1).replace("Win back", "Other")
        assert (await post(mine, path, "save", changed, 1)).status == 303
        assert (await written(site, name))[0] == 2


async def test_another_site_saves_nothing(site: Site) -> None:
    mine = await signed_in(site, "editor")
    form: JsonObject = {"yaml": DRAFT, "do": "save", "step": "yaml"}
    assert (await mine.ask("POST", NEW, form, sec_fetch_site="cross-site")).status == 403
    assert await site.pool.fetchval("select count(*) from distribution_versions") == 0
