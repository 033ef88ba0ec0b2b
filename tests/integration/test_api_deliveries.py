"""Deliveries over the API: listed, counted, read, sent again, cancelled, hurried; on a real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.api import deliveries
from console.control.deliveries import STATES, STATUSES
from deploy.settings.settings import Settings
from schemas.closed import members
from schemas.topics import CUSTOMERS
from store.sending.ledger import Ledger, NewDelivery, Settlement
from tests.integration.api_client import Answer, Api, running_api, wired
from tests.integration.test_deliveries import DAY, due, failed, record, settle, states
from tests.integration.test_store import LEASE, new


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    """A wiring with the topic that sending again reads."""
    with wired(settings, dsn, (CUSTOMERS,)) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def taken_in(api: Api, *rows: NewDelivery) -> Ledger:
    ledger = Ledger(api.pool)
    await ledger.claim_new(rows, owner="s", lease=LEASE)
    return ledger


async def put_off(ledger: Ledger, *identities: str) -> None:
    """Deliveries that wait for their next attempt."""
    await settle(ledger, *(Settlement(one, "waiting", "HTTP 503", DAY) for one in identities))


async def change(api: Api, action: str, choice: dict[str, Any], query: str = "", **more: Any) -> Answer:
    return await api.ask("POST", f"/deliveries/{action}{query}", choice, **{"role": "operator", **more})


async def test_deliveries_are_listed_in_pages_that_lose_none_while_they_change(api: Api) -> None:
    ledger = await taken_in(api, *(new(number, customer_id=f"c{number % 2}") for number in range(9)))
    await api.pool.execute("update open_deliveries set created_at = date_trunc('day', created_at)")
    await taken_in(api, new(20, project_id="outlet"))
    first = (await api.ask("GET", "/deliveries?limit=4", role="viewer")).json
    await settle(ledger, Settlement("d4", "sent", "HTTP 200"), failed("d8"))  # they move to another table meanwhile
    await taken_in(api, new(10))
    second = (await api.ask("GET", f"/deliveries?limit=4&cursor={first['next']}")).json
    third = (await api.ask("GET", f"/deliveries?limit=4&cursor={second['next']}")).json
    listed = [one["delivery_id"] for page in (first, second, third) for one in page["items"]]
    assert listed == [f"d{number}" for number in range(9)]
    assert third["next"] is None
    mine = (await api.ask("GET", "/deliveries?customer=c1&state=waiting")).json["items"]
    assert {one["delivery_id"] for one in mine} == {"d1", "d3", "d5", "d7", "d10"}
    grouped = (await api.ask("GET", "/deliveries/counts?state=failed")).json["groups"]
    assert [(one["detail"], one["deliveries"]) for one in grouped] == [("HTTP 501", 1)]


async def test_a_delivery_is_read_with_its_attempts_by_its_project_alone(api: Api) -> None:
    ledger = await taken_in(api, new(1))
    await settle(ledger, failed("d1"))
    one = (await api.ask("GET", "/deliveries/d1")).json
    assert (one["state"], one["detail"], [a["detail"] for a in one["attempts_made"]]) == (
        "failed", "HTTP 501", ["HTTP 501"],
    )  # fmt: skip
    for missing in (await api.ask("GET", "/deliveries/d9"), await api.ask("GET", "/deliveries/d1", project="outlet")):
        assert missing.status == 404


async def test_waiting_ones_are_cancelled_and_what_is_being_sent_is_said_to_go_on(api: Api) -> None:
    """Reported elsewhere: a cancel that answers as if it had worked while the message goes out."""
    ledger = await taken_in(api, *(new(number) for number in range(4)))
    await put_off(ledger, "d0", "d1")
    await settle(ledger, Settlement("d2", "sent", "HTTP 200"))
    choice = {"ids": ["d0", "d1", "d2", "d3", "d9"]}
    tried = await change(api, "cancel", choice, "?dry_run=true")
    assert (tried.json["reached"], tried.json["done"], tried.json["dry_run"]) == (2, 0, True)
    assert tried.json["standing"]["under_way"] == 1
    assert tried.json["missed"] == {"d2": "sent", "d9": None}
    assert (await states(ledger, 4))["d0"][0] == "waiting"
    done = await change(api, "cancel", choice, idempotency_key="k1")
    assert (done.status, done.json["reached"], done.json["done"], done.json["left"]) == (200, 2, 2, 0)
    assert (await change(api, "cancel", choice, idempotency_key="k1")).raw == done.raw
    again = await change(api, "cancel", choice)
    assert (again.json["done"], again.json["missed"]["d0"]) == (0, "canceled")
    row = await api.pool.fetchrow("select detail from deliveries where delivery_id = 'd0'")
    assert row is not None
    assert row["detail"].startswith("cancelled by key:live-operator-")
    await settle(ledger, Settlement("d3", "sent", "HTTP 200"))
    assert (await states(ledger, 4))["d3"][0] == "sent"


async def test_of_two_who_cancel_at_once_each_delivery_is_cancelled_by_one(api: Api) -> None:
    ledger = await taken_in(api, *(new(number) for number in range(50)))
    await put_off(ledger, *(f"d{number}" for number in range(50)))
    answers = await asyncio.gather(*(change(api, "cancel", {"distribution": "x"}) for _ in range(4)))
    assert sum(one.json["done"] for one in answers) == 50
    acted = await api.pool.fetchval("select sum(cardinality(actions)) from deliveries")
    assert acted == 50


async def test_one_request_changes_so_many_and_says_how_many_are_left(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MOST_AT_ONCE", 3)
    ledger = await taken_in(api, *(new(number) for number in range(5)))
    await put_off(ledger, *(f"d{number}" for number in range(5)))
    answers = [(await change(api, "cancel", {"customer": "c1"})).json for _ in range(3)]
    assert [(one["reached"], one["done"], one["left"]) for one in answers] == [(5, 3, 2), (2, 2, 0), (0, 0, 0)]


async def test_what_is_put_off_is_hurried(api: Api) -> None:
    ledger = await taken_in(api, new(1), new(2))
    await put_off(ledger, "d1", "d2")
    assert (await change(api, "hurry", {"ids": ["d2"]})).json["done"] == 1
    assert await due(ledger) == {"d2": 1}


async def test_failed_ones_are_sent_again_but_for_those_without_consent_by_now(api: Api, wiring: Wiring) -> None:
    mails = [
        new(1, channel="email", record=record("transactional")), new(2, channel="email", record=record("marketing")),
        new(3, channel="email", record=record("transactional"), project_id="outlet"),
    ]  # fmt: skip
    customer = {"id": "c1", "project_id": "shop", "consents": {"marketing": False}}
    row = Output(wiring.topic(CUSTOMERS), wiring.key("shop", "c1"), wiring.codec(CUSTOMERS).encode(customer))
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [row], patience=60)
    producer.close()
    ledger = await taken_in(api, *mails)
    await settle(ledger, *(failed(one.delivery_id) for one in mails))
    tried = (await change(api, "resend", {"channel": "email", "since": "1h"}, "?dry_run=true")).json
    assert (tried["reached"], tried["held"], tried["done"], tried["standing"]["within"]) == (1, {"consent": 1}, 0, 2)
    assert await due(ledger) == {}
    done = (await change(api, "resend", {"channel": "email", "since": "1h"}, role="approver")).json
    assert (done["done"], done["left"]) == (1, 0)
    assert set(await due(ledger)) == {"d1"}


async def test_what_may_have_arrived_is_sent_again_only_where_that_is_asked_for(api: Api) -> None:
    ledger = await taken_in(api, new(1, channel="email", record=record("transactional")))
    await settle(ledger, failed("d1", "TimeoutError", is_ambiguous=True))
    kept_back = (await change(api, "resend", {"ids": ["d1"]})).json
    assert (kept_back["done"], kept_back["may_have_arrived"]) == (0, 1)
    assert (await change(api, "resend", {"ids": ["d1"], "possibly_accepted": True})).json["done"] == 1


BAD_CHOICES: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, ""),
    ({"status": "waiting"}, ""),
    ({"customer": "c1", "since": "soon"}, "/since"),
    ({"customer": "c1", "chanel": "email"}, "/chanel"),
    ({"channel": "emial"}, "/channel"),
    ({"ids": "d1"}, "/ids"),
    ({"ids": ["d1"] * 1001}, "/ids"),
    ({"customer": "c1", "state": "sent"}, "/state"),
)


async def test_a_choice_that_says_nothing_or_is_wrong_is_refused_by_its_place(api: Api) -> None:
    ledger = await taken_in(api, new(1))
    await put_off(ledger, "d1")
    for choice, pointer in BAD_CHOICES:
        for action in ("cancel", "hurry", "resend"):
            answer = await change(api, action, choice)
            assert (answer.status, [one["pointer"] for one in answer.json["errors"]]) == (422, [pointer]), answer.json
    assert (await states(ledger, 2))["d1"][0] == "waiting"
    for query in ("state=gone", "since=soon", "cursor=AAAA", "reason=capt", "customer=%00"):
        assert (await api.ask("GET", f"/deliveries?{query}")).status == 422, query


async def test_who_only_looks_or_writes_changes_no_delivery_and_a_test_key_only_tries(api: Api) -> None:
    ledger = await taken_in(api, new(1))
    await put_off(ledger, "d1")
    for role in ("viewer", "editor"):
        assert (await change(api, "cancel", {"ids": ["d1"]}, role=role)).status == 403
    key = await api.new_key("operator", kind="test", lasts=timedelta(hours=1))
    assert (await change(api, "cancel", {"ids": ["d1"]}, key=key)).status == 403
    assert (await change(api, "cancel", {"ids": ["d1"]}, "?dry_run=true", key=key)).json["reached"] == 1
    assert (await change(api, "cancel", {"ids": ["d1"]}, project="outlet")).json["missed"] == {"d1": None}
    assert (await states(ledger, 2))["d1"][0] == "waiting"


def test_the_words_of_the_api_are_those_of_the_command() -> None:
    assert members(deliveries.State) == STATES
    assert members(deliveries.Status) == STATUSES
