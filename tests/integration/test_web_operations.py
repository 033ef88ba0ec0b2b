"""Notices, destinations and workers on pages, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from agents.wiring import Wiring
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.closed import ChannelName
from schemas.destination import Destination
from schemas.formats.cursors import write_cursor
from store.notices import Notices, nobody
from store.sending.ledger import Ledger
from streams.notices import codes_low
from tests.integration.api_client import wired
from tests.integration.test_api_operations import commit, write
from tests.integration.test_store import LEASE, new
from tests.integration.test_web import Site, running
from tests.integration.test_web_audit import changed
from tests.integration.test_web_projects import EVIL, signed_in, site
from tests.integration.test_web_segments import all_pages

__all__ = ["site"]
NOTICES, DESTINATIONS, WORKERS = "/p/shop/notices", "/p/shop/destinations", "/p/shop/workers"


async def pause(site: Site, channel: ChannelName, name: str, project: str = "shop", why: str = "HTTP 401") -> None:
    await Ledger(site.pool).pause_destination(Destination(project, channel, name), "refused", why)


async def test_open_notices_come_first_by_pages_and_those_that_are_over_where_they_are_asked_for(site: Site) -> None:
    notices = Notices(site.pool, nobody)
    for number in range(60):
        await notices.open(codes_low("shop", f"c{number:02}", 5, 100))
    await notices.open(codes_low("outlet", "theirs", 5, 100))
    await notices.close("shop", "codes_low", "c59")
    mine = await signed_in(site)
    about = r": <bdi>(\w+)</bdi></span></th>"
    open_ones = [f"c{number:02}" for number in reversed(range(59))]
    assert await all_pages(mine, NOTICES, about) == open_ones
    assert await all_pages(mine, f"{NOTICES}?over=yes", about) == [*open_ones, "c59"]
    for query in ("?over=x", "?cursor=x", f"?cursor={write_cursor('a')}"):
        assert (await mine.ask("GET", NOTICES + query)).status == 422, query


async def test_without_a_notice_nothing_waits_for_a_person(site: Site) -> None:
    assert "Nothing waits for a person" in (await (await signed_in(site)).ask("GET", NOTICES)).text


async def test_a_paused_destination_is_told_with_why_and_sent_to_again(site: Site) -> None:
    for number in range(55):
        await pause(site, "webhook", f"h{number:02}.example.com:8443")
    await pause(site, "email", "main", why=f"535 {EVIL}")
    await pause(site, "email", "main", "outlet", why="theirs")
    await Ledger(site.pool).claim_new([new(1, "main", channel="email")], owner="me", lease=LEASE)
    mine, looks = await signed_in(site, "operator"), await signed_in(site)
    names = r'<th scope="row"><code>([^<]*)</code></th>'
    assert await all_pages(mine, DESTINATIONS, names) == [
        "email/main", *(f"webhook/h{number:02}.example.com:8443" for number in range(55)),
    ]  # fmt: skip
    page = await mine.ask("GET", DESTINATIONS)
    row = page.text.partition("<tbody>")[2].partition("</tr>")[0]
    assert ("refused: <bdi>535 " in row, '<td class="number">1</td>' in row, "theirs" in row) == (True, True, False)
    assert ("<script>" in page.text, "\u202e" in page.text) == (False, False)
    assert "Send again" not in (await looks.ask("GET", DESTINATIONS)).text
    resume, form = f"{DESTINATIONS}/resume", {"destination": "email/main"}
    assert (await looks.ask("POST", resume, form)).status == 403
    assert (await mine.ask("POST", resume, form, sec_fetch_site="cross-site")).status == 403
    elsewhere = {"back": "https://evil.example/p/shop/destinations"}
    done = await mine.ask("POST", resume, form | elsewhere)
    assert done.headers["location"] == f"{DESTINATIONS}?resumed=1"
    assert (done.status, "sent to again" in (await mine.ask("GET", done.headers["location"])).text) == (303, True)
    assert len(await Ledger(site.pool).paused_destinations()) == 56
    for named, said in (("email/main", "is not paused"), ("emial/main", "Did you mean"), ("", "CHANNEL/NAME")):
        refused = await mine.ask("POST", resume, {"destination": named})
        assert (refused.status, said in html.unescape(refused.text)) == (422, True), named
    (row,) = await site.pool.fetch("select actor from audit_log where action = 'destination.resumed'")
    assert row["actor"].startswith("user:")


async def test_what_names_a_user_or_a_thing_that_is_gone_is_still_told(site: Site) -> None:
    """Reported elsewhere: a log fails, or says that nothing is there, once a user of it is deleted."""
    await changed(site, "gone", actor="user:gone", action="segment.removed")
    mine = await signed_in(site, "operator")
    page = await mine.ask("GET", "/p/shop/audit?actor=user:gone&thing=gone")
    assert (page.status, page.text.count("<code>segment.removed</code>")) == (200, 1)


async def test_workers_are_not_known_while_kafka_is_away(site: Site) -> None:
    """Reported elsewhere: such a page loads for as long as a broker does not answer, and fails then."""
    mine = await signed_in(site, "operator")
    page = await mine.ask("GET", WORKERS)
    assert (page.status, "Kafka does not answer" in page.text) == (200, True)
    (taken,) = (one["ms"] for one in site.logged if one["event"] == "request" and one["path"] == "/p/…/workers")
    assert taken < 20_000


async def test_another_project_does_not_see_the_workers_of_all(site: Site) -> None:
    page = await (await signed_in(site, "operator", "outlet")).ask("GET", "/p/outlet/workers")
    assert (page.status, "They work for every project" in page.text) == (200, True)


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("customers", "events.orders", "publications.requests"), 2) as made:
        yield made


@pytest.fixture
async def live(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        yield one


async def test_the_lag_of_each_partition_is_told_and_who_works(live: Site, wiring: Wiring) -> None:
    await write(wiring, "customers", 0, 3)
    await write(wiring, "publications.requests", 1, 5)
    commit(wiring, "publisher", "publications.requests", 1, 4)
    mine, ends_at = await signed_in(live, "operator"), time.monotonic() + 120
    while "Kafka does not answer" in (page := await mine.ask("GET", WORKERS)).text and time.monotonic() < ends_at:
        await asyncio.sleep(0.1)  # a broker may be busier than a page is patient
    assert page.status == 200
    rows = re.findall(r'<tr><th scope="row"><code>([^<]*)</code></th>(.*?)</tr>', page.text)
    told = {
        (group, *re.findall(r'<td class="(?:number|thing|number held)">(?:<code>)?([^<]*)', cells))
        for group, cells in rows
    }
    publisher, segmenter = wiring.group("publisher"), wiring.group("segmenter")
    assert (publisher, wiring.topic("publications.requests"), "1", "4", "5", "1") in told
    assert (segmenter, wiring.topic("customers"), "0", "never", "3", "3") in told
    assert "nobody: start <code>tidings worker publisher</code>" in page.text
