"""From an event to a code of its own for a customer, and the messages that carry it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.context import database
from console.control.distributions import announcer
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from schemas.campaign import Campaign, CodeConfig
from schemas.decision import Decision
from schemas.events.event import Event
from schemas.topics import AUDIT, NOTICES
from store.campaigns import CampaignChange, Campaigns
from store.codes.pool import Codes, Count
from store.distributions import Control
from tests.e2e.harness import Product, product
from tests.faults.harness import FULL

ROLES: Any = ("matcher", "publisher", "sender")
GOLDEN = Path(__file__).parents[1] / "unit" / "schemas" / "golden" / "manual_codes.json"
JACK: dict[str, Any] = {
    "id": "cust_IdgAFZxYwwHctOk9pPuMu308", "name": "Jack Webhook", "email": None, "source_id": "jck-wbhk",
    "metadata": {"region": "EMEA", "sign-up": "true"}, "object": "customer",
}  # fmt: skip


async def add_campaign(running: Product, codes: int, identity: str = "spring", **changes: Any) -> None:
    fields: dict[str, Any] = {
        "id": identity, "project_id": "shop", "version": 1, "name": "Spring", "kind": "DISCOUNT_COUPONS",
        "type": "STATIC", "created_at": datetime.now(UTC), "discount": {"type": "PERCENT", "percent_off": 10},
    }  # fmt: skip
    async with database(running.wiring) as pool:
        campaign = Campaign(**{**fields, **changes})
        await Campaigns(pool).save([CampaignChange(campaign, "")], applied_by="test", now=datetime.now(UTC))
    if codes:
        await refill(running, [f"{identity}-{number}" for number in range(codes)], identity)


async def refill(running: Product, codes: list[str], identity: str = "spring") -> None:
    async with database(running.wiring) as pool:
        await Codes(pool).add("shop", identity, codes, datetime.now(UTC))


async def count(running: Product) -> Count:
    async with database(running.wiring) as pool:
        (found,) = await Codes(pool).counts("shop", datetime.now(UTC))
        return found


def giving(running: Product, name: str = "give", **changes: Any) -> dict[str, Any]:
    return {
        "distribution": name,
        "trigger": {"event": "customer.order.paid"},
        "publish": {"campaign": "spring"},
        "consent": "transactional",
        "channels": [{"webhook": {"url": running.receiver.url, "type": name}}],
        **changes,
    }


def order(number: int, customer: str | None = None) -> Event:
    data = {"customer": {"id": customer or f"c{number}"}, "order": {"id": f"o{number}", "amount": 100}}
    return event(f"ev{number}", "customer.order.paid", data)


def event(identity: str, kind: str, data: dict[str, Any]) -> Event:
    return Event(id=identity, project_id="shop", type=kind, created_at=datetime.now(UTC), data=data)


def bodies(running: Product, name: str) -> list[dict[str, Any]]:
    found = [json.loads(one.body) for one in running.receiver.received]
    return [one for one in found if one["type"] == name]


def last_decisions(running: Product, name: str = "") -> dict[str, Decision]:
    """By event; of one distribution, where it is named."""
    return {one.event.id: one for one in running.decisions() if name in ("", one.distribution.id)}


def on_topic(running: Product, topic: str) -> list[dict[str, Any]]:
    with TopicReader(running.wiring, topic) as reader:
        return [reader.decode(message) for message in reader.until_now()]


async def until_settled(running: Product, holds: Callable[[], bool], what: str) -> None:
    await running.until(holds, what)
    await running.until(running.all_processed, "no lag is left")


async def test_each_customer_gets_a_code_and_a_chained_message_names_it(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await add_campaign(running, 20)
        await running.apply(giving(running, again="once_per_customer"))
        chained = giving(running, "told", trigger={"event": "customer.publication.succeeded", "campaign": "spring"})
        del chained["publish"]
        await running.apply(chained)
        await running.publish([order(number) for number in range(10)])
        await running.publish([order(100 + number, f"c{number}") for number in range(10)])
        await until_settled(running, lambda: len(bodies(running, "told")) == 10, "the chain arrived")
        given = {one["data"]["customer"]["id"]: one["data"]["voucher"] for one in bodies(running, "give")}
        assert len({voucher["code"] for voucher in given.values()}) == 10 == len(given)
        assert all(voucher["holder_id"] == customer for customer, voucher in given.items())
        told = {one["data"]["customer"]["id"]: one["data"]["voucher"] for one in bodies(running, "told")}
        assert told == {customer: _without_nulls(voucher) for customer, voucher in given.items()}, "Avro keeps no nulls"
        reasons = Counter(one.reason for one in running.decisions() if one.distribution.id == "give")
        assert reasons == {None: 10, "duplicate": 10}
        published, before = await count(running), len(running.receiver.received)
        assert published.published == 10
        await running.publish(running.published[:])
        await running.until(running.all_processed, "the replay is through")
        assert (await count(running)) == published, "a replay claims nothing"
        assert len(running.receiver.received) == before


async def test_a_manual_send_of_codes_has_the_shape_of_the_published_example(wiring: Wiring, tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    config = CodeConfig(**golden["campaign"]["voucher"]["code_config"])
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await add_campaign(
            running, 0, type="AUTO_UPDATE", code_config=config, name="Spring Discounts",
            discount=golden["campaign"]["voucher"]["discount"], category_id=golden["campaign"]["category_id"],
            description=golden["campaign"]["description"], updated_at=datetime.now(UTC),
        )  # fmt: skip
        await running.apply(giving(running, "by-hand", trigger={"event": "manual_distribution_schedule"}))
        sent = {"customer": JACK, "distribution": {**golden["distribution"], "id": "by-hand"}}
        made = event("ev1", "manual_distribution_schedule", sent)
        await running.publish_raw("events.manual", JACK["id"].encode(), msgspec.json.encode(made))
        await running.until(lambda: len(running.receiver.received) == 1, "the message arrived")
        (body,) = bodies(running, "by-hand")
        assert _shape(body["data"]) == _shape(golden)
        assert body["data"]["customer"] == golden["customer"]
        assert body["data"]["publication"]["channel"] == "Dashboard"
        assert body["data"]["publication"]["vouchers_id"] == [body["data"]["voucher"]["id"]]
        assert body["data"]["voucher"]["code"].startswith("SPRING-2024-")


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if inner is not None}


def _shape(value: Any) -> Any:
    """Names and kinds all the way down."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value).__name__


