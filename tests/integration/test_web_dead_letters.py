"""Dead-letters on pages, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import AsyncIterator

import msgspec
import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.settings.web import Web
from schemas.formats.cursors import write_cursor
from tests.factory import NOW, order_event
from tests.integration.test_api_dead_letters import on_orders, refuse, wiring
from tests.integration.test_web import Page, Site, running
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_projects import site as away
from tests.integration.test_web_segments import all_pages

__all__ = ["away", "wiring"]
LIST, REPLAY = "/p/shop/dead-letters", "/p/shop/replay"
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
    assert ("<script>" in page.text, "\u202e" in page.text, "theirs" in page.text) == (False, False, False)
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


async def test_those_that_are_chosen_in_the_list_are_put_back(site: Site, wiring: Wiring) -> None:
    for number in range(3):
        await refuse(wiring, 0, b"c1", b"{bad %d" % number)
    await refuse(wiring, 0, b"outlet\x1fc1", b"{theirs")
    await refuse(wiring, 0, b"c1", None, kind="too_large", cut=99)
    mine = await signed_in(site, "operator")
    page = html.unescape((await mine.ask("GET", LIST)).text)
    assert re.findall(r'name="at_([\d:]+)"', page) == ["0:0", "0:1", "0:2", "0:4"]
    assert (await mine.ask("POST", LIST, {"at_0:0": "yes"}, sec_fetch_site="cross-site")).status == 403
    assert (await (await signed_in(site)).ask("POST", LIST, {"at_0:0": "yes"})).status == 403
    none = await mine.ask("POST", LIST, {"back": LIST})
    assert (none.status, "None is chosen" in none.text, on_orders(wiring)) == (422, True, [])
    given = {"at_0:0": "yes", "at_0": "yes", "at_0:2": "yes", "back": f"{LIST}?kind=invalid_json"}
    done = await mine.ask("POST", LIST, given)
    assert (done.status, done.headers["location"]) == (303, f"{LIST}?kind=invalid_json&put_back=2")
    assert "Put back: 2 records." in (await mine.ask("GET", done.headers["location"])).text
    assert sorted(value for _, _, value in on_orders(wiring)) == [b"{bad 0", b"{bad 2"]
    some = await mine.ask("POST", LIST, {f"at_{place}": "yes" for place in ("0:1", "0:3", "0:4", "0:9", "7:0")})
    said = html.unescape(some.text)
    assert (some.status, "Put back: 1 record" in said) == (422, True)
    assert [place for place in ("0:1", "0:3", "0:4", "0:9", "7:0") if f"{place} is not put back" in said] == [
        "0:3", "0:4", "0:9", "7:0",
    ]  # fmt: skip
    assert (await mine.ask("POST", LIST, {"at_x": "yes"})).status == 422
    assert len(on_orders(wiring)) == 3, "another project's stays where it is"
    rows = await site.pool.fetch(
        "select change from audit_log where action = 'dead_letters.replayed' order by position"
    )
    assert [msgspec.json.decode(row["change"])["count"] for row in rows] == [2, 1]


async def test_while_kafka_is_away_the_page_says_so(away: Site) -> None:
    page = await (await signed_in(away, "operator")).ask("GET", LIST)
    assert (page.status, page.headers["retry-after"]) == (503, "5")


def typed(page: Page) -> str:
    """The text in the form."""
    return html.unescape(page.text.partition("<textarea")[2].partition(">\n")[2].partition("</textarea>")[0])


async def test_one_is_mended_in_a_form_that_keeps_what_was_typed(site: Site, wiring: Wiring) -> None:
    wrong = order_event(created_at="soon", note=EVIL)
    await refuse(wiring, 0, b"c1", msgspec.json.encode(wrong), kind="invalid_event")
    mine, path = await signed_in(site, "operator"), f"{LIST}/0:0/mend"
    assert f'href="{path}"' in html.unescape((await mine.ask("GET", f"{LIST}/0:0")).text)
    form = await mine.ask("GET", path)
    assert (form.status, msgspec.json.decode(typed(form)), "<script>" in form.text) == (200, wrong, False)
    still = typed(form).replace('"soon"', '"later"')
    for step in ("check", "put"):
        refused = await mine.ask("POST", path, {"value": still, "step": step})
        said = html.unescape(refused.text)
        assert (refused.status, typed(refused), "Line 5: created_at: " in said) == (422, still, True), said
    for text, said in (("{", "starts as JSON but is not valid"), ("[1]", "must be one JSON object"), ("", "JSON")):
        refused = await mine.ask("POST", path, {"value": text, "step": "put"})
        assert (refused.status, said in html.unescape(refused.text), typed(refused)) == (422, True, text), text
    right = typed(form).replace('"soon"', f'"{NOW.isoformat()}"')
    tried = await mine.ask("POST", path, {"value": right, "step": "check"})
    assert (tried.status, "Its readers take it" in tried.text, typed(tried)) == (200, True, right)
    assert f"<code>{NOW.isoformat()}" in html.unescape(tried.text).replace('"', "")
    assert on_orders(wiring) == []
    assert (await mine.ask("POST", path, {"value": right, "step": "put"}, sec_fetch_site="cross-site")).status == 403
    done = await mine.ask("POST", path, {"value": right, "step": "put"})
    assert (done.status, "corrected record" in (await mine.ask("GET", done.headers["location"])).text) == (303, True)
    ((partition, key, value),) = on_orders(wiring)
    assert (partition, key, msgspec.json.decode(value)["created_at"]) == (1, b"c1", NOW.isoformat())
    (row,) = await site.pool.fetch("select actor, thing, change from audit_log where action = 'dead_letters.mended'")
    assert (row["actor"].startswith("user:"), row["thing"], "soon" in str(row["change"])) == (True, "0:0", False)


async def test_what_is_newer_ours_or_anothers_is_not_mended(site: Site, wiring: Wiring) -> None:
    await refuse(wiring, 0, b"c1", b"\xc3\x01bad", topic="customers", partition=0, offset=0)
    await refuse(wiring, 0, b"c1", b"{bad", topic="deliveries.email")
    await refuse(wiring, 0, b"outlet\x1fc1", b"{bad")
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic("customers"), b"c1", b"{}", 0) for _ in range(2)])
    producer.close()
    mine, path = await signed_in(site, "operator"), f"{LIST}/0:0/mend"
    assert typed(await mine.ask("GET", path)).startswith("\\xc3\x01bad")
    form = {"value": '{"id": "c1", "name": "Ann"}', "step": "put"}
    newer = await mine.ask("POST", path, form)
    assert (newer.status, "a newer record of the same key" in newer.text, typed(newer)) == (422, True, form["value"])
    assert (await mine.ask("POST", path, {**form, "force": "yes"})).status == 303
    assert "/mend" not in (await mine.ask("GET", f"{LIST}/0:1")).text
    for place, expected in (("0:1", 422), ("0:2", 404), ("0:9", 404), ("x", 422)):
        for method in ("GET", "POST"):
            answer = await mine.ask(method, f"{LIST}/{place}/mend", form if method == "POST" else None)
            assert answer.status == expected, (place, method)
    looks = await signed_in(site, "approver")
    assert (await looks.ask("POST", path, form)).status == 403


async def test_all_that_a_filter_takes_are_counted_and_then_put_back(site: Site, wiring: Wiring) -> None:
    for number in range(3):
        await refuse(wiring, number % 2, b"c1", b"{bad" + str(number).encode())
    await refuse(wiring, 0, b"c1", b"{deep", kind="too_deep")
    await refuse(wiring, 0, b"c1", None, cut=99)
    await refuse(wiring, 1, b"outlet\x1fc1", b"{theirs")
    mine, looks = await signed_in(site, "operator"), await signed_in(site, "approver")
    listed = html.unescape((await mine.ask("GET", f"{LIST}?kind=undecodable")).text)
    assert f'href="{REPLAY}?kind=undecodable"' in listed
    page = await mine.ask("GET", f"{REPLAY}?kind=undecodable")
    assert ("Put 3 back" in page.text, "too large to be kept whole" in page.text) == (True, True)
    seen = {"seen": re.findall(r'name="seen" value="([^"]+)"', page.text)[0]}
    assert on_orders(wiring) == [], "nothing is done by looking"
    await refuse(wiring, 0, b"c1", b"{came later")
    done = await mine.ask("POST", f"{REPLAY}?kind=undecodable", seen)
    assert (done.status, done.headers["location"]) == (303, f"{REPLAY}?kind=undecodable&done=3&of=4")
    assert sorted(value for _, _, value in on_orders(wiring)) == [b"{bad0", b"{bad1", b"{bad2"]
    assert "1 other could not be" in (await mine.ask("GET", done.headers["location"])).text
    for form in ({}, {"seen": "x"}, {"seen": " "}):
        assert (await mine.ask("POST", f"{REPLAY}?kind=undecodable", form)).status == 422, form
    assert (await looks.ask("POST", REPLAY, seen)).status == 403
    (row,) = await site.pool.fetch("select change from audit_log where action = 'dead_letters.replayed'")
    assert msgspec.json.decode(row["change"])["count"] == 3
    assert len(on_orders(wiring)) == 3
