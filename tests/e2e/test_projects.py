"""Two projects with the same names for everything run the whole demo side by side, and never see each other."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from agents.broker.outbox import publish_outbox
from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from console.demo.expected import Expected, expect
from console.demo.population import customers, events
from console.demo.stage import ROLES, apply_examples
from schemas.closed import ChannelName
from schemas.distribution import Distribution
from schemas.events.event import Event
from schemas.events.triggers import TRIGGERS
from schemas.topics import DISTRIBUTIONS
from store.distributions import Control
from tests.e2e.harness import PATIENCE, Product, product
from tests.e2e.test_main_job import rules_of

pytestmark = pytest.mark.timeout(600)

EVENTS, PEOPLE, SEED = 400, 60, 11
PUBLIC = ("deliveries.webhook", "deliveries.email", "decisions", "delivery.status")


class Project:
    """One of two projects on a product: what is published in it, and what that has to come to."""

    def __init__(self, name: str, product: Product, people_seed: int) -> None:
        self.name, self.product = name, product
        self.wiring = Wiring(product.wiring.settings, project=name)
        self.people = {one["id"]: one for one in customers(PEOPLE, people_seed)}
        self.rules: list[Distribution] = []
        self.expected = Expected()

    async def apply(self) -> None:
        self.rules = await apply_examples(self.wiring, self.product.folder / self.name, self.product.receiver.url)

    async def pause(self, identity: str) -> None:
        async with database(self.wiring) as pool:
            control, rule = Control(pool), next(one for one in self.rules if one.id == identity)
            paused = await control.set_status(rule, "PAUSED", applied_by="test", now=datetime.now(UTC))
            await publish_outbox(control, self.wiring, self.product.producer)
        self.rules = [paused if one.id == identity else one for one in self.rules]

    async def write(self, topic: str, records: list[tuple[str, Any]]) -> None:
        codec, name = self.wiring.codec(topic), self.wiring.topic(topic)
        outputs = [
            Output(name, self.wiring.key(self.name, who), None if record is None else codec.encode(record))
            for who, record in records
        ]
        await write_all(self.product.producer, outputs, patience=PATIENCE)

    async def play(self, made: list[dict[str, Any]]) -> None:
        """Publish events, and add what they have to come to."""
        now = datetime.now(UTC)
        published = [msgspec.convert({**one, "project_id": self.name, "created_at": now}, Event) for one in made]
        for topic in {TRIGGERS[one.type].topic for one in published}:
            await self.write(topic, [(one.customer_id, one) for one in published if TRIGGERS[one.type].topic == topic])
        self.expected = expect(published, self.people, self.rules)

    def decided(self, decisions: list[dict[str, Any]]) -> tuple[int, Counter[str]]:
        """As many decisions as the demo counts: matched, and skipped by reason; apart from what is paused."""
        mine = [one for one in decisions if one["project_id"] == self.name and one.get("reason") != "paused"]
        matched = len({(one["event"]["id"], one["distribution"]["id"]) for one in mine})
        return matched, Counter(str(one.get("reason")) for one in mine if one["outcome"] == "skipped")


def public(product: Product, topic: str) -> list[dict[str, Any]]:
    """A public topic's records; each has the key of its project and customer."""
    with TopicReader(product.wiring, topic) as reader:
        found = [(message.key(), reader.decode(message)) for message in reader.until_now()]
    for key, one in found:
        customer = one["customer"]["id"] if "customer" in one else one["customer_id"]
        assert key == product.wiring.key(one["project_id"], customer)
    return [one for _, one in found]


async def settled(product: Product, projects: tuple[Project, ...]) -> None:
    """Wait until all that has to come has come; compare ids as multisets, those of all projects and no others."""
    wanted = {
        channel: Counter(
            identity for one in projects for identity in one.expected.deliveries[cast(ChannelName, channel)]
        )
        for channel in product.received()
    }
    assert all(set(found.values()) <= {1} for found in wanted.values()), "equal names make ids of their own"
    await product.until(
        lambda: all(product.received()[channel] >= found for channel, found in wanted.items()), "every delivery arrived"
    )
    await product.until(product.all_processed, "no lag is left")
    assert product.received() == wanted


async def test_the_whole_demo_runs_for_two_projects_with_equal_names(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as run:
        projects = shop, outlet = Project("shop", run, SEED), Project("outlet", run, SEED + 1)
        for one in projects:
            await one.apply()
            await one.write("customers", list(one.people.items()))
        await outlet.pause("order-paid-thanks")
        rules = len(shop.rules) + len(outlet.rules)
        await run.until(lambda: run.all_processed() and rules_of(run.workers.workers[0]) == rules, "all is known")

        made = [one.event for one in events(EVENTS, list(shop.people.values()), SEED, "") if one.event]
        for one in projects:
            await one.play(made)
        await settled(run, projects)
        decisions = public(run, "decisions")
        for one in projects:
            assert one.decided(decisions) == (one.expected.matched, one.expected.skipped)
            assert sum(map(len, one.expected.deliveries.values())) > 20
        assert {one["project_id"] for one in decisions if one.get("reason") == "paused"} == {"outlet"}
        assert shop.expected.skipped != outlet.expected.skipped, "the profiles of the two differ"

        owners = {identity: one.name for one in projects for identity in one.expected.deliveries["webhook"]}
        for received in run.receiver.received:
            assert json.loads(received.body)["project_id"] == owners[received.id]
        statuses = Counter((one["project_id"], one["outcome"]) for topic in PUBLIC[3:] for one in public(run, topic))
        assert statuses == {(one.name, "sent"): sum(map(len, one.expected.deliveries.values())) for one in projects}
        assert sum(len(public(run, topic)) for topic in PUBLIC[:2]) >= statuses.total()
        with TopicReader(run.wiring, DISTRIBUTIONS) as reader:
            keys = {message.key() for message in reader.until_now()}
        assert keys == {run.wiring.key(one.name, rule.id) for one in projects for rule in one.rules}
        assert run.dead_letters() == []