WITHOUT_A_CODE = {
    "stop": ("skipped", "no_code"),
    "skip": ("skipped", "no_code"),
    "send-without": ("emitted", None),
    "wait": ("deferred", "no_code"),
}


async def test_a_pool_that_runs_dry_in_a_batch(wiring: Wiring, tmp_path: Path) -> None:
    """Four at once, of which each has a pool of its own and another thing to do."""
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        for name in WITHOUT_A_CODE:
            await add_campaign(running, 3, name)
            publish = {"campaign": name, "when_empty": name.replace("-", "_")}
            await running.apply(giving(running, name, publish=publish))
        await running.publish([order(number) for number in range(5)])
        await until_settled(running, lambda: len(running.receiver.received) == 3 + 3 + 5 + 3, "what can leave has left")
        for name, missing in WITHOUT_A_CODE.items():
            found = Counter((one.outcome, one.reason) for one in last_decisions(running, name).values())
            assert found == Counter([("emitted", None)] * 3 + [missing] * 2), name
        await _check_alarms(running)
        await refill(running, ["late-1", "late-2"], "wait")
        await running.until(lambda: len(bodies(running, "wait")) == 5, "those who waited got theirs")
        await running.until(
            lambda: {one.outcome for one in last_decisions(running, "wait").values()} == {"emitted"},
            "and it is said",
        )
        codes = {one["data"]["voucher"]["code"] for one in bodies(running, "wait")}
        assert codes == {"wait-0", "wait-1", "wait-2", "late-1", "late-2"}


