"""A customer who goes through everything is erased, and then looked for in every store."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from deploy.embedded import kafka
from deploy.embedded.kafka import KafkaServer
from deploy.settings.servers import Kafka
from deploy.settings.settings import Settings
from schemas.customer_export import CustomerExport
from schemas.destination import Destination
from schemas.events.triggers import EVENT_TOPICS
from schemas.suppression import key_hash
from schemas.topics import CHANGELOGS, TOPICS
from store.consent_choices import ConsentChoices
from store.customer_data import KEPT
from store.sending.ledger import Ledger
from tests.e2e.harness import PATIENCE, Product, product
from tests.e2e.scanning import Found, Needles, in_files, in_postgres, in_tables, in_topics
from tests.e2e.test_codes import add_campaign, event, refill
from tests.integration.api_client import Api, running_api

pytestmark = pytest.mark.timeout(900)

ROLES: Any = ("matcher", "publisher", "holder", "sender", "segmenter", "fan_out", "recorder")
WHO = "cust-wqxzerased-9"
CODE = "VXQCODE77"
SAID = {
    "name": 'Quixotzyl "Żółćgęśl" O\'Brién <李>',
    "script": "Żółćgęśl",
    "mail": "wqxz.marker@shop.example",
    "phone": "+48600734291",
    "street": "Plimwotzstraße 7",
    "payload": "Zqvorbixgold",
}
NEEDLES = Needles({**SAID, "code": CODE})
OTHER = Needles({"mail of another": "other@shop.example"})
OF_UPSTREAM = {*EVENT_TOPICS} - {"events.manual", "events.publications"}
QUICKLY = """\
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.cleaner.backoff.ms=200
"""
PROFILE = {
    "id": WHO,
    "name": SAID["name"],
    "email": SAID["mail"],
    "phone": SAID["phone"],
    "consents": {"marketing": True},
    "address": {"street": SAID["street"], "city": SAID["script"]},
    "metadata": {"note": SAID["payload"], "tier": "gold"},
}


@pytest.fixture
def quick_kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A broker of the test's own, which looks every moment for what it may delete or compact."""
    monkeypatch.setattr(kafka, "_SETTINGS", kafka._SETTINGS + QUICKLY)
    server = KafkaServer(tmp_path / "broker", os.environ)
    yield server.start()
    server.kill()


@pytest.fixture
def own(settings: Settings, dsn: str, quick_kafka: str) -> Wiring:
    from deploy.secret import Secret
    from deploy.settings.servers import Postgres

    placed = replace(
        settings,
        kafka=Kafka(bootstrap=quick_kafka),
        postgres=Postgres(dsn=Secret(dsn)),
        topics=replace(settings.topics, partitions=1),
    )
    return Wiring(placed)


# -- a customer goes through everything -----------------------------------------------------------------------------


def message(running: Product, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "distribution": name,
        "trigger": {"event": "customer.order.paid"},
        "consent": "marketing",
        "channels": [{"webhook": {"url": running.receiver.url, "type": name}}],
        **changes,
    }


async def define(running: Product, api: Api) -> None:
    """Distributions of every kind, segments that the customer is in, out of, counted for and not judged by."""
    mail = [{"email": {"account": "main", "subject": "Hi {{ customer.name }}", "text": "To {{ customer.email }}"}}]
    away = [{"webhook": {"url": "http://127.0.0.1:9/hook", "type": "away"}}]
    await add_campaign(running, 0)
    await refill(running, [CODE])
    await add_campaign(running, 0, "empty")
    empty = {"campaign": "empty", "when_empty": "wait"}
    for one in (
        message(running, "mails", channels=mail),
        message(running, "waits", delay="1h"),
        message(running, "gathers", digest={"for": "1h"}),
        message(running, "gives", publish={"campaign": "spring"}),
        message(running, "begs", publish=empty),
        message(running, "cannot", channels=away),
        message(running, "errs", when={"customer.metadata.note": {"at_least": 3}}),
        message(running, "greets", trigger={"event": "customer.segment.entered", "segment": "gold"}),
        message(running, "sends", trigger="manual_distribution_schedule", channels=mail),
    ):
        await running.apply(one)
    async with database(running.wiring) as pool:
        await Ledger(pool).pause_destination(Destination("shop", "webhook", "127.0.0.1:9"), "refused", "HTTP 401")
    orders = {"events": {"type": "customer.order.paid", "count": {"at_least": 1}}}
    for segment, when in (
        ("gold", {"customer.metadata.tier": "gold"}),
        ("tall", {"customer.metadata.note": {"at_least": 3}}),
        ("bought", orders),
    ):
        made = await api.ask("PUT", f"/segments/{segment}", {"when": when})
        assert made.status == 201, made.json


