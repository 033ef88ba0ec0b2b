"""Sends by hand on pages, on a real PostgreSQL, and to Kafka by a real fan-out."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from agents.broker.reader import TopicReader
from agents.roles.fan_out import FanOut
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.formats.cursors import write_cursor
from store.distributions import Change, Control
from store.sends import Sends
from tests.factory import rule
from tests.integration.test_api_sends import MANUAL, none_ahead
from tests.integration.test_sends import put_segment
from tests.integration.test_web import Browser, Page, Site, running
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
LIST, NEW = "/p/shop/sends", "/p/shop/sends/new"
TO_TWO = {"distribution": "spring", "customers": "c1\nc2\nc1\n", "when": "hold"}


async def keep_rules(site: Site) -> None:
    rules = [rule(distribution="spring", **MANUAL), rule(distribution="summer", status="PAUSED", **MANUAL), rule()]
    await Control(site.pool).save([Change(one, "", ()) for one in rules], applied_by="ann", now=datetime.now(UTC))


async def segment(site: Site, identity: str, *members: str) -> None:
    await put_segment(site.pool, identity, members)
    await site.pool.execute("update segments set computed_version = version")


async def keep_send(
    site: Site, send_id: str, status: str, distribution: str = "thanks", *, by: str = "ann", waits_for: str = ""
) -> None:
    """A send as it stands: one that is not a draft was confirmed, and begins in nine minutes, or began."""
    await site.pool.execute(
        "insert into sends (project_id, send_id, distribution_id, status, owns_segment, hold, created_by, waits_for,"
        " confirmed_at, starts_at, started_at, version, audience, emitted)"
        " values ('shop', $1, $2, $3, false, interval '10m', $4, $5, case when $3 <> 'DRAFT' then now() end,"
        " case when $3 <> 'DRAFT' then now() + interval '9m' end, case when $3 = 'SENDING' then now() end,"
        " case when $3 = 'SENDING' then 1 end, 1234, case when $3 = 'SENDING' then 812 else 0 end)",
        send_id, distribution, status, by, waits_for,
    )  # fmt: skip


async def form(mine: Browser, path: str = NEW) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    page = await mine.ask("GET", path)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


async def post(mine: Browser, path: str, given: dict[str, str], **changes: Any) -> Page:
    file = changes.pop("file", None)
    data: Any = {**given, **changes}
    if file is not None:
        data = aiohttp.FormData()
        for name, text in {**given, **changes}.items():
            data.add_field(name, text)
        data.add_field("file", file, filename="list.csv", content_type="text/csv")
    return await mine.ask("POST", path, data)


async def drafted(mine: Browser, **changes: Any) -> str:
    """The address of a new draft."""
    made = await post(mine, NEW, {**await form(mine), **TO_TWO}, **changes)
    assert made.status == 303, re.findall(r'class="error"[^>]*>([^<]*)', made.text)
    return str(made.headers["location"])


async def step(mine: Browser, path: str, verb: str, **changes: Any) -> Page:
    return await mine.ask("POST", f"{path}/{verb}", {**await form(mine, path), **changes})


def said(page: Page) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", page.text.partition("<main")[2])))


async def states(site: Site) -> list[str]:
    return [row["status"] for row in await site.pool.fetch("select status from sends order by created_at")]


async def test_a_send_is_drawn_up_counted_confirmed_and_stopped_by_those_who_may(site: Site) -> None:
    await keep_rules(site)
    editor, approver = await signed_in(site, "editor"), await signed_in(site, "approver")
    assert '<option value="spring">' in (await editor.ask("GET", NEW)).text
    path = await drafted(editor)
    page = await editor.ask("GET", path)
    assert (page.status, page.title) == (200, "Send of spring")
    assert "To a list: 2 customers." in said(page)
    assert "after a hold of 10m from when it is confirmed" in said(page)
    assert ("Send it to" in page.text, "Throw the draft away" in page.text) == (False, True)
    asked = await approver.ask("GET", path)
    assert "Send it to 2 customers" in asked.text
    assert (await editor.ask("POST", f"{path}/confirm", {"revision": "0"})).status == 403
    confirmed = await step(approver, path, "confirm")
    assert (confirmed.status, confirmed.headers["location"]) == (303, f"{path}?did=confirm")
    page = await approver.ask("GET", confirmed.headers["location"])
    assert "Confirmed." in said(page)
    assert re.search(r"It begins in (10 minutes|9 minutes \d+ seconds?), on [\d-]+ [\d:]+ \w+: until then", said(page))
    for verb, state, words in (
        ("pause", "paused", "Paused: nothing more"), ("resume", "to send", "It goes on where it was"),
        ("stop", "stopped", "2 stopped, 0 had already gone."),
    ):  # fmt: skip
        done = await step(approver, path, verb)
        page = await approver.ask("GET", done.headers["location"])
        assert (done.status, words in said(page)) == (303, True), verb
        assert f'<span class="state {state.replace(" ", "-")}">' in page.text
    again = await step(approver, path, "stop")
    assert (again.status, "is STOPPED and cannot be stopped" in again.text) == (422, True)
    rows = await site.pool.fetch("select action, actor from audit_log where action like 'send.%' order by position")
    assert len({row["actor"] for row in rows}) == 2
    assert all(row["actor"].startswith("user:") for row in rows)


async def test_a_form_that_is_sent_twice_draws_up_and_sends_once(site: Site) -> None:
    await keep_rules(site)
    mine = await signed_in(site, "admin")
    given = {**await form(mine), **TO_TWO}
    both = await asyncio.gather(*(post(mine, NEW, given) for _ in range(4)))
    paths = {one.headers.get("location") for one in both}
    assert (len(paths), await states(site)) == (1, ["DRAFT"])
    (path,) = paths
    assert path is not None
    changed = await post(mine, NEW, given, customers="c3")
    assert changed.headers["location"] != path, "another list with the key of before is another send"
    seen = await form(mine, path)
    confirmed = await asyncio.gather(*(mine.ask("POST", f"{path}/confirm", seen) for _ in range(3)))
    assert {one.status for one in confirmed} <= {303, 422}
    assert [one.status for one in confirmed].count(303) >= 1
    assert (await mine.ask("POST", f"{path}/confirm", seen)).status == 303
    assert sorted(await states(site)) == ["DRAFT", "TO SEND"]
    noted = await site.pool.fetchval("select count(*) from send_actions where action = 'confirm'")
    assert noted == 1


async def test_it_goes_to_a_list_a_file_or_a_segment_at_a_moment(site: Site) -> None:
    await keep_rules(site)
    await segment(site, "vip", "c1", "c2", "c3")
    mine = await signed_in(site, "editor")
    file = b"\xef\xbb\xbfcustomer_id,x\r\n" + b"".join(b"k%d,\r\n" % number for number in range(30_000))
    for changes, to, moment in (
        ({"file": file, "customers": ""}, "To a list: 30,000 customers", "after a hold of 10m"),
        ({"customers": "", "segment": "vip", "when": "now"}, "To the segment vip: 3 customers", "as soon as"),
        ({"when": "at", "at": "2999-12-01T09:00", "hold": "1h"}, "2 customers", "on 2999-12-01 09:00 UTC, but"),
        ({"when": "local", "at": "2999-12-01T09:00"}, "2 customers", "2999-12-01 09:00:00 by each customer's"),
    ):  # fmt: skip
        page = await mine.ask("GET", await drafted(mine, **changes))
        assert (to in said(page), moment in said(page)) == (True, True), said(page)
    rows = await site.pool.fetch("select local_time, hold::text from sends order by created_at")
    assert [row["hold"] for row in rows] == ["00:10:00", "00:00:00", "01:00:00", "00:10:00"]


WRONG: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"distribution": ""}, "distribution", "is missing"),
    ({"distribution": "sprin"}, "distribution", 'Did you mean "spring"'),
    ({"distribution": "summer"}, "distribution", "is PAUSED"),
    ({"distribution": "thanks"}, "distribution", "reacts to customer.order.paid by itself"),
    ({"distribution": EVIL}, "distribution", "no distribution"),
    ({"customers": ""}, "customers", "say to whom"),
    ({"customers": "customer_id"}, "customers", "names no customer"),
    ({"customers": "c1\n" + "x" * 300}, "customers", "customer 2"),
    ({"segment": "vip"}, "segment", "stands beside Customers"),
    ({"customers": "", "segment": "vop"}, "segment", "no segment"),
    ({"file": b"c3"}, "file", "stands beside Customers"),
    ({"customers": "", "file": b"\xff\xfe"}, "file", "cannot be read"),
    ({"when": "soon"}, "when", "soon"),
    ({"when": "stays"}, "when", "say when"),
    ({"when": "at"}, "at", "is missing"),
    ({"when": "at", "at": "2001-01-01T09:00"}, "at", "is past"),
    ({"when": "local", "at": "2999-01-01T09:00Z"}, "at", "names a zone"),
    ({"hold": "a while"}, "hold", "not a duration"),
)


async def test_a_form_that_is_not_right_says_where_and_keeps_what_was_written(site: Site) -> None:
    await keep_rules(site)
    mine = await signed_in(site, "editor")
    for changes, field, words in WRONG:
        page = await post(mine, NEW, {**await form(mine), **TO_TWO}, **changes)
        assert page.status == 422, changes
        errors = html.unescape(" ".join(re.findall(rf'id="{field}-error">([^<]*)', page.text)))
        assert words in errors, (changes, errors, said(page)[:400])
        assert ("<script>" in page.text, "\u202e" in re.sub('value="[^"]*"', "", page.text)) == (False, False)
        kept = html.unescape(page.text)
        assert changes.get("customers", "c1\nc2\nc1").strip() in kept
    assert await states(site) == []
    large = await post(mine, NEW, {**await form(mine), **TO_TWO}, customers="", file=b"c" * (5 * 1024 * 1024))
    assert large.status == 413
    assert (await mine.ask("POST", NEW, TO_TWO, sec_fetch_site="cross-site")).status == 403


async def test_it_is_edited_unless_somebody_else_did(site: Site) -> None:
    await keep_rules(site)
    await segment(site, "vip", "c1", "c2", "c3")
    mine, other = await signed_in(site, "approver"), await signed_in(site, "editor")
    path = await drafted(mine)
    seen = await form(mine, path)
    edited = await step(other, path, "edit", when="at", at="2999-12-01T09:00", hold="2h")
    assert (edited.status, edited.headers["location"]) == (303, f"{path}?did=edit")
    for verb in ("confirm", "discard", "edit"):
        late = await mine.ask("POST", f"{path}/{verb}", {**seen, "when": "now"})
        assert (late.status, "was edited since you looked at it" in late.text) == (422, True), verb
    assert (await step(mine, path, "confirm")).status == 303
    assert "2999-12-01 09:00" in said(await mine.ask("GET", path))
    wrong = await step(mine, path, "edit", when="stays", segment="vop")
    assert (wrong.status, "No segment" in html.unescape(wrong.text)) == (422, True)
    assert 'value="vop"' in wrong.text
    again = await step(mine, path, "edit", when="stays", segment="vip")
    page = await mine.ask("GET", again.headers["location"])
    assert ("It has to be confirmed" in said(page), "3 customers" in said(page)) == (True, True)
    gone = await step(mine, path, "discard")
    assert "The draft is gone" in (await mine.ask("GET", gone.headers["location"])).text
    assert (await mine.ask("GET", path)).status == 404
    assert (await mine.ask("POST", f"{path}/stop", {})).status == 404


async def test_sends_are_listed_by_pages_and_as_files(site: Site) -> None:
    await keep_rules(site)
    mine = await signed_in(site, "editor")
    await site.pool.execute(
        "insert into sends (project_id, send_id, distribution_id, status, owns_segment, hold, created_by,"
        " created_at, waits_for)"
        " select 'shop', 'send_' || n, 'spring', 'DRAFT', false, interval '10m', $1, now() - n * interval '1s', $1"
        " from generate_series(1, 120) n", EVIL,
    )  # fmt: skip
    path, seen = LIST, list[str]()
    while path:
        text = (await mine.ask("GET", path)).text
        assert ("<script>" in text, "\u202e" in text) == (False, False)
        seen += re.findall(r'<code class="id">([^<]*)</code>', text)
        following = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = html.unescape(following[1]) if following else ""
    assert seen == [f"send_{number}" for number in range(1, 121)]
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text)))
    assert [row["send"] for row in rows] == seen
    assert "Nothing fits" in (await mine.ask("GET", f"{LIST}?status=DONE")).text
    no_zone = write_cursor(("2026-11-29T12:00:00", "send_1"))
    for query in ("?status=LIVE", "?cursor=x", f"?cursor={no_zone}"):
        assert (await mine.ask("GET", LIST + query)).status == 422, query


# -- approvals, and to Kafka ------------------------------------------------------------------------------------------


@pytest.fixture
async def busy(wiring: Wiring, dsn: str) -> AsyncIterator[tuple[Site, Wiring]]:
    """Pages of a deployment where a send to more than ten has to be approved."""
    sends = replace(wiring.settings.sends, approve_above=10)
    settings: Settings = replace(wiring.settings, postgres=Postgres(dsn=Secret(dsn)), sends=sends)
    async with running(settings, dsn, Web()) as one:
        await keep_rules(one)
        yield one, Wiring(settings)


async def test_a_send_to_many_is_approved_by_another_and_goes_to_each_once(busy: tuple[Site, Wiring]) -> None:
    site, wiring = busy
    await segment(site, "vip", *(f"c{number}" for number in range(20)))
    mine = await signed_in(site, "approver")
    await site.add("admin@shop.example", "admin", "shop")
    other = site.browser()
    await other.sign_in(email="admin@shop.example")
    path = await drafted(mine, customers="", segment="vip", when="now")
    page = await mine.ask("GET", path)
    assert ("You wrote it" in said(page), "Send it to" in page.text, "/approve" in html.unescape(page.text)) == (
        True,
        False,
        False,
    )
    refused = await step(mine, path, "confirm", revision="0")
    assert (refused.status, "has to be approved" in said(refused)) == (422, True)
    seen = await form(other, path)
    assert "Approve of sending it to 20 customers" in (await other.ask("GET", path)).text
    await step(mine, path, "edit", when="stays", restart="yes")
    late = await other.ask("POST", f"{path}/approve", seen)
    assert (late.status, "is not what you were shown any more" in said(late)) == (422, True)
    approved = await step(other, path, "approve")
    assert "Approved, as it is now" in said(await other.ask("GET", approved.headers["location"]))
    assert (await step(mine, path, "confirm")).status == 303
    fan_out = FanOut(wiring, Sends(site.pool), Metrics(), owner="one", ahead=none_ahead)
    for _ in range(10):
        await site.pool.execute("update sends set look_at = now() where look_at > now()")
        await fan_out.work()
    with TopicReader(wiring, "events.manual") as reader:
        out = [reader.decode(message)["data"]["customer"]["id"] for message in reader.until_now()]
    assert sorted(out) == sorted(f"c{number}" for number in range(20))
    page = await mine.ask("GET", path)
    assert ("20 of 20 are on their way" in said(page), 'class="state done"' in page.text) == (True, True)