async def test_what_went_out_without_a_code_takes_none_after_a_refill(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await add_campaign(running, 0)
        publish = {"campaign": "spring", "when_empty": "send_without"}
        await running.apply(giving(running, publish=publish, again="once_per_customer"))
        await running.publish([order(1, "ann")])
        await until_settled(running, lambda: len(bodies(running, "give")) == 1, "it left without a code")
        await refill(running, ["late-1", "late-2", "late-3"])
        await running.publish([order(2, "ann"), order(3, "bob")])
        await running.publish(running.published[:1])
        await until_settled(running, lambda: len(bodies(running, "give")) == 2, "only another customer's is sent")
        assert [one["data"].get("voucher", {}).get("code") for one in bodies(running, "give")] == [None, "late-1"]
        said = {event: (one.outcome, one.reason) for event, one in last_decisions(running).items()}
        assert said == {"ev1": ("emitted", None), "ev2": ("skipped", "duplicate"), "ev3": ("emitted", None)}
        assert (await count(running)).published == 1


async def test_what_waits_for_codes_knows_who_was_erased_and_what_was_paused_or_stopped(
    wiring: Wiring, tmp_path: Path
) -> None:
    names = ("live", "paused", "stopped", "deleted")
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        for name in names:
            await add_campaign(running, 0, name)
            await running.apply(giving(running, name, publish={"campaign": name, "when_empty": "wait"}))
        await running.publish([order(1, "gone"), order(2, "stays")])
        await until_settled(running, lambda: len(running.decisions()) == 8, "all wait")
        async with database(running.wiring) as pool:
            await running.publish_raw("customers", b"gone", None)
            await running.until(
                lambda: _fates(running)["ev1"] == dict.fromkeys(names, "erased"), "erased without codes"
            )
            for name, status in (("paused", "PAUSED"), ("stopped", "STOPPED")):  # what is asked again is stopped by it
                await _set_status(running, pool, name, status)
            await pool.execute("delete from distribution_versions where distribution_id = 'deleted'")
            for name in names:
                await refill(running, [f"{name}-1", f"{name}-2"], name)
            ended = {"live": None, "paused": "no_code", "stopped": "stopped", "deleted": "stopped"}
            await running.until(lambda: _fates(running)["ev2"] == ended, "each as its distribution says")
            assert await pool.fetchval("select count(*) from held_requests") == 1
            await _set_status(running, pool, "paused", "LIVE")
            await running.until(lambda: len(running.receiver.received) == 2, "what was paused goes on")
            assert await pool.fetchval("select array_agg(customer_id) from publications") == ["stays", "stays"]
        assert {one["data"]["customer"]["id"] for one in map(json.loads, _sent(running))} == {"stays"}


def _sent(running: Product) -> list[bytes]:
    return [one.body for one in running.receiver.received]


def _fates(running: Product) -> dict[str, dict[str, str | None]]:
    """By event and distribution, the last reason."""
    found: dict[str, dict[str, str | None]] = {}
    for one in running.decisions():
        found.setdefault(one.event.id, {})[one.distribution.id] = one.reason
    return found


async def _set_status(running: Product, pool: Any, name: str, status: Any) -> None:
    control = Control(pool)
    before = (await control.current("shop"))[name]
    await control.set_status(before, status, applied_by="test", now=datetime.now(UTC))
    await announcer(running.wiring)(control)


async def _check_alarms(running: Product) -> None:
    """The one that stops is paused, and its owner is told of that and of each pool, once."""
    await running.until(lambda: "distribution_paused" in running.logs_of("publisher"), "the alarm is raised")
    async with database(running.wiring) as pool:
        current = await Control(pool).current("shop")
    assert {name: (one.status, one.version) for name, one in current.items() if one.version > 1} == {
        "stop": ("PAUSED", 2)
    }
    told = {("distribution_paused", "stop"), *(("codes_low", name) for name in WITHOUT_A_CODE)}
    await running.until(lambda: len(on_topic(running, NOTICES)) == len(told), "its owner is told, once of each")
    assert {(one["kind"], one["about"]) for one in on_topic(running, NOTICES) if one["state"] == "opened"} == told
    who = {"publisher", "test"}
    await running.until(lambda: who <= {one["actor"] for one in on_topic(running, AUDIT)}, "its topic has the log")


@pytest.mark.timeout(900 if FULL else 600)
async def test_killed_publishers_give_each_request_one_code_and_none_twice(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(71)
    requests, kills, codes = (50_000, 20, 49_000) if FULL else (3000, 3, 2900)
    async with product(wiring.settings, tmp_path, roles=("matcher", "publisher"), processes=2) as running:
        await add_campaign(running, codes)
        await running.apply(giving(running, publish={"campaign": "spring", "when_empty": "skip"}))
        publishers = [worker for worker in running.workers.workers if worker.role == "publisher"]
        at = set(rng.sample(range(1, requests // 100), kills))
        for chunk in range(requests // 100):
            await running.publish([order(chunk * 100 + number) for number in range(100)])
            if chunk in at:
                rng.choice(publishers).send(signal.SIGKILL)
            running.workers.look()
        await running.until(running.all_processed, "everything is processed", 240.0)
        found = last_decisions(running)
        assert Counter((one.outcome, one.reason) for one in found.values()) == {
            ("emitted", None): codes, ("skipped", "no_code"): requests - codes,
        }  # fmt: skip
        given = {one["delivery_id"]: one for one in on_topic(running, "deliveries.webhook")}
        by_customer = {one["customer"]["id"]: one["data"]["voucher"]["code"] for one in given.values()}
        assert len(given) == len(by_customer) == len(set(by_customer.values())) == codes
        for one in on_topic(running, "deliveries.webhook"):
            assert one["data"]["voucher"]["code"] == by_customer[one["customer"]["id"]], "a repeat has the same code"
        told = {one["id"] for one in on_topic(running, "events.publications")}
        assert len(told) == codes
        pool = await count(running)
        assert (pool.total, pool.published, pool.free) == (codes, codes, 0)


async def test_a_request_that_cannot_be_read_is_dead_lettered_alone(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await add_campaign(running, 3)
        await running.apply(giving(running))
        await running.publish_raw("publications.requests", b"c1", b'{"publication_id": 7}')
        await running.publish_raw("publications.requests", b"c1", None)
        await running.publish([order(1)])
        await running.until(lambda: len(running.receiver.received) == 1, "the good one went through")
        await running.until(lambda: len(running.dead_letters()) == 2, "the bad ones are dead-lettered")
        facts = [msgspec.to_builtins(fact) for _, _, fact in running.dead_letters()]
        assert {fact["role"] for fact in facts} == {"publisher"}


async def test_requests_wait_while_postgres_is_away_and_matching_goes_on(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "servers", os.environ)
    endpoints = await asyncio.to_thread(servers.start)
    settings = Settings(
        kafka=Kafka(bootstrap=endpoints.kafka),
        postgres=Postgres(dsn=Secret(endpoints.postgres)),
        topics=Topics(prefix="f.", partitions=2),
    )
    try:
        async with product(settings, tmp_path, roles=("matcher", "publisher")) as running:
            await add_campaign(running, 1000)
            await running.apply(giving(running))
            await running.publish([order(number) for number in range(200)])
            await running.until(running.all_processed, "codes are given")
            await asyncio.to_thread(servers.postgres.kill)
            await running.publish([order(number) for number in range(200, 400)])
            await running.until(lambda: len(on_topic(running, "publications.requests")) == 400, "matching goes on")
            await asyncio.sleep(60 if FULL else 1)  # so long it is away
            await asyncio.to_thread(servers.postgres.start)
            await running.until(running.all_processed, "those who waited got theirs")
            given = {
                one["customer"]["id"]: one["data"]["voucher"]["code"] for one in on_topic(running, "deliveries.webhook")
            }
            assert len(given) == len(set(given.values())) == 400
            assert (await count(running)).published == 400
            assert all(worker.starts == 1 for worker in running.workers.workers)
    finally:
        await asyncio.to_thread(servers.stop)
