"""No record of any kind ends a worker, is lost, or counts as a defect; and no failure of the disk is a record's."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.broker.reader import TopicReader, headers_of
from agents.wiring import Wiring
from console.control.dead_letters import Letter, Replay
from schemas.dead_letter import DeadLetter
from store.postgres import connect
from store.sending.ledger import Ledger
from tests import hostile
from tests.e2e.harness import PATIENCE, Product, product, thanks
from tests.hostile import Case
from tests.record_batches import Layout, Made, produce_raw, record_batch
from tests.registry_server import registry_server

HOOKS = [{"webhook": {"url": "https://hooks.invalid/", "type": "thanks"}}]


def allow_any_time(wiring: Wiring, *topics: str) -> None:
    """Brokers before 4.0 take any timestamp; a newer one has to be told to. And none is too old to stay."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in (("message.timestamp.after.max.ms", str(2**63 - 1)), ("retention.ms", "-1"))
    ]
    resources = [ConfigResource(ResourceType.TOPIC, wiring.topic(one), incremental_configs=entries) for one in topics]
    admin = AdminClient(wiring.settings.kafka.client())
    for future in admin.incremental_alter_configs(resources).values():
        future.result(60)


async def publish(wiring: Wiring, topic: str, cases: list[Case]) -> None:
    """Each case in a batch of its own, then all of them in one that is compressed; on one partition."""
    bootstrap, name = wiring.settings.kafka.bootstrap, wiring.topic(topic)
    batches = [record_batch([one.made]) for one in cases] if topic == "events.orders" else []
    for batch in [*batches, record_batch([one.made for one in cases], Layout(codec=1))]:
        assert await produce_raw(bootstrap, name, 1, batch) == 0


def dead_letters(wiring: Wiring) -> list[tuple[DeadLetter, Any]]:
    with TopicReader(wiring, "dead-letters") as reader:
        return [(DeadLetter.from_headers(headers_of(one)), one) for one in reader.until_now()]


async def emitted(running: Product) -> set[str]:
    """Events that a message was decided for."""
    decisions = await asyncio.to_thread(running.decisions)
    return {one.event.id for one in decisions if one.outcome == "emitted"}


async def health(running: Product) -> dict[str, Any]:
    """The matcher's answer."""
    (matcher,) = [worker for worker in running.workers.workers if worker.role == "matcher"]
    assert matcher.status_file
    async with aiohttp.ClientSession() as session, session.get(f"{matcher.status_file.read_text()}/healthz") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_no_record_of_any_kind_ends_a_worker_or_is_lost(wiring: Wiring, tmp_path: Path) -> None:
    with registry_server() as registry:
        environ = {"TIDINGS_WIRE_REGISTRY_URL": f"http://127.0.0.1:{registry.server_port}"}
        async with product(wiring.settings, tmp_path, environ=environ) as running:
            await hold_all_against_it(running, registry)


async def hold_all_against_it(running: Product, registry: Any) -> None:
    """One start of the workers for all that may come to them."""
    await assert_hostile_records_are_read_or_refused(running)
    await assert_only_those_wait_whose_schema_is_away(running, registry)
    await assert_a_replay_of_a_replay_is_the_same(running)
    await assert_disk_is_no_records_fault(running)


async def assert_hostile_records_are_read_or_refused(running: Product) -> None:
    """Whatever the record."""
    wiring = running.wiring
    await running.apply(thanks("", channels=HOOKS, consent="transactional"))
    allow_any_time(wiring, "events.orders", "deliveries.webhook", "customers")
    events, customers, deliveries = hostile.events(), hostile.customers(), hostile.deliveries()
    await running.until(lambda: "rule_table_complete" in running.logs_of("matcher"), "the matcher has its rules")
    for topic, cases in (("events.orders", events), ("customers", customers), ("deliveries.webhook", deliveries)):
        await publish(wiring, topic, cases)
    await running.publish_raw("events.orders", b"c1", hostile.plain("last"))
    await running.until(running.all_processed, "all is read")
    wanted = {one.id for one in events if one.fate == "read"} | {"last"}
    assert await emitted(running) == wanted
    refused = {
        ("matcher", "events.orders"): 2 * sum(one.fate == "refused" for one in events),
        ("matcher", "customers"): len(customers),
        ("sender", "deliveries.webhook"): sum(one.fate == "refused" for one in deliveries),
    }
    found = dead_letters(wiring)
    assert Counter((facts.role, facts.topic) for facts, _ in found) == refused
    assert [facts for facts, _ in found if facts.kind == "internal"] == []
    assert [worker.starts for worker in running.workers.workers] == [1, 1], running.logs()
    assert_kept_as_they_were(events, found)
    await assert_in_ledger(wiring, [one.id for one in deliveries if one.fate == "read"])


