"""Pages of messages over real HTTP: their list, and one of them from its event to its provider."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest

from agents.clock import utc_now
from agents.roles.sender.ledger_rows import kept_record
from schemas.errors import TryLater
from schemas.formats.cursors import write_cursor
from schemas.record_key import Keyed
from schemas.template import StoredTemplate
from store.erasure import Erasure
from store.read_models.recorded import Recorded
from store.sending.deliveries import Deliveries
from store.sending.ledger import Ledger, Settlement
from tests.factory import customer, delivery
from tests.integration.test_deliveries import failed, report, settle
from tests.integration.test_recorder import KEEP, decision, put, status
from tests.integration.test_store import LEASE, new
from tests.integration.test_web import Site
from tests.integration.test_web_projects import signed_in, site

__all__ = ["site"]
LIST = "/p/shop/messages"
TEMPLATE = StoredTemplate(name="hello", subject="Hi {{ customer.name }}", text="Dear {{ customer.name }}, {{ x }}")
EVIL = "<script>alert(1)</script>{{ 7 * 7 }}\u202e"


async def taken_in(site: Site, *rows: Any) -> Ledger:
    ledger = Ledger(site.pool)
    await ledger.claim_new(rows, owner="s", lease=LEASE)
    return ledger


async def mailed(site: Site, name: str) -> Ledger:
    """An e-mail in the ledger with its template."""
    template = msgspec.structs.replace(TEMPLATE, text="Dear {{ customer.name }}, thanks")
    made = delivery("email", customer(name=name))
    email = msgspec.structs.replace(made.email, template=template.ref)
    made = msgspec.structs.replace(made, delivery_id="d1", email=email)
    kept = "insert into templates (digest, name, body, created_at) values ($1, 'hello', $2, now())"
    await site.pool.execute(kept, template.ref.digest, msgspec.json.encode(template).decode())
    return await taken_in(site, new(1, "main", record=kept_record(made), channel="email"))


def chain(page: str) -> dict[str, str]:
    found = re.findall(r"<div><dt>([^<]*)</dt><dd>(.*?)</dd></div>", page.partition('<dl class="chain">')[2])
    return {name: re.sub(r"<[^>]*>", "", text).split(" ")[0] for name, text in found}


async def test_a_message_tells_its_attempts_and_the_ids_that_lead_to_it(site: Site) -> None:
    ledger = await taken_in(site, new(1, "shop.example", event_id="ev7"))
    await settle(ledger, failed("d1", "HTTP 501 at the endpoint"))
    now = utc_now()
    of: dict[str, Any] = {"customer_id": "c1", "distribution": msgspec.structs.replace(decision().distribution, id="x")}
    event = msgspec.structs.replace(decision().event, id="ev7", created_at=now - timedelta(hours=3))
    held = decision(1, now - timedelta(hours=3), outcome="deferred", reason="quiet_hours", detail="until 09:00",
                    channel="webhook", until=now - timedelta(hours=1), event=event, **of)  # fmt: skip
    made = decision(2, now - timedelta(hours=1), outcome="emitted", reason=None, detail=None, channel="webhook",
                    delivery_id="d1", event=event, **of)  # fmt: skip
    other = decision(3, now, outcome="skipped", reason="no_address", channel="sms", event=event, **of)
    await put(Recorded(site.pool, KEEP), [held, made, other])
    mine = await signed_in(site)
    page = await mine.ask("GET", f"{LIST}/d1")
    assert (page.status, page.title) == (200, "Message")
    assert chain(page.text) == {
        "Event": "ev7", "Customer": "c1", "Distribution": "x", "Decision": f"dec_{2:032x}", "Delivery": "d1",
        "Id at its provider": "not",
    }  # fmt: skip
    (row,) = re.findall(r'<tr><th scope="row">(\d)</th>(.*)</tr>', page.text)
    assert (row[0], "HTTP 501 at the endpoint" in row[1]) == ("1", True)
    assert "It was held until" in page.text
    assert "quiet hours, or hours outside of its window; until 09:00" in page.text
    assert '<b><span class="state failed">failed</span></b> <code>d1</code>' in page.text
    assert "there is no address" not in page.text, "it is about another channel"


async def test_what_it_says_is_shown_to_those_who_may_take_it_along(site: Site) -> None:
    """A code in it could be redeemed by whoever sees it."""
    ledger = await mailed(site, f"Ann{EVIL}")
    await settle(ledger, Settlement("d1", "sent", "250 ok", provider_id="<id-at-provider>"))
    for role in ("viewer", "editor", "approver"):
        page = await (await signed_in(site, role)).ask("GET", f"{LIST}/d1")
        assert (page.status, "Dear Ann" in page.text) == (200, False), role
        assert "is shown to operator and admin" in page.text
    page = await (await signed_in(site, "operator")).ask("GET", f"{LIST}/d1")
    assert "Dear Ann" in page.text
    assert "<script>" not in page.text
    assert "\u202e" not in page.text
    assert "jo@example.com" not in page.text
    assert chain(page.text)["Id at its provider"] == "&lt;id-at-provider&gt;"
    await report(site.pool, "d1", "bounced")
    assert '<span class="state bounced">' in (await (await signed_in(site, "admin")).ask("GET", f"{LIST}/d1")).text


async def test_what_an_erased_customer_was_sent_is_not_shown(site: Site) -> None:
    await settle(await mailed(site, "Ann"), Settlement("d1", "sent", "250 ok"))
    mine = await signed_in(site, "operator")
    assert "Dear Ann" in (await mine.ask("GET", f"{LIST}/d1")).text
    await Erasure(site.pool).note({Keyed("shop", "c1"): datetime.now(UTC)})
    page = await mine.ask("GET", f"{LIST}/d1")
    assert (page.status, "Ann" in page.text) == (200, False)
    assert "its customer was erased" in page.text


async def test_a_webhook_is_shown_without_what_lets_one_in(site: Site) -> None:
    made = delivery("webhook", url="https://hooks.example.com/x?token=s3cret")
    made = msgspec.structs.replace(made, delivery_id="d1")
    await taken_in(site, new(1, "hooks.example.com", record=kept_record(made)))
    page = await (await signed_in(site, "admin")).ask("GET", f"{LIST}/d1")
    assert "&quot;order&quot;" in page.text
    assert "s3cret" not in page.text
    assert "x-team" not in page.text


async def test_a_message_that_no_sender_has_taken_yet_is_found_from_its_customer(site: Site) -> None:
    made = decision(1, utc_now(), customer_id="c1", outcome="emitted", reason=None, delivery_id=f"dlv_{1:032x}")
    await put(Recorded(site.pool, KEEP), [made])
    mine = await signed_in(site)
    text = html.unescape((await mine.ask("GET", "/p/shop/customers?id=c1")).text)
    (path,) = set(re.findall(r'href="(/p/shop/messages/[^"]+)"', text))
    page = await mine.ask("GET", html.unescape(path))
    assert (page.status, "no sender has taken it yet" in page.text) == (200, True)
    assert chain(page.text)["Decision"] == made.decision_id
    for query in ("", "?event=ev9", "?event="):
        assert (await mine.ask("GET", f"{LIST}/dlv_{1:032x}{query}")).status == 404, query


async def test_a_message_that_the_ledger_has_forgotten_is_told_by_what_is_recorded(site: Site) -> None:
    """Reported elsewhere: the page of a thing fails once what it refers to is gone."""
    at = utc_now() - timedelta(days=50)
    await put(Recorded(site.pool, KEEP), [status(1, at, detail="250 queued")])
    mine = await signed_in(site, "operator")
    page = await mine.ask("GET", f"{LIST}/dlv_{1:032x}")
    assert (page.status, "250 queued" in page.text, "None is known" in page.text) == (200, True, True)
    assert chain(page.text)["Event"] == "ev1", "its end names it"
    await put(Recorded(site.pool, KEEP), [decision(1, at, outcome="emitted", reason=None, delivery_id=f"dlv_{1:032x}")])
    page = await mine.ask("GET", f"{LIST}/dlv_{1:032x}")
    assert chain(page.text)["Decision"] == f"dec_{1:032x}"


async def test_another_projects_message_is_not_there(site: Site) -> None:
    await taken_in(site, new(1, project_id="outlet"))
    mine = await signed_in(site)
    for path in (f"{LIST}/d1", f"{LIST}/nothing", f"{LIST}/a%2Fb", f"{LIST}/%2e%2e"):
        assert (await mine.ask("GET", path)).status == 404, path
    assert (await mine.ask("GET", f"{LIST}/%00")).status == 422
    assert (await mine.ask("GET", f"{LIST}/d1?event=%00")).status == 422
    assert "d1" not in (await mine.ask("GET", LIST)).text.partition("<main")[2]


async def test_the_list_is_filtered_and_paged_by_its_address(site: Site) -> None:
    ledger = await taken_in(site, *(new(number, customer_id="a/b") for number in range(120)))
    await settle(ledger, failed("d1"), Settlement("d2", "sent", "HTTP 200"))
    mine, path, seen = await signed_in(site), LIST, list[str]()
    while path:
        text = html.unescape((await mine.ask("GET", path)).text)
        seen += re.findall(r'<th scope="row"><a href="/p/shop/messages/(\w+)">', text)
        following = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = html.unescape(following[1]) if following else ""
    assert sorted(seen) == sorted(f"d{number}" for number in range(120))
    for query, expected in (("?outcome=failed", {"d1"}), ("?outcome=sent", {"d2"}), ("?distribution=other", set()),
                            ("?outcome=failed&reason=none", {"d1"}), ("?outcome=failed&reason=expired", set()),
                            ("?outcome=failed&since=1h", {"d1"}), ("?outcome=failed&until=1h", set())):  # fmt: skip
        text = html.unescape((await mine.ask("GET", LIST + query)).text)
        assert set(re.findall(r'<th scope="row"><a href="/p/shop/messages/(\w+)">', text)) == expected, query
        assert ("Nothing fits" in text) == (not expected), query
    assert 'href="/p/shop/customers?id=a%2Fb"' in html.unescape((await mine.ask("GET", LIST)).text)
    for query in ("?outcome=snet", "?reason=x", "?since=x", "?cursor=x", "?cursor=W10", "?outcome=skipped",
                  "?outcome=skipped&distribution=x&reason=x", "?outcome=skipped&distribution=x&cursor=x",
                  "?outcome=skipped&distribution=x&since=x", "?distribution=%00",
                  "?distribution=" + "x" * 300):  # fmt: skip
        wrong = await mine.ask("GET", LIST + query)
        assert (wrong.status, "There is a problem" in wrong.text) == (422, True), query
        files = [await mine.ask("GET", f"{LIST}.{kind}{query}") for kind in ("json", "csv")]
        assert [one.status for one in files] == [422, 422], query


async def test_a_place_that_somebody_made_up_is_refused(site: Site) -> None:
    mine = await signed_in(site)
    for at, name in (("0001-01-01T00:00:00+14:00", "d1"), ("2026-11-20T08:00:00Z", "d\0"), ("2026-11-20", "d1")):
        ledger, decided = write_cursor([at, name]), write_cursor([at, name, name])
        for path in (f"{LIST}?cursor={ledger}", f"{LIST}?distribution=x&outcome=skipped&cursor={decided}",
                     f"/p/shop/customers?id=c1&cursor={decided}"):  # fmt: skip
            assert (await mine.ask("GET", path)).status == 422, (path, at, name)


async def test_the_list_is_a_file_as_well(site: Site) -> None:
    ledger = await taken_in(site, *(new(number, customer_id="=1+1") for number in range(3)))
    await settle(ledger, failed("d1"))
    mine = await signed_in(site)
    page = json.loads((await mine.ask("GET", f"{LIST}.json?outcome=failed")).text)
    assert ([one["delivery"] for one in page["items"]], page["next"]) == (["d1"], None)
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text)))
    assert {(row["delivery"], row["customer"]) for row in rows} == {(f"d{number}", "'=1+1") for number in range(3)}


async def test_a_file_has_all_rows_however_many_they_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.web.lists._AT_ONCE", 3)
    await taken_in(site, *(new(number) for number in range(10)))
    mine = await signed_in(site)
    rows = list(csv.DictReader(io.StringIO((await mine.ask("GET", f"{LIST}.csv")).text)))
    assert sorted(row["delivery"] for row in rows) == sorted(f"d{number}" for number in range(10))


async def test_a_file_that_cannot_go_on_is_not_taken_for_a_whole_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.web.lists._AT_ONCE", 3)
    await taken_in(site, *(new(number) for number in range(10)))
    mine = await signed_in(site)
    listed = Deliveries.newest

    async def list_once(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(Deliveries, "newest", away)
        return await listed(*given, **named)

    async def away(*_: Any, **__: Any) -> Any:
        raise TryLater("the database is away", what="Postgres")

    monkeypatch.setattr(Deliveries, "newest", list_once)
    with pytest.raises(aiohttp.ClientPayloadError):
        await mine.ask("GET", f"{LIST}.csv")


async def test_decisions_are_listed_by_pages_without_a_loss(site: Site) -> None:
    now = utc_now()
    many = [decision(n, now - timedelta(minutes=n), reason="capped", detail=f"told {n} end") for n in range(120)]
    await put(Recorded(site.pool, KEEP), [*many, decision(200, now, detail="told 200 end")])
    mine, seen = await signed_in(site), list[int]()
    path = f"{LIST}?distribution=thanks&outcome=skipped&reason=capped"
    while path:
        text = (await mine.ask("GET", path)).text
        seen += map(int, re.findall(r"told (\d+) end", text))
        following = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = html.unescape(following[1]) if following else ""
    assert seen == list(range(120))
