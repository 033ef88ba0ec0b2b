"""Records of topics on pages, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import time
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from deploy.settings.web import Web
from schemas.formats.cursors import write_cursor
from tests.integration.test_api_dead_letters import wiring
from tests.integration.test_web import Site, running
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_projects import site as away
from tests.integration.test_web_segments import all_pages

__all__ = ["away", "wiring"]
LIST = "/p/shop/topics"
IDS = r'<th scope="row"><a href="[^"]*"><code>([^<]*)</code></a></th>'
PLACES = r'<td><code class="id">([\d:]+)</code></td>'
SECOND = (int(time.time()) - 3600) * 1000
"""Recent: what is older than its topic keeps may be taken out at any time."""


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        yield one


def order(number: int, key: str = "", partition: int = 0, text: str = "") -> Output:
    """A record that was written in that second; not an event that is valid, which nobody asks for here."""
    value = {
        "id": f"e{number}",
        "type": "customer.order.paid",
        "data": {"order": {"id": f"ord_{number}", "note": text}},
    }
    stamp = SECOND + 1000 * number
    return Output("events.orders", (key or f"c{number}").encode(), msgspec.json.encode(value), partition, None, stamp)


async def write(wiring: Wiring, outputs: Sequence[Output]) -> None:
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [one._replace(topic=wiring.topic(one.topic)) for one in outputs])
    producer.close()


async def test_the_newest_records_come_first_whatever_their_partition(site: Site, wiring: Wiring) -> None:
    await write(wiring, [order(number, partition=number % 2) for number in range(120)])
    mine = await signed_in(site, "operator")
    assert await all_pages(mine, f"{LIST}?topic=events.orders", IDS) == [f"c{n}" for n in reversed(range(120))]
    assert (await mine.ask("GET", f"{LIST}?topic=events.points")).text.count("<tbody>") == 0
    assert "Choose a topic" in (await mine.ask("GET", LIST)).text
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv?topic=events.orders")).text)))
    assert ([row["id"] for row in rows], len({row["place"] for row in rows})) == (
        [f"c{n}" for n in reversed(range(120))], 120,
    )  # fmt: skip


async def test_a_key_and_a_text_are_looked_for_and_other_projects_left_out(site: Site, wiring: Wiring) -> None:
    away_from_here = order(3, "outlet\x1fc1", text="theirs")
    await write(wiring, [*(order(n, "c1", -1) for n in range(3)), away_from_here, order(4, "c2", -1, "Żółć <b>")])
    mine = await signed_in(site, "operator")
    for query, expected in (
        ("&id=c1", ["c1"] * 3), ("&id=c3", []), ("&text=ord_2", ["c1"]), ("&text=żÓŁĆ", ["c2"]), ("&text=theirs", []),
        ("", ["c2", "c1", "c1", "c1"]),
    ):  # fmt: skip
        assert await all_pages(mine, f"{LIST}?topic=events.orders{query}", IDS) == expected, query
    page = await mine.ask("GET", f"{LIST}?topic=events.orders&text=%3Cb%3E")
    assert ("<b>" in page.text, '"note": "Żółć <b>"' in html.unescape(page.text)) == (False, True)


async def test_what_cannot_be_read_is_large_or_a_tombstone_is_told_as_that(site: Site, wiring: Wiring) -> None:
    plain = order(0)
    await write(wiring, [
        plain._replace(value=b"{bad"), plain._replace(key=b"c1", value=None), order(3, "c2", text="x" * 30_000),
        plain._replace(key=b"\xff"), plain._replace(key=None), order(4, EVIL.replace("\0", ""), text=EVIL),
    ])  # fmt: skip
    mine = await signed_in(site, "operator")
    page = await mine.ask("GET", f"{LIST}?topic=events.orders")
    text = html.unescape(page.text)
    assert page.text.count('<th scope="row">') == 4
    assert all(said in text for said in ("cannot be read", "tombstone", "tidings tail events.orders shows it"))
    assert ("<script>" in page.text, "\u202e" in page.text, "x" * 1000 in text) == (False, False, False)


async def test_records_are_shown_to_those_who_may_export_customers(site: Site) -> None:
    for role, status in (("viewer", 403), ("approver", 403), ("operator", 200), ("admin", 200)):
        assert (await (await signed_in(site, role)).ask("GET", LIST)).status == status, role  # type: ignore[arg-type]


async def test_a_wrong_address_is_refused_in_words(site: Site) -> None:
    mine = await signed_in(site, "operator")
    changed = (write_cursor([[0, -1]]), write_cursor([[0, 2**64]]), write_cursor("a"), "x")
    for query in ("?topic=audit", "?topic=events.order", *(f"?topic=decisions&cursor={one}" for one in changed)):
        for suffix in ("", ".json", ".csv"):
            assert (await mine.ask("GET", LIST + suffix + query)).status == 422, query


async def test_while_kafka_is_away_the_page_says_so(away: Site) -> None:
    mine = await signed_in(away, "operator")
    assert ((await mine.ask("GET", LIST)).status, (await mine.ask("GET", f"{LIST}?topic=decisions")).status) == (
        200,
        503,
    )
