"""Live pages as streams of events, over real HTTP, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from agents.clock import utc_now
from agents.wiring import Wiring
from console.control.imports import ImportWork
from console.web import streams
from console.web.project_routes import PROJECT_ROUTES
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.delivery import DistributionRef
from store.read_models.recorded import Recorded
from tests.integration.test_codes import campaign, filled, saved
from tests.integration.test_recorder import KEEP, put, status
from tests.integration.test_web import Browser, Site, running
from tests.integration.test_web_campaigns import counts, hand_in
from tests.integration.test_web_projects import EVIL, address, apply, signed_in, site
from tests.integration.test_web_segments import segment
from tests.waits import HOURS

__all__ = ["site"]
LIST = "/p/shop/distributions"
LATEST = 120


@asynccontextmanager
async def following(mine: Browser, path: str, **headers: str) -> AsyncIterator[Any]:
    """The answer to who asks for a stream."""
    sent = {
        "accept": "text/html, text/event-stream",
        **{name.replace("_", "-"): said for name, said in headers.items()},
    }
    sent["cookie"] = "; ".join(f"{name}={value}" for name, value in mine.cookies.items())
    async with mine.session.get(mine.base + path, headers=sent, allow_redirects=False) as response:
        yield response


async def event(response: Any) -> dict[str, str]:
    """The next event that says anything; `{}` at the end."""
    found: dict[str, list[str]] = {}
    async with asyncio.timeout(LATEST):
        while line := (await response.content.readline()).decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name and name != ":":
                found.setdefault(name, []).append(value)
            elif not name and found:
                break
    return {name: "\n".join(values) for name, values in found.items()}


def parts(data: str) -> list[str]:
    """The ids of the parts that an event brings."""
    return re.findall('<hx-partial hx-target="#(.*?)"', data)


async def send(site: Site, first: int, many: int) -> None:
    of = {"distribution": DistributionRef(id="thanks", version=1, name="x")}
    await put(Recorded(site.pool, KEEP), [status(n, utc_now(), **of) for n in range(first, first + many)], start=first)


async def test_a_reader_gets_the_parts_that_changed_and_no_others(site: Site) -> None:
    await apply(site, "thanks", name=EVIL)
    mine = await signed_in(site)
    async with following(mine, LIST) as response:
        assert (response.status, response.headers["x-accel-buffering"]) == (200, "no")
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        first = await event(response)
        assert re.findall('<hx-partial hx-target="#(.*?)" hx-swap="outerMorph">', first["data"]) == [
            "live-late", "live-rows",
        ]  # fmt: skip
        assert ("<script>" in first["data"], "<!--" in first["data"]) == (False, False)
        await send(site, 0, 3)
        then = await event(response)
        assert parts(then["data"]) == ["live-rows"]
        assert ('<td class="number">3</td>' in then["data"], then["id"] != first["id"]) == (True, True)
    async with following(mine, LIST, last_event_id=then["id"]) as again:
        await send(site, 10, 1)
        assert '<td class="number">4</td>' in (await event(again))["data"], "it had what there was before"


async def test_a_stream_ends_with_the_session_and_with_the_right_to_see_it(site: Site) -> None:
    await apply(site, "thanks")
    mine, other = await signed_in(site), await signed_in(site, "operator")
    async with following(mine, LIST) as first, following(other, LIST) as second:
        assert (await event(first))["id"]
        assert (await event(second))["id"]
        assert (await mine.ask("POST", "/sign-out")).status == 303
        assert [await event(first), await event(first)] == [{"event": "over", "data": "over"}, {}]
        await site.pool.execute("delete from user_roles")
        assert (await event(second))["event"] == "over"
    async with following(site.browser(), LIST) as nobody:
        assert (nobody.status, await event(nobody)) == (200, {"event": "over", "data": "over"})
    async with following(await signed_in(site, "viewer", "outlet"), LIST) as foreign:
        assert await event(foreign) == {"event": "over", "data": "over"}


async def test_a_page_that_is_open_is_not_a_use_of_its_session(site: Site) -> None:
    await apply(site, "thanks")
    mine = await signed_in(site)
    await site.pool.execute("update sessions set used_at = now() - interval '5 minutes'")
    before = await site.pool.fetchval("select used_at from sessions")
    async with following(mine, LIST) as response:
        assert (await event(response))["id"]
        await send(site, 0, 1)
        assert (await event(response))["id"]
    assert await site.pool.fetchval("select used_at from sessions") == before
    await mine.ask("GET", LIST)
    assert await site.pool.fetchval("select used_at from sessions") > before


async def test_one_session_has_so_many_at_once_and_they_are_given_back(site: Site) -> None:
    await apply(site, "thanks")
    mine, others = await signed_in(site), await signed_in(site, "operator")
    held = [following(mine, LIST) for _ in range(streams.MOST_OF_ONE)]
    for one in held:
        assert (await one.__aenter__()).status == 200
    async with following(mine, LIST) as refused, following(others, LIST) as theirs:
        assert (refused.status, refused.headers["retry-after"], theirs.status) == (503, "30", 200)
    for one in held:
        await one.__aexit__(None, None, None)
    ends_at, status = time.monotonic() + LATEST, 503
    while status == 503 and time.monotonic() < ends_at:
        async with following(mine, LIST) as again:
            status = again.status
    assert status == 200


@pytest.mark.parametrize("path", sorted(one.path for one in PROJECT_ROUTES if one.is_live))
async def test_each_live_page_has_parts_and_says_where_they_come_from(site: Site, path: str) -> None:
    mine = await signed_in(site, "admin")
    await apply(site, "thanks")
    await prepare(site)
    (route,) = (one for one in PROJECT_ROUTES if one.path == path and one.is_live)
    page = await mine.ask("GET", f"/p/shop{address(route)}")
    assert (page.status, page.text.count('id="live"'), page.text.count('src="&#x2f;static&#x2f;')) == (200, 1, 5)
    assert page.text.count("<!--live-->") == page.text.count("<!--/live-->") > 0
    async with following(mine, f"/p/shop{address(route)}") as response:
        found = (await event(response))["data"]
    assert found.count("<hx-partial ") == page.text.count("<!--live-->")


async def prepare(site: Site) -> None:
    """A segment, a campaign and a send to look at."""
    await segment(site, "poland")
    await saved(site.pool, campaign())
    await site.pool.execute(
        "insert into sends (project_id, send_id, distribution_id, status, owns_segment, hold, created_by)"
        " values ('shop', 'send_1', 'thanks', 'DRAFT', false, interval '10m', 'ann')"
    )


async def test_the_codes_of_a_campaign_and_its_import_come_by_themselves(site: Site, settings: Settings) -> None:
    await saved(site.pool, campaign(low_water=3))
    await filled(site.pool, ["a", "b", "c"])
    mine = await signed_in(site)
    async with following(mine, "/p/shop/campaigns/spring") as response:
        first = (await event(response))["data"]
        assert parts(first) == ["live-standing", "live-codes", "live-imports"]
        assert (counts(first)["Left"], "it is time to add some" in first, "Files of codes" in first) == (
            "3", True, False,
        )  # fmt: skip
        await hand_in(site, "code\nA-1\nA-2\n")
        then = (await event(response))["data"]
        assert (parts(then), 'class="state waiting"' in then) == (["live-imports"], True)
        assert await ImportWork(site.pool, Wiring(settings), "w", utc_now).work()
        seen = ""
        while not ('class="state done"' in seen and "live-codes" in seen):
            more = await event(response)
            assert more, "it ended before the import"
            seen += more["data"]
        assert (counts(seen)["Left"], counts(seen)["Made or imported"]) == ("5", "5")
    after = (await mine.ask("GET", "/p/shop/campaigns/spring")).text
    assert ("it is time to add some" in after, 'value="Cancel' in after) == (False, False)


async def test_how_far_an_import_is_comes_by_itself(site: Site, settings: Settings) -> None:
    await saved(site.pool, campaign())
    await hand_in(site, "code\nA-1\nA-2\n")
    async with following(await signed_in(site), "/p/shop/imports?campaign=spring") as response:
        assert 'class="state waiting"' in (await event(response))["data"]
        await site.pool.execute("update imports set state = 'adding', rows = 2, rows_read = 1")
        assert "50 % done" in (await event(response))["data"]
        await site.pool.execute("update imports set state = 'waiting', rows = 0, rows_read = 0")
        assert await ImportWork(site.pool, Wiring(settings), "w", utc_now).work()
        seen = ""
        while 'class="state done"' not in seen:
            more = await event(response)
            assert more, "it ended before the import"
            seen = more["data"]
    assert "50 % done" not in seen


async def test_a_process_stops_at_once_though_pages_are_open(
    settings: Settings, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reported elsewhere: a server waits for streams that never end, as long as it has patience: for hours here."""
    monkeypatch.setattr("console.http.serving.DRAIN_SECONDS", HOURS)
    async with AsyncExitStack() as open_pages:
        async with running(settings, dsn, Web()) as site:
            session = await open_pages.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            mine = replace(await signed_in(site), session=session)
            response = await open_pages.enter_async_context(following(mine, LIST))
            assert (await event(response))["id"]
        assert await event(response) == {}
