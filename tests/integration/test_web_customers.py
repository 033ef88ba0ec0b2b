"""The page of a customer over real HTTP: found by any id, with its letters, on a real PostgreSQL."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from urllib.parse import quote

import pytest

from agents.clock import utc_now
from schemas.decision import Check
from schemas.delivery import DistributionRef
from store.read_models.recorded import Recorded
from tests.integration.test_customer_search import PEOPLE
from tests.integration.test_customer_search import put as known
from tests.integration.test_recorder import KEEP, decision, put, status
from tests.integration.test_web import Site
from tests.integration.test_web_projects import signed_in, site
from tests.waits import only_the_shared_client_is_patient_with_kafka

__all__ = ["site"]
CUSTOMERS = "/p/shop/customers"
IDS = (
    "c1", "a/b", "..", "a b+c&d=%2F", "x?y#z", "<script>alert(1)</script>", "{{ 7 * 7 }}", "ab\u202egnp",
    "\u017c\u00f3", "@:()'|",
)  # fmt: skip


def of(customer: str, distribution: str = "") -> str:
    return f"{CUSTOMERS}?id={quote(customer, safe='')}" + (f"&distribution={distribution}" if distribution else "")


async def test_any_id_that_events_have_is_found(site: Site) -> None:
    recorded = Recorded(site.pool, KEEP)
    await put(recorded, [decision(n, utc_now(), customer_id=one, detail=f"told {n} end") for n, one in enumerate(IDS)])
    mine = await signed_in(site)
    for number, identity in enumerate(IDS):
        page = await mine.ask("GET", of(identity))
        assert page.status == 200, identity
        assert re.findall(r"told (\d+) end", page.text) == [str(number)], identity
        assert "<script>" not in page.text
        assert "\u202e" not in re.sub(r'value="[^"]*"', "", page.text)
    for wrong in ("%00", "a%1Fb", "x" * 300):
        refused = await mine.ask("GET", f"{CUSTOMERS}?id={wrong}")
        assert (refused.status, refused.title) == (422, "This cannot be asked"), wrong
    assert (await mine.ask("GET", of("c1") + "&cursor=x")).status == 422


async def test_an_event_is_told_from_its_tests_to_what_became_of_the_message(site: Site) -> None:
    now, recorded = utc_now(), Recorded(site.pool, KEEP)
    tests = [
        Check(test="order.amount at_least 1000", passed=True, seen="1500"),
        Check(test="x", passed=False, seen="2"),
    ]
    sent = {"customer_id": "c1", "outcome": "emitted", "reason": None, "detail": None, "checks": tests}
    capped = {
        "reason": "capped",
        "detail": "2 in a week",
        "distribution": DistributionRef(id="winback", version=2, name="W"),
    }
    await put(
        recorded,
        [
            decision(1, now - timedelta(hours=3), delivery_id="dlv_1", **sent),
            decision(2, now - timedelta(hours=1), customer_id="c1", **capped),
            decision(3, now, customer_id="c2", detail="of another"),
            decision(4, now, customer_id="c1", project_id="outlet", detail="of another project"),
        ],
    )
    ended = {"delivery_id": "dlv_1", "customer_id": "c1", "detail": "250 queued"}
    await put(recorded, [status(1, now - timedelta(hours=3), **ended)])
    mine = await signed_in(site)
    text = (await mine.ask("GET", of("c1"))).text
    first, second = text.split("<article")[1:]
    assert "winback" in first
    assert "the customer has had as many messages as may be sent; 2 in a week" in first
    assert '<span class="state skipped">skipped</span>' in first
    parts = [second.find(one) for one in ("customer.order.paid", "order.amount at_least", "to be sent", "250 queued")]
    assert parts == sorted(parts)
    assert -1 not in parts
    assert "3h ago" in second
    assert "of another" not in text
    narrowed = (await mine.ask("GET", of("c1", "winback"))).text
    assert ("2 in a week" in narrowed, "250 queued" in narrowed) == (True, False)
    nothing = (await mine.ask("GET", of("c1", "birthday"))).text
    assert "no event of this customer fitted" in nothing
    assert "Nothing is known about this customer" in (await mine.ask("GET", of("nobody"))).text


async def test_a_long_story_is_read_by_pages_without_a_loss(site: Site) -> None:
    now = utc_now()
    many = [decision(n, now - timedelta(minutes=n), customer_id="c1", detail=f"told {n} end") for n in range(120)]
    await put(Recorded(site.pool, KEEP), many)
    mine, path, seen, pages = await signed_in(site), of("c1"), list[int](), 0
    while path:
        text = (await mine.ask("GET", path)).text
        seen += map(int, re.findall(r"told (\d+) end", text))
        following = re.search(r'<a href="([^"]+)" rel="next">', text)
        path, pages = html.unescape(following[1]) if following else "", pages + 1
    assert (seen, pages) == (list(range(120)), 3)


async def test_a_page_does_not_wait_for_a_broker_that_is_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    only_the_shared_client_is_patient_with_kafka(monkeypatch)
    mine = await signed_in(site)
    await mine.ask("GET", of("c1"))
    page = await mine.ask("GET", of("c1"))
    assert (page.status, "Kafka does not answer" in page.text) == (200, True)


async def test_customers_are_found_by_a_name_which_no_address_of_a_page_has(site: Site) -> None:
    await known(site.pool, PEOPLE)
    mine = await signed_in(site)
    assert "Find" in (await mine.ask("GET", CUSTOMERS)).text
    page = await mine.ask("POST", f"{CUSTOMERS}/find", {"text": "KOWALSKA"})
    assert re.findall(r'<a href="/p/shop/customers\?id=(\w+)"', html.unescape(page.text)) == ["c1", "c2"]
    assert "Anna.K@shop.example" in page.text
    one = await mine.ask("POST", f"{CUSTOMERS}/find", {"text": "anna.k@shop.example"})
    assert (one.status, one.headers["location"]) == (303, f"{CUSTOMERS}?id=c1")
    shown = html.unescape((await mine.ask("GET", one.headers["location"])).text)
    assert "<dt>Phone</dt><dd><bdi>+48 501 234 567</bdi></dd>" in shown and '"plan": "gold"' in shown
    assert "No profile is kept" in (await mine.ask("GET", of("nobody"))).text
    nobody = await mine.ask("POST", f"{CUSTOMERS}/find", {"text": "<script>"})
    assert (nobody.status, "Nobody was found" in nobody.text, "<script>" in nobody.text) == (200, True, False)
    for text in ("", "  ", "x" * 201):
        wrong = await mine.ask("POST", f"{CUSTOMERS}/find", {"text": text})
        assert (wrong.status, "1 to 200 characters" in wrong.text) == (422, True)
