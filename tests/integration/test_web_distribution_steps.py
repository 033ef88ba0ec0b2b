"""Steps of a distribution's life on its page and in the list: paused, stopped, archived, brought back, deleted."""

from __future__ import annotations

import html
import re

import pytest

from console.control import distributions
from schemas.managed import GitSource, ManagedThing, Mark
from store.audit import AuditFilter, AuditLog
from store.managed import Managed, Marking
from tests.factory import NOW
from tests.integration.test_web import Browser, Page, Site
from tests.integration.test_web_projects import apply, shown, signed_in, site

__all__ = ["site"]
LIST = "/p/shop/distributions"
PAGE = f"{LIST}/thanks"
STEP, END = "/p/shop/distribution/step", "/p/shop/distribution/end"


def buttons(page: str) -> list[str]:
    """The steps that the page of one has buttons for."""
    return re.findall(r'<button id="act-(\w+)"', page)


async def press(mine: Browser, do: str, **fields: str) -> Page:
    """Press a button of the page; the answer to that."""
    path = STEP if do in ("pause", "resume", "stop") else END
    return await mine.ask("POST", path, {"id": "thanks", "do": do, **fields})


async def status(site: Site) -> str:
    return str((await distributions.find(site.pool, "shop", "thanks")).status)


async def test_a_life_is_led_by_buttons(site: Site) -> None:
    await apply(site, "thanks", status="LIVE")
    mine = await signed_in(site, "admin")
    expected = [
        ("pause", "PAUSED", ["resume", "stop"], "Paused: it sends nothing until it goes on."),
        ("resume", "LIVE", ["pause", "stop"], "It goes on."),
        ("stop", "STOPPED", ["archive"], "Stopped: it reacts no more."),
        ("archive", "ARCHIVED", ["restore"], "Archived: it is out of the lists, and its past stays here."),
        ("restore", "STOPPED", ["archive"], "It is back. It sends nothing until it is set live."),
    ]
    for number, (do, after, then, note) in enumerate(expected, 1):
        answer = await press(mine, do, seen=str(number))
        assert (answer.status, answer.headers["location"]) == (303, f"{PAGE}?did={do}")
        page = await mine.ask("GET", answer.headers["location"])
        assert (await status(site), buttons(page.text)) == (after, then)
        assert f'<p class="done" role="status">{note}</p>' in page.text
    newest, *_ = await AuditLog(site.pool).page(AuditFilter("shop"), 1)
    assert newest.row.actor.startswith("user:")


async def test_what_is_archived_is_in_the_list_of_those_alone(site: Site) -> None:
    await apply(site, "thanks", "winback", status="STOPPED")
    mine = await signed_in(site, "editor")
    before = (await mine.ask("GET", LIST)).text
    assert (shown(before), before.count('value="archive"')) == (["thanks", "winback"], 2)
    await press(mine, "archive")
    assert shown((await mine.ask("GET", LIST)).text) == ["winback"]
    archived = (await mine.ask("GET", f"{LIST}?status=ARCHIVED")).text
    assert (shown(archived), archived.count('value="restore"')) == (["thanks"], 1)
    assert (await mine.ask("GET", PAGE)).title == "thanks"
    assert 'value="archive"' not in (await (await signed_in(site)).ask("GET", LIST)).text


async def test_a_deleted_draft_is_brought_back_from_the_list(site: Site) -> None:
    await apply(site, "thanks", status="DRAFT")
    mine = await signed_in(site, "editor")
    assert buttons((await mine.ask("GET", PAGE)).text) == ["archive", "delete"]
    answer = await press(mine, "delete", seen="1")
    assert (answer.status, answer.headers["location"]) == (303, f"{LIST}?deleted=thanks")
    page = (await mine.ask("GET", answer.headers["location"])).text
    assert "<code>thanks</code> is deleted. For 30 days it can be brought back." in page
    assert (await mine.ask("GET", PAGE)).status == 404
    back = await press(mine, "restore")
    assert (back.status, await status(site)) == (303, "DRAFT")


async def test_what_cannot_be_done_says_why_on_its_page(site: Site) -> None:
    await apply(site, "thanks", status="LIVE")
    mine = await signed_in(site, "admin")
    for do, fields, said in (
        ("archive", {}, "Thanks is LIVE: stop it first, then archive it"),
        ("delete", {}, "Thanks is LIVE: stop it first"),
        ("restore", {}, "Thanks is LIVE: only what is archived, or was deleted, can be brought back"),
        ("stop", {"seen": "7"}, "Somebody has changed it meanwhile: look again, nothing was done"),
        ("pay", {}, "This form does not say what to do"),
    ):
        answer = await press(mine, do, **fields)
        assert answer.status == 422, do
        shown_error = re.search(r'<p class="error" id="step-error">([^<]*)</p>', answer.text)
        assert shown_error and html.unescape(shown_error[1]).lower().startswith(said.lower()), (do, shown_error)
    assert await status(site) == "LIVE"
    assert (await mine.ask("POST", END, {"id": "nobody", "do": "archive"})).status == 404


@pytest.mark.parametrize("do", ["archive", "delete"])
async def test_one_that_is_managed_from_git_is_ended_here_only_by_who_insists(site: Site, do: str) -> None:
    await apply(site, "thanks", status="DRAFT")
    thing = ManagedThing("shop", "distribution", "thanks")
    mark = Mark(thing, GitSource("github.com/acme/shop", "c" * 40), "0" * 64, 1, "ci", NOW)
    await Managed(site.pool).put(Marking([mark]), by="ci")
    mine = await signed_in(site, "editor")
    refused = await press(mine, do, seen="1")
    assert (refused.status, "It is managed from Git" in refused.text) == (422, True)
    assert refused.text.count('name="override" value="yes"') == 2
    assert (await press(mine, do, seen="1", override="yes")).status == 303
    actions = [one.row.action for one in await AuditLog(site.pool).page(AuditFilter("shop"), 2)]
    assert set(actions) == {f"distribution.{do}d", "managed.overridden"}
