"""Dead-letters on pages, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import AsyncIterator

import pytest

from agents.wiring import Wiring
from deploy.settings.web import Web
from schemas.formats.cursors import write_cursor
from tests.integration.test_api_dead_letters import on_orders, refuse, wiring
from tests.integration.test_web import Site, running
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_projects import site as away
from tests.integration.test_web_segments import all_pages

__all__ = ["away", "wiring"]
LIST = "/p/shop/dead-letters"
PLACES = r'<th scope="row"><a href="[^"]*"><code>([\d:]+)</code></a></th>'


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        yield one


async def test_dead_letters_are_listed_by_pages_and_by_what_they_are(site: Site, wiring: Wiring) -> None:
    for number in range(55):
        await refuse(wiring, number % 2, b"c1", b"{bad", message=f"why {EVIL}")
    await refuse(wiring, 1, b"outlet\x1fc1", b"{}", message="theirs")
    await refuse(wiring, 0, b"c1", None, kind="too_large", topic="=1+1")
    mine = await signed_in(site, "operator")
    own = [*(f"0:{n}" for n in range(29)), *(f"1:{n}" for n in range(27))]
    assert await all_pages(mine, LIST, PLACES) == own
    for query, expected in (("?kind=too_large", ["0:28"]), ("?role=sender", []), ("?since=2026-11-25", [])):
        assert await all_pages(mine, LIST + query, PLACES) == expected, query
    page = await mine.ask("GET", LIST)
    assert ("<script" in page.text, "\u202e" in page.text, "theirs" in page.text) == (False, False, False)
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text)))
    assert [row["place"] for row in rows] == own
    assert rows[28]["topic"] == "'=1+1"
    assert (await (await signed_in(site)).ask("GET", LIST)).status == 403
    for query in ("?since=x", "?cursor=x", f"?cursor={write_cursor('a')}", "?kind=%00"):
        assert (await mine.ask("GET", LIST + query)).status == 422, query


async def test_one_is_shown_and_put_back_as_it_was(site: Site, wiring: Wiring) -> None:
    await refuse(wiring, 0, b"c1", b"{bad <b>")
    await refuse(wiring, 0, b"outlet\x1fc1", b"{}")
    await refuse(wiring, 0, b"c1", None, kind="too_large", cut=99)
    mine = await signed_in(site, "operator")
    page = await mine.ask("GET", f"{LIST}/0:0")
    text = html.unescape(page.text)
    assert (page.status, page.title) == (200, "Dead-letter 0:0")
    assert all(said in text for said in ("<code>c1</code>", "events.orders 1@5", "{bad <b>", "\\xff1", "Put it back"))
    assert "<b>" not in page.text.partition("<pre")[2].partition("</pre>")[0]
    assert (await mine.ask("POST", f"{LIST}/0:0", sec_fetch_site="cross-site")).status == 403
    assert on_orders(wiring) == []
    done = await mine.ask("POST", f"{LIST}/0:0")
    assert (done.status, "It was put back" in (await mine.ask("GET", done.headers["location"])).text) == (303, True)
    assert on_orders(wiring) == [(1, b"c1", b"{bad <b>")]
    cut = await mine.ask("POST", f"{LIST}/0:2")
    assert (cut.status, "Not put back" in cut.text) == (422, True)
    assert "Put it back" not in (await mine.ask("GET", f"{LIST}/0:2")).text
    for place, expected in (("0:1", 404), ("0:9", 404), ("7:0", 404), ("x", 422), ("0:x", 422), ("%00", 422)):
        assert (await mine.ask("GET", f"{LIST}/{place}")).status == expected, place
        assert (await mine.ask("POST", f"{LIST}/{place}")).status == expected, place
    (row,) = await site.pool.fetch("select actor, thing from audit_log where action = 'dead_letters.replayed'")
    assert (row["actor"].startswith("user:"), row["thing"]) == (True, "0:0")
    assert len(on_orders(wiring)) == 1


async def test_while_kafka_is_away_the_page_says_so(away: Site) -> None:
    page = await (await signed_in(away, "operator")).ask("GET", LIST)
    assert (page.status, page.headers["retry-after"]) == (503, "5")