async def live(running: Product, api: Api, pool: asyncpg.Pool) -> None:
    """The customer's profile, events, refused records, a send by hand, a choice and a suppression."""
    for profile in (PROFILE, {"id": "other", "email": "other@shop.example", "consents": {"marketing": True}}):
        told = await api.ask("POST", "/customers", profile, idempotency_key=str(profile["id"]))
        assert told.status == 202, told.json
    await running.until(running.all_processed, "the profile is known")
    order = {"id": "o1", "amount": 5000, "metadata": {"gift": SAID["payload"], "for": SAID["script"]}}
    for number in range(2):
        data = {"customer": {**PROFILE}, "order": order}
        await running.publish([event(f"ev{number}", "customer.order.paid", data)])
    bad = {"id": "ev9", "type": "customer.order.paid", "data": {"customer": PROFILE}}
    await running.publish_raw("events.orders", WHO.encode(), msgspec.json.encode(bad))
    await running.publish_raw("customers", WHO.encode(), msgspec.json.encode({"name": SAID["name"]}))
    draft = await api.ask("POST", "/sends", {"distribution": "sends", "to_customers": [WHO], "hold": "0s"})
    assert draft.status in (200, 201), draft.json
    confirmed = await api.ask("POST", f"/sends/{draft.json['send']['send']}/confirm")
    assert confirmed.status == 200, confirmed.json
    await until(lambda: missing(pool), running, "everything is where it goes")
    await ConsentChoices(pool).choose("shop", WHO, {"news": False}, way="page", delivery_id=None)
    added = await api.ask("POST", "/suppressions", {"keys": [SAID["mail"], SAID["phone"]], "source": SAID["name"]})
    assert added.status == 200, added.json


async def missing(pool: asyncpg.Pool) -> dict[str, int]:
    """The tables that have less than is to come, each with what it has."""
    asked = {
        "ended_deliveries": 5, "open_deliveries": 1, "holds": 3, "held_requests": 1, "publications": 1,
        "segment_memberships": 2, "segment_unjudged": 1, "segment_records": 1, "send_members": 1,
        "recorded_decisions": 10, "recorded_statuses": 5, "endpoint_calls": 1, "consents": 1,
    }  # fmt: skip
    counts = {name: await pool.fetchval(f"select count(*) from {name}") for name in asked}  # noqa: S608
    return {name: counts[name] for name, number in asked.items() if counts[name] < number}


async def until(left: Callable[[], Any], running: Product, what: str) -> None:
    """Wait until nothing is left of what has still to come, or to go."""
    deadline = time.monotonic() + PATIENCE
    while rest := await left():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}: {rest}\n{running.logs()}"
        running.workers.look()
        await asyncio.sleep(0.2)


# -- and is looked for ----------------------------------------------------------------------------------------------


def forget_at_once(wiring: Wiring) -> None:
    """Have every topic but upstream's keep nothing that it need not keep."""
    admin = AdminClient({"bootstrap.servers": wiring.kafka.bootstrap})
    short = {
        "delete": {"retention.ms": "1", "file.delete.delay.ms": "1"},
        "compact": {"min.cleanable.dirty.ratio": "0.0", "max.compaction.lag.ms": "1", "delete.retention.ms": "1"},
    }
    wanted = []
    for name, topic in {**TOPICS, **CHANGELOGS}.items():
        settings = {"segment.ms": "100", **short[topic.cleanup]}
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()
        ]
        if name not in OF_UPSTREAM:
            wanted.append(ConfigResource(ResourceType.TOPIC, wiring.topic(name), incremental_configs=entries))
    for future in admin.incremental_alter_configs(wanted).values():
        future.result(60)


