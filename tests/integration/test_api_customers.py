"""Customers over the API, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import msgspec
import pytest
from msgspec import structs
from typer.testing import CliRunner

from agents.broker.reader import TopicReader
from agents.ingest_time import moment
from agents.roles.sender.erasures import Erasures
from agents.roles.sender.leases import Leases
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from agents.wiring import Wiring
from console.api.customers import MOST_PROFILES
from console.cli.main import app
from deploy.settings.settings import Settings
from schemas.record_key import parse_key
from store.consent_choices import ConsentChoices
from store.erasure import Erasure
from store.holds import HoldRow, Holds
from store.read_models.recorded import Recorded
from store.segment_transaction import MembershipRow
from store.segments import Segments
from store.sending.ledger import Ledger
from tests.environment import set_environment
from tests.integration.api_client import Api, running_api, wired
from tests.integration.test_recorder import decision, put, status
from tests.integration.test_retention import delivery
from tests.integration.test_store import LEASE, claim, settlement

ANN: dict[str, Any] = {"email": "ann@shop.example", "consents": {"marketing": True}, "shoe_size": 42}


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("customers", "decisions", "delivery.status")) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


def told(wiring: Wiring) -> list[tuple[bytes, Any]]:
    """The keys and profiles on the topic; None for a tombstone."""
    with TopicReader(wiring, "customers") as reader:
        return [(one.key(), one.value() and reader.decode(one)) for one in reader.until_now()]


# -- in -------------------------------------------------------------------------------------------------------------


CSV = """\ufeffid,name,email,consents.marketing,consents.news.daily,metadata.zip,metadata.a.b:number,metadata.v:truth\r
c1,"Ann ""A"" O'Neil",ann@shop.example,TRUE,false,00123,12.5,true\r
\r
c2,,,,,,,\r
'+48501234567,'=x,,,,,,\r
"""


async def test_one_profile_or_many_are_on_their_topic_under_the_key_of_their_project(api: Api, wiring: Wiring) -> None:
    one = await api.ask("PUT", "/customers/c1", ANN, role="operator")
    tried = await api.ask("PUT", "/customers/c2?dry_run=true", ANN, role="editor")
    many = await api.ask("POST", "/customers", [{"id": "c2"}, {"id": "c3", "name": "Cy"}], role="editor")
    other = await api.ask("POST", "/customers", {"id": "c1"}, project="outlet")
    assert [(a.status, a.json["accepted"], a.json["dry_run"]) for a in (one, tried, many, other)] == [
        (202, 1, False), (200, 1, True), (202, 2, False), (202, 1, False),
    ]  # fmt: skip
    found = told(wiring)
    assert [key for key, _ in found] == [b"c1", b"c2", b"c3", wiring.key("outlet", "c1")]
    assert found[0][1] == {"id": "c1", "metadata": {}, **ANN}
    assert found[2][1]["name"] == "Cy"


async def test_the_id_in_the_body_is_that_in_the_path(api: Api, wiring: Wiring) -> None:
    same = await api.ask("PUT", "/customers/c1", {**ANN, "id": "c1"})
    other = await api.ask("PUT", "/customers/c1", {**ANN, "id": "ann@shop.example"})
    assert (same.status, other.status, other.json["errors"][0]["pointer"]) == (202, 422, "/id")
    assert b"ann@" not in other.raw
    for path in ("/customers/a%1Fb", "/customers/a%00b", "/customers/" + "x" * 257):
        refused = await api.ask("PUT", path, ANN)
        assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "id"), path
    assert len(told(wiring)) == 1


async def test_of_profiles_with_wrong_ones_none_is_written_and_each_is_named(api: Api, wiring: Wiring) -> None:
    wrong = [
        {"id": "c1", **ANN}, "ann@shop.example", {**ANN}, {"id": "c2", "email": ["ann@shop.example"]},
        {"id": "c3", "project_id": "outlet"}, {"id": "a\x1fann@shop.example"}, {"id": "c1"},
    ]  # fmt: skip
    answer = await api.ask("POST", "/customers", wrong)
    assert answer.status == 422
    assert [one["pointer"] for one in answer.json["errors"]] == [
        "/1", "/2/id", "/3/email", "/4/project_id", "/5/id", "/6/id",
    ]  # fmt: skip
    assert b"ann@" not in answer.raw
    huge = await api.ask("PUT", "/customers/c1", {"metadata": {"note": "x" * 1_100_000}})
    assert (huge.status, "at most 1,048,576 are read" in huge.json["errors"][0]["detail"]) == (422, True)
    many: list[dict[str, Any]] = [{"id": f"c{number}"} for number in range(MOST_PROFILES + 1)]
    for body in (b"[]", msgspec.json.encode(many), b'"ann@shop.example"', b"null"):
        refused = await api.ask("POST", "/customers", body)
        assert (refused.status, b"ann@" in refused.raw) == (422, False), body[:20]
    assert (await api.ask("PUT", "/customers/c1", b'{"email": "a", "email": "b"}')).status == 400
    assert (await api.ask("PUT", "/customers/c1", [{"id": "c1"}])).status == 422
    assert told(wiring) == []


async def test_profiles_that_are_sent_again_are_written_once(api: Api, wiring: Wiring) -> None:
    first = await api.ask("POST", "/customers", [{"id": "c1"}], idempotency_key="import-1")
    again = await api.ask("POST", "/customers", [{"id": "c1"}], idempotency_key="import-1")
    other = await api.ask("POST", "/customers", [{"id": "c2"}], idempotency_key="import-1")
    assert (first.raw, again.headers["idempotency-replayed"], other.status) == (again.raw, "true", 409)
    assert [key for key, _ in told(wiring)] == [b"c1"]


# -- erased ---------------------------------------------------------------------------------------------------------

MARK = "jo@example.com"


async def whatever_is_kept(pool: asyncpg.Pool, project: str) -> str:
    """All rows of a project, whatever the table, as text; the audit log apart, which names the id."""
    tables = await pool.fetch(
        "select table_name as name from information_schema.columns"
        " join information_schema.tables using (table_schema, table_name) where table_schema = 'public'"
        " and column_name = 'project_id' and table_type = 'BASE TABLE'"
    )
    rows = "select coalesce(string_agg(t::text, '|'), '') from {} t where t.project_id = $1"
    return "".join([await pool.fetchval(rows.format(one["name"]), project) for one in tables])


def says(kept: str) -> bool:
    return MARK in kept or MARK.encode().hex() in kept


async def known(pool: asyncpg.Pool, project: str) -> None:
    """A customer with a delivery that was sent and one that waits, what was recorded of them, a hold and a choice."""
    arrived = datetime.now(UTC) - timedelta(minutes=1)
    named = [structs.replace(delivery(one, "c1"), project_id=project, delivery_id=f"{project}{one}") for one in (1, 2)]
    ledger = Ledger(pool)
    await claim(ledger, "s", [row_of(Work(one, 0, arrived), timedelta()) for one in named])
    ends = settlement(f"{project}1", provider_id=MARK), settlement(f"{project}2", "waiting", wait=LEASE)
    await ledger.settle(ends, owner="s")
    whose = {"project_id": project, "customer_id": "c1", "detail": MARK}
    number = 1 if project == "shop" else 2
    recorded = Recorded(pool, timedelta(days=90))
    await put(recorded, [decision(number, arrived, **whose)], partition=number)
    await put(recorded, [status(number, arrived, **whose)], partition=number)
    await ConsentChoices(pool).choose(project, "c1", {"marketing": False}, way="page", delivery_id=None)
    held = HoldRow(project, f"hld_{number}", 0, "thanks", "c1", "delayed", arrived, arrived, MARK.encode())
    await Holds(pool).add([held])


async def tombstones(wiring: Wiring) -> list[Any]:
    """Those on the topic, as a role gets them."""
    with TopicReader(wiring, "customers") as reader:
        found = [one for one in reader.until_now() if one.value() is None]
    return [SimpleNamespace(key=one.key(), value=None, timestamp=one.timestamp()[1], headers=()) for one in found]


async def read_by_roles(pool: asyncpg.Pool, records: list[Any]) -> None:
    """A sender's and a holder's reading of tombstones."""
    erasures = Erasures(Erasure(pool), Leases(LEASE), owner="s", default_project="shop")
    await erasures.take(cast(Any, SimpleNamespace(records=records)))
    at = {parse_key(one.key, "shop"): moment(one.timestamp) for one in records}
    await Holds(pool).erase(list(at.items()))


async def test_an_erased_customer_is_nowhere_once_roles_have_read_the_tombstone(api: Api, wiring: Wiring) -> None:
    for project in ("shop", "outlet"):
        await known(api.pool, project)
        assert says(await whatever_is_kept(api.pool, project))
    await api.pool.execute("delete from outbox")  # the choices: their topic is not there
    for project in ("shop", "outlet"):
        assert (await api.ask("PUT", "/customers/c1", {"email": MARK}, project=project)).status == 202
    gone = await api.ask("DELETE", "/customers/c1", role="operator")
    assert (gone.status, gone.json["customer"], gone.json["dry_run"]) == (200, "c1", False)
    found = await tombstones(wiring)
    assert [one.key for one in found] == [b"c1"]
    await read_by_roles(api.pool, found)
    assert not says(await whatever_is_kept(api.pool, "shop"))
    assert says(await whatever_is_kept(api.pool, "outlet"))
    states = await api.pool.fetch("select state from deliveries where project_id = 'shop' order by delivery_id")
    assert [one["state"] for one in states] == ["sent", "failed"]
    asked = await api.pool.fetch("select project_id, action, thing from audit_log where action <> 'key.created'")
    assert [tuple(one) for one in asked] == [("shop", "customer.erased", "c1")]


async def test_the_key_of_another_project_erases_its_own_customer_alone(api: Api, wiring: Wiring) -> None:
    assert (await api.ask("DELETE", "/customers/c1", project="outlet")).status == 200
    assert [one.key for one in await tombstones(wiring)] == [wiring.key("outlet", "c1")]


async def test_a_receipt_names_what_goes_when_and_what_does_not(api: Api, wiring: Wiring) -> None:
    tried = await api.ask("DELETE", "/customers/c1?dry_run=true")
    assert (tried.status, tried.json["dry_run"], await tombstones(wiring)) == (200, True, [])
    assert await api.pool.fetchval("select count(*) from audit_log where action <> 'key.created'") == 0
    again = [await api.ask("DELETE", "/customers/c1") for _ in range(2)]
    assert [one.status for one in again] == [200, 200]
    assert [one.key for one in await tombstones(wiring)] == [b"c1", b"c1"]
    told = again[-1].json
    at = datetime.fromisoformat(told["asked_at"])
    clean = {one["topic"]: datetime.fromisoformat(one["clean_by"]) - at for one in told["topics"]}
    assert clean[wiring.topic("decisions")] == timedelta(days=8)
    assert clean[wiring.topic("dead-letters")] == timedelta(days=31)
    assert clean[wiring.topic("customers")] == timedelta(days=1)
    assert clean[wiring.topic("tidings-matcher-customers-changelog")] == timedelta(days=1)
    assert wiring.topic("events.orders") in told["excepted"]
    assert not clean.keys() & {*told["excepted"], wiring.topic("distributions"), wiring.topic("notices")}
    assert "hash" in " ".join(told["stays"])
    wrong = await api.ask("DELETE", "/customers/a%1Fb")
    assert (wrong.status, wrong.json["errors"][0]["parameter"]) == (422, "id")


async def test_the_command_does_the_same(api: Api, wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, wiring)

    def run(*options: str) -> str:
        done = CliRunner().invoke(app, ["customers", "erase", "c1", *options])
        assert done.exit_code == 0, done.output
        return done.output

    tried = await asyncio.to_thread(run, "--dry-run", "--json")
    assert (msgspec.json.decode(tried)["dry_run"], await tombstones(wiring)) == (True, [])
    said = await asyncio.to_thread(run)
    assert "events.orders" in said and "suppressions" in said
    assert [one.key for one in await tombstones(wiring)] == [b"c1"]


# -- the timeline ---------------------------------------------------------------------------------------------------


async def test_a_timeline_has_what_was_decided_what_waits_and_what_was_chosen(api: Api) -> None:
    for project in ("shop", "outlet"):
        await known(api.pool, project)
    await api.ask("PUT", "/segments/vip", {"members": ["c1"]})
    async with Segments(api.pool).transaction() as work:
        await work.put_memberships("shop", [MembershipRow("c1", "vip", True, 1, datetime.now(UTC))])
    found = (await api.ask("GET", "/customers/c1/timeline", role="viewer")).json
    assert [one["event"]["id"] for one in found["items"]] == ["ev1"]
    assert {one["delivery_id"] for one in found["deliveries"]} == {"shop1", "shop2"}
    assert [one["hold_id"] for one in found["holds"]] == ["hld_1"]
    assert [one["segment"] for one in found["segments"]] == ["vip"]
    assert found["behind"] == {"records": 0, "since": None}
    assert [(one["category"], one["given"]) for one in found["choices"]] == [("marketing", False)]
    other = (await api.ask("GET", "/customers/c1/timeline", project="outlet")).json
    assert [one["hold_id"] for one in other["holds"]] == ["hld_2"]
    assert other["segments"] == []
    nobody = (await api.ask("GET", "/customers/c9/timeline")).json
    assert not any(nobody[name] for name in ("items", "deliveries", "ends", "holds", "segments", "choices", "next"))
    assert (await api.ask("GET", "/customers/a%1Fb/timeline")).status == 422


async def test_pages_of_a_timeline_go_back_in_time_and_lose_nothing(api: Api) -> None:
    now = datetime.now(UTC)
    decided = [decision(number, now - timedelta(minutes=number), customer_id="dlv_c1") for number in range(5)]
    await put(Recorded(api.pool, timedelta(days=90)), decided)
    seen = [one["event"]["id"] async for items in api.pages("/customers/dlv_c1/timeline?limit=2") for one in items]
    assert seen == ["ev0", "ev1", "ev2", "ev3", "ev4"]