async def assert_only_those_wait_whose_schema_is_away(running: Product, registry: Any) -> None:
    """The partition waits in order, the others of the topic go on."""
    wiring, bootstrap = running.wiring, running.wiring.settings.kafka.bootstrap
    registry.failing = 503, {}
    framed = Made(b"\0\0\0\0\x09" + hostile.plain("framed"))
    batch = record_batch([framed, Made(hostile.plain("behind it"))])
    assert await produce_raw(bootstrap, wiring.topic("events.orders"), 1, batch) == 0
    assert (
        await produce_raw(bootstrap, wiring.topic("events.orders"), 1, record_batch([Made(hostile.plain("last"))])) == 0
    )
    await until_waits_for(running, "schema registry")
    other = hostile.event("of another", data={"customer": {"id": "c2"}, "order": {"id": "o", "amount": 5000}})
    await produce_raw(
        bootstrap, wiring.topic("events.orders"), 2, record_batch([Made(json.dumps(other).encode(), b"c2")])
    )
    await until_emitted(running, {"of another"})
    assert not {"framed", "behind it"} & await emitted(running)
    registry.known[9] = {"schema": "{}", "schemaType": "JSON"}
    registry.failing = None
    await until_emitted(running, {"framed", "behind it"})


async def assert_a_replay_of_a_replay_is_the_same(running: Product) -> None:
    """It is refused once more, and what is kept of it is what was kept before."""
    before = dead_letters(running.wiring)
    one = next(Letter(message, facts) for facts, message in before if facts.own_headers == 2 and facts.path == "id")
    (done,) = await asyncio.to_thread(lambda: list(Replay(running.wiring).run([one])))
    assert (done.why_not, done.note) == ("", "")
    await running.until(lambda: len(dead_letters(running.wiring)) == len(before) + 1, "it is refused again")
    facts, message = max(dead_letters(running.wiring), key=lambda pair: pair[1].offset())
    again = Letter(message, facts)
    assert again.own_headers() == one.own_headers()
    assert (message.key(), message.value()) == (one.message.key(), one.message.value())
    assert (facts.timestamp, facts.topic, facts.partition) == (
        one.facts.timestamp,
        one.facts.topic,
        one.facts.partition,
    )


async def until_waits_for(running: Product, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while what not in (answer := await health(running))["waits_for"]:
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.1)
    assert (answer["healthy"], answer["status"]) == (True, "waiting")


async def until_emitted(running: Product, wanted: set[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted <= await emitted(running):
        assert time.monotonic() < deadline, running.logs()
        await asyncio.sleep(0.1)


def assert_kept_as_they_were(events: list[Case], found: list[tuple[DeadLetter, Any]]) -> None:
    """The first batches hold one case each, so their offsets are the cases'."""
    for facts, message in found:
        if facts.topic == "events.orders" and facts.offset < len(events):
            made = events[facts.offset].made
            assert (message.key(), message.value(), facts.timestamp) == (made.key, made.value, made.timestamp)
            own = facts.own_of(headers_of(message))
            assert own == [(name.decode(errors="backslashreplace"), value) for name, value in made.headers]


async def assert_in_ledger(wiring: Wiring, identities: list[str]) -> None:
    pool = await connect(wiring.settings.postgres.dsn.reveal(), size=1)
    try:
        for identity in identities:
            assert await Ledger(pool).delivery(identity) is not None
    finally:
        pool.terminate()


async def assert_disk_is_no_records_fault(running: Product) -> None:
    """A limit on the size of its files takes effect on a worker like a full disk; its log is a file as well."""
    wiring = running.wiring
    (matcher,) = [worker for worker in running.workers.workers if worker.role == "matcher"]
    before, unlimited = len(dead_letters(wiring)), resource.RLIM_INFINITY
    await running.apply(thanks("", distribution="promo", channels=HOOKS))
    await running.publish_raw("customers", b"c1", b'{"id": "c1", "consents": {"marketing": true}}')
    await running.until(running.all_processed, "the profile is in the table")
    resource.prlimit(matcher.pid, resource.RLIMIT_FSIZE, (0, unlimited))
    withdrawn = b'{"id": "c1", "consents": {"marketing": false}, "email": "new@example.com"}'
    await running.publish_raw("customers", b"c1", withdrawn)
    await running.publish_raw("events.orders", b"c1", hostile.plain("while full"))
    await until_waits_for(running, "disk")
    lag = {(one.topic, one.lag) for one in running.lag.read() if one.lag}
    assert (wiring.topic("customers"), 1) in lag
    resource.prlimit(matcher.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    await running.until(running.all_processed, "it goes on by itself")
    assert "while full" in await emitted(running)
    await running.publish_raw("events.orders", b"c1", hostile.plain("after"))
    await running.until(running.all_processed, "it goes on")
    decisions = await asyncio.to_thread(running.decisions)
    about = {one.distribution.id: one.reason for one in decisions if one.event.id == "after"}
    assert about == {"thanks": None, "promo": "consent"}
    assert len(dead_letters(wiring)) == before
    assert matcher.starts == 1
