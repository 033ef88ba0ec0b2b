"""Two projects on one deployment, one of them on a plan: so many of its messages leave, and all of the other's."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.broker.outbox import publish_outbox
from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from console.control.explain import Asking, story
from schemas.events.event import Event
from schemas.topics import DELIVERY_STATUS
from store.distributions import Change, Control
from store.limits import Limits
from streams.documents.distribution import DefinitionContext, parse_definition
from tests.e2e.harness import PATIENCE, Product, product

pytestmark = pytest.mark.timeout(400)

EVENTS, MOST = 60, 7
LIMITED = f"[limits]\nin_all = {MOST}\n"


async def apply(running: Product, project: str) -> None:
    definition = {
        "distribution": "paid", "trigger": {"event": "customer.order.paid"}, "consent": "transactional",
        "channels": [{"webhook": {"url": running.receiver.url, "type": "paid"}}],
    }  # fmt: skip
    made = parse_definition(definition, DefinitionContext(project, 1, datetime.now(UTC), {}, {}, {}))
    async with database(running.wiring) as pool:
        control = Control(pool)
        await control.save([Change(made.distribution, "", ())], applied_by="test", now=datetime.now(UTC))
        await publish_outbox(control, running.wiring, running.producer)


def order(wiring: Wiring, project: str, number: int) -> Output:
    data = {"customer": {"id": f"c{number}"}, "order": {"id": f"o{number}", "amount": 100}}
    event = Event(
        id=f"{project}-{number}",
        project_id=project,
        type="customer.order.paid",
        created_at=datetime.now(UTC),
        data=data,
    )
    codec = wiring.codec("events.orders")
    return Output(wiring.topic("events.orders"), wiring.key(project, f"c{number}"), codec.encode(event))


def statuses(running: Product) -> Counter[tuple[str, str, str | None]]:
    """Ends by how they were told; each is told at least once, so that one told again counts as one."""
    with TopicReader(running.wiring, DELIVERY_STATUS) as reader:
        found: list[dict[str, Any]] = [reader.decode(message) for message in reader.until_now()]
    ends = {one["delivery_id"]: (one["project_id"], one["outcome"], one.get("reason")) for one in found}
    return Counter(ends.values())


async def test_a_project_on_a_plan_sends_exactly_so_many_and_its_neighbour_all(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, processes=2, more=LIMITED) as running:
        for project in ("shop", "outlet"):
            await apply(running, project)
        orders = [order(running.wiring, project, one) for one in range(EVENTS) for project in ("shop", "outlet")]
        await write_all(running.producer, orders, patience=PATIENCE)
        told = {
            ("shop", "sent", None): MOST,
            ("shop", "failed", "limit"): EVENTS - MOST,
            ("outlet", "sent", None): EVENTS,
        }
        await running.until(lambda: statuses(running) == told, "every end is told")
        assert len(running.receiver.received) == MOST + EVENTS
        async with database(running.wiring) as pool:
            (use,) = await Limits(pool).used("shop")
            assert (use.span, use.used, use.allowed) == ("in_all", MOST, MOST)
            assert await Limits(pool).used("outlet") == []
            failed = await pool.fetchval("select customer_id from deliveries where reason = 'limit' limit 1")
            (shown,) = (await story(pool, running.wiring, "shop", Asking(failed), datetime.now(UTC))).deliveries
            assert (shown.outcome, shown.reason, shown.attempts) == ("failed", "limit", 0)
            assert shown.detail == f"the plan of the project lets {MOST} messages leave in all"