async def until_forgotten(running: Product, needles: Needles) -> Found:
    """Write what is about nobody, so that logs are rolled, until upstream's topics alone have something; all found."""
    await asyncio.to_thread(forget_at_once, running.wiring)
    deadline = time.monotonic() + PATIENCE
    while True:
        for name in {*TOPICS, *CHANGELOGS} - OF_UPSTREAM:
            await write_all(running.producer, [Output(running.wiring.topic(name), b"nobody", b"{}")])
        found = in_topics(running.wiring, needles)
        if found.keys() <= OF_UPSTREAM or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.5)


async def erased(running: Product, api: Api, pool: asyncpg.Pool) -> Any:
    """The receipt, once every role has read the tombstone and told what comes of it."""
    receipt = await api.ask("DELETE", f"/customers/{WHO}")
    assert receipt.status == 200, receipt.json
    await running.until(running.all_processed, "every role has read the tombstone")

    async def waiting() -> list[str]:
        waits = (
            "open_deliveries where true",
            "held_requests where true",
            "holds where ended_at is null",
            "sends where status <> 'DONE'",
        )
        return [one for one in waits if await pool.fetchval(f"select exists (select from {one})")]  # noqa: S608

    await until(waiting, running, "nothing waits for the customer any more")
    await running.until(running.all_processed, "it is recorded")
    return receipt.json


async def test_an_erased_customer_is_found_nowhere_but_where_the_receipt_says(own: Wiring, tmp_path: Path) -> None:
    folder = tmp_path / "product"
    folder.mkdir()
    async with product(own.settings, folder, roles=ROLES) as running, database(running.wiring) as pool:
        async with running_api(running.wiring) as api:
            await define(running, api)
            await live(running, api, pool)
            before = await in_postgres(pool, NEEDLES)
            exported = await api.ask("GET", f"/customers/{WHO}/export")
            assert exported.status == 200, exported.raw
            assert NEEDLES.within(exported.raw) == {*SAID, "code"}
            check_export(msgspec.json.decode(exported.raw, type=CustomerExport))
            receipt = await erased(running, api, pool)
        assert {*before} >= {
            "open_deliveries", "ended_deliveries", "holds", "held_requests", "segment_customers", "segment_unjudged",
            "recorded_decisions", "endpoint_calls", "publications", "suppressions", "codes",
        }  # fmt: skip
        on_topics = in_topics(running.wiring, NEEDLES)
        assert {*on_topics} >= {"customers", "holds", "decisions", "dead-letters", "deliveries.email", *OF_KAFKA}
        await asyncio.to_thread(running.workers.stop)
        await check_postgres(pool, receipt)
        assert in_tables(folder, NEEDLES) == {}
        assert in_tables(folder, OTHER), "somebody else is still there"
        left = await until_forgotten(running, Needles({**NEEDLES.strings, "id": WHO}))
        assert left.keys() == {"events.orders", "events.segments"}, "which upstream writes as well"
        assert in_files(folder, NEEDLES) == {}
        assert any(name.endswith(".log") for name in in_files(folder, Needles({"a line of logs": "started"})))


async def check_postgres(pool: asyncpg.Pool, receipt: Any) -> None:
    """Nothing is left of what the customer said but the code, nor the id but where the list says that it stays."""
    assert await in_postgres(pool, NEEDLES) == {"codes": {"code"}}, receipt["stays"]
    rows = await pool.fetch("select key, source from suppressions")
    hashed = {f"sha256:{key_hash(SAID[name])}" for name in ("mail", "phone")}
    assert {(row["key"], row["source"]) for row in rows} == {(one, "") for one in hashed}
    stays = {table for one in KEPT if one.stays for table in one.tables}
    ids = await in_postgres(pool, Needles({"id": WHO}))
    assert ids.keys() <= stays
    assert {"audit_log", "ended_deliveries", "publications"} <= ids.keys()
    assert "sends" not in ids


OF_KAFKA = {"publications.requests", "tidings-matcher-customers-changelog"}


def check_export(found: CustomerExport) -> None:
    """Each section has something that the customer went through."""
    assert {name for name in found.__struct_fields__ if not getattr(found, name)} <= {
        "erasures", "reports", "reach", "bounces",
    }  # fmt: skip
