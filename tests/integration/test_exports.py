"""Exports of customers over the API and by command, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.main import app
from console.reference.record_examples import examples
from deploy.settings.settings import Settings
from schemas.customer_export import CustomerExport
from schemas.dead_letter import DeadLetter
from schemas.hold import Hold
from schemas.suppression import key_hash
from store.holds import HoldRow, Holds
from store.segment_transaction import MembershipRow
from store.segments import Segments
from streams.conditions.behaviour import Record
from streams.recent import counted, with_sent
from tests.environment import set_environment
from tests.integration.api_client import Api, running_api, wired
from tests.integration.test_api_customers import MARK, known, read_by_roles, says, tombstones, whatever_is_kept

RECENT = "tidings-matcher-recent-sends-changelog"
TOPICS = ("customers", "decisions", "delivery.status", "dead-letters", RECENT)
NAME = 'Zoë "Ünmistakable" 李'


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, TOPICS) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def told(api: Api, wiring: Wiring) -> None:
    """A customer of each project, of whom each section of an export but a few has something."""
    at = datetime.now(UTC)
    row = with_sent([], [counted("dlv_" + "ab" * 16, "e1", at, lasts=False, channel="sms", category="news", now=at)])
    facts = DeadLetter(
        topic="events.orders", partition=0, offset=7, role="matcher", kind="undecodable", message="no", failed_at="now"
    )
    await api.ask("PUT", "/segments/vip", {"members": ["c1"]})
    for project in ("shop", "outlet"):
        await known(api.pool, project)
        profile = {"email": MARK, "name": f"{NAME} of {project}"}
        assert (await api.ask("PUT", "/customers/c1", profile, project=project)).status == 202
        entry = {"keys": [MARK], "source": f"ticket of {NAME}"}
        assert (await api.ask("POST", "/suppressions", entry, project=project)).status == 200
        key = wiring.key(project, "c1")
        letter = Output(wiring.topic("dead-letters"), key, f"{{{project}".encode(), 0, facts.headers())
        await write_all(api.server._kafka(), [Output(wiring.topic(RECENT), key, row, 0), letter])
    async with Segments(api.pool).transaction() as work:
        await work.put_memberships("shop", [MembershipRow("c1", "vip", True, 1, at)])


async def test_an_export_is_all_that_is_kept_of_one_customer_and_nothing_of_another(api: Api, wiring: Wiring) -> None:
    await told(api, wiring)
    answer = await api.ask("GET", "/customers/c1/export", role="operator", x_request_id="r-1")
    assert (answer.status, answer.headers["content-type"], answer.headers["x-request-id"]) == (
        200, "application/json", "r-1",
    )  # fmt: skip
    found = msgspec.json.decode(answer.raw, type=CustomerExport)
    assert found.profile is not None
    assert (found.project, found.profile["name"]) == ("shop", f"{NAME} of shop")
    assert [(one.channel, one.delivery) for one in found.recent_sends] == [("sms", "ab" * 8)]
    assert [(one.delivery_id, one.state) for one in found.deliveries] == [("shop1", "sent"), ("shop2", "waiting")]
    assert found.deliveries[0].record["delivery"]["data"] == {"customer": {"email": MARK}}
    assert [len(one.tries) for one in found.deliveries] == [1, 1]
    assert ([one.detail for one in found.decisions], [one.detail for one in found.ends]) == ([MARK], [MARK])
    assert [(one.hold_id, one.record) for one in found.holds] == [("hld_1", None)]
    assert [(one.category, one.given) for one in found.choices] == [("marketing", False)]
    assert [(one.segment_id, one.is_member) for one in found.segments] == [("vip", True)]
    assert [(one.key, one.source) for one in found.suppressions] == [(MARK, f"ticket of {NAME}")]
    assert [(one.record, one.value) for one in found.dead_letters] == [("events.orders 0@7", "{shop")]
    assert "outlet" not in answer.raw.decode()
    assert [(one.action, one.actor.startswith("key:")) for one in found.audit] == [("customer.exported", True)]


async def test_who_reads_everything_stands_in_the_log_whoever_it_is(api: Api) -> None:
    asked = (
        "select request_id from audit_log where project_id = 'shop' and action = 'customer.exported' and thing = 'c9'"
    )
    nobody = await api.ask("GET", "/customers/c9/export", x_request_id="r-2")
    assert nobody.status == 200
    found = msgspec.json.decode(nobody.raw, type=CustomerExport)
    assert (found.profile, found.deliveries, len(found.audit)) == (None, [], 1)
    assert [row["request_id"] for row in await api.pool.fetch(asked)] == ["r-2"]
    assert (await api.ask("GET", "/customers/c9/export", role="approver")).status == 403
    assert (await api.ask("GET", "/customers/a%1Fb/export")).status == 422
    assert len(await api.pool.fetch(asked)) == 1


async def test_the_command_writes_the_same_to_a_file_or_to_its_output(
    api: Api, wiring: Wiring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_environment(monkeypatch, wiring)
    await told(api, wiring)
    target = tmp_path / "c1.json"

    def run(*options: str) -> bytes:
        done = CliRunner().invoke(app, ["customers", "export", "c1", *options])
        assert done.exit_code == 0, done.output
        return done.stdout_bytes

    said = await asyncio.to_thread(run)
    assert await asyncio.to_thread(run, str(target)) == b""
    first, second = (msgspec.json.decode(one, type=CustomerExport) for one in (said, target.read_bytes()))
    assert first.deliveries == second.deliveries != []
    assert [len(one.audit) for one in (first, second)] == [1, 2]
    assert await asyncio.to_thread(run, "--project", "outlet") != said


async def test_what_waits_and_what_was_counted_are_shown_as_they_are_meant(api: Api, wiring: Wiring) -> None:
    event = {"id": "e1", "type": "customer.order.paid", "data": {"customer": {"id": "c1", "name": NAME}}}
    (shown,) = examples("holds")
    hold = msgspec.convert({**shown, "value": msgspec.json.encode(event)}, Hold, strict=False)
    at = datetime.now(UTC)
    row = HoldRow("shop", "hld_9", 0, "thanks", "c1", "delayed", at, at, wiring.codec("holds").encode(hold))
    await Holds(api.pool).add([row])
    await api.pool.execute("insert into segment_behaviours values ('shop', 'k', 'events.orders', now(), true)")
    counted_so_far = msgspec.msgpack.encode(Record(events=[(1_000_000, 7, None)], first=1_000_000))
    await api.pool.execute("insert into segment_records values ('shop', 'c1', 'k', $1)", counted_so_far)
    found = msgspec.json.decode((await api.ask("GET", "/customers/c1/export")).raw, type=CustomerExport)
    assert [(one.event, one.record["hold_id"]) for one in found.holds] == [(event, shown["hold_id"])]
    assert [one.record for one in found.behaviours] == [[[[1_000_000, 7, None]], {}, 1_000_000, None]]


async def test_a_customer_with_many_rows_needs_no_more_memory(api: Api) -> None:
    await known(api.pool, "shop")
    await api.pool.execute(
        "insert into endpoint_calls (project_id, endpoint, accepted, delivery_id, customer_id, arrived_at, attempt, at,"
        " duration_ms, outcome, detail, request)"
        " select 'shop', 'e', true, 'd' || n, 'c1', now(), 1, now(), 1, 'accepted', '', to_jsonb(repeat('x', 10000))"
        " from generate_series(1, 5000) n"
    )
    answer = await api.ask("GET", "/customers/c1/export")
    assert len(answer.raw) > 50_000_000
    assert len(msgspec.json.decode(answer.raw, type=CustomerExport).calls) == 5000


# -- what an erasure leaves of it ------------------------------------------------------------------------------------


async def suppressed(pool: asyncpg.Pool, project: str) -> list[tuple[Any, ...]]:
    rows = await pool.fetch("select key, reason, source, key_hash from suppressions where project_id = $1", project)
    return [(row["key"], row["reason"], row["source"], row["key_hash"].hex) for row in rows]


async def test_a_suppression_of_an_erased_customer_is_a_hash_that_stops_the_same(api: Api, wiring: Wiring) -> None:
    await told(api, wiring)
    await api.ask("DELETE", "/customers/c1")
    await api.pool.execute("delete from outbox")  # the choices: their topic is not there
    await read_by_roles(api.pool, await tombstones(wiring))
    hashed = f"sha256:{key_hash(MARK)}"
    assert await suppressed(api.pool, "shop") == [(hashed, "requested", "", key_hash(MARK))]
    assert (await suppressed(api.pool, "outlet"))[0][0] == MARK
    assert not says(await whatever_is_kept(api.pool, "shop"))
    for written in (MARK, hashed):
        found = await api.ask("POST", "/suppressions/find", {"key": written})
        assert [one["key"] for one in found.json["entries"]] == [hashed]
    again = await api.ask("POST", "/suppressions", {"keys": [hashed], "reason": "complained"})
    assert (again.status, len(await suppressed(api.pool, "shop"))) == (200, 1)
    assert await api.listed("/suppressions?limit=1", "key") == [hashed]
    gone = await api.ask("POST", "/suppressions/remove", {"key": hashed})
    assert (gone.status, await suppressed(api.pool, "shop")) == (200, [])


async def test_a_segmenter_keeps_suppressions_of_the_profile_that_it_forgets_as_hashes(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "insert into segment_customers (project_id, customer_id, partition, epoch, profile)"
        " values ('shop', 'c1', 0, 0, $1)",
        msgspec.json.encode({"id": "c1", "email": "Jo@Example.com", "phone": "+48 600 100 200"}),
    )
    for key in ("jo@example.com", "+48600100200", "example.com"):
        await pool.execute(
            "insert into suppressions"
            " values ('shop', $1, '', $2, 'unsubscribed', 'its owner wrote STOP jo', null, now(), 'x')",
            key_hash(key),
            key,
        )
    async with Segments(pool).transaction() as work:
        await work.erase("shop", ["c1"])
    found = {key: source for key, _, source, _ in await suppressed(pool, "shop")}
    assert found == {
        f"sha256:{key_hash('jo@example.com')}": "its owner wrote ",
        f"sha256:{key_hash('+48600100200')}": "its owner wrote ",
        "example.com": "its owner wrote STOP jo",
    }
