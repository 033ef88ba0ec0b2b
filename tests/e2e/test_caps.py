"""Caps on real partitions: whatever is killed and moves, nobody gets one message more, and no place is lost."""

from __future__ import annotations

import random
import signal
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.context import database
from schemas.events.event import Event
from store.holds import Holds
from tests.e2e.harness import Product, product, thanks
from tests.e2e.test_codes import event

pytestmark = pytest.mark.timeout(400)

CUSTOMERS, MOST = 40, 3


async def test_killed_matchers_never_exceed_a_cap_and_lose_no_place(wiring: Wiring, tmp_path: Path) -> None:
    rng, kills = random.Random(7), {300, 600, 900}
    async with product(wiring.settings, tmp_path, roles=("matcher",), processes=2) as running:
        running.lag.roles = ("matcher",)
        for name, priority in (("first", 9), ("second", 1)):
            hook = [{"webhook": {"url": "http://127.0.0.1:1/hook", "type": name}}]
            cap = {"at_most": MOST, "in": "30d"}
            await running.apply(thanks("", distribution=name, when=None, channels=hook, cap=cap, priority=priority))
        await running.load_customers(CUSTOMERS)

        def kill_one(number: int) -> None:
            if number in kills:
                rng.choice(running.workers.workers).send(signal.SIGKILL)

        await running.feed(1200, 300, 7, kill_one)
        await running.until(running.all_processed, "all events are matched")
        assert sum(worker.starts for worker in running.workers.workers) > 2
        assert {key: len(ids) for key, ids in sent_to(running).items()} == {
            f"c{number}": MOST for number in range(CUSTOMERS) if number % 10
        }
        told = Counter((one.outcome, one.reason) for one in decided(running))
        assert told["emitted", None] == MOST * (CUSTOMERS - CUSTOMERS // 10)
        assert told["skipped", "capped"] + told["emitted", None] + told["skipped", "consent"] == 2 * 1200


async def test_partitions_that_change_hands_neither_exceed_a_cap_nor_lose_a_place(
    wiring: Wiring, tmp_path: Path
) -> None:
    """Of two matchers one leaves in order and comes back, then the other: rows are counted on by whoever has them."""
    async with product(wiring.settings, tmp_path, roles=("matcher",), processes=2) as running:
        running.lag.roles = ("matcher",)
        hook = [{"webhook": {"url": "http://127.0.0.1:1/hook", "type": "capped"}}]
        await running.apply(thanks("", when=None, channels=hook, cap={"at_most": MOST, "in": "30d"}))
        await running.load_customers(CUSTOMERS)
        everyone = list(running.workers.workers)

        def swap(number: int) -> None:
            leaving = everyone[number // 300 % 2]
            if number % 300 == 100 and leaving in running.workers.workers:
                running.workers.workers.remove(leaving)
                leaving.send(signal.SIGTERM)
            if number % 300 == 0:
                for one in everyone:
                    if one not in running.workers.workers:
                        one.wait(60)
                        one.start()
                        running.workers.workers.append(one)

        try:
            await running.feed(1200, 200, 8, swap)
            await running.until(running.all_processed, "all events are matched")
        finally:
            running.workers.workers[:] = everyone
        assert min(worker.starts for worker in everyone) > 1, "both have left and come back"
        assert {key: len(ids) for key, ids in sent_to(running).items()} == {
            f"c{number}": MOST for number in range(CUSTOMERS) if number % 10
        }
        told = Counter((one.outcome, one.reason) for one in decided(running))
        assert told["emitted", None] + told["skipped", "capped"] + told["skipped", "consent"] == 1200


async def test_the_highest_priority_gets_the_last_place_though_holders_are_killed(
    wiring: Wiring, tmp_path: Path
) -> None:
    """The lower one's event comes first for everybody; the hour of gathering is over by the database's hand."""
    rng, everyone = random.Random(9), [f"c{number}" for number in range(60)]
    async with product(wiring.settings, tmp_path, roles=("matcher", "holder"), processes=2) as running:
        running.lag.roles = ("matcher", "holder")
        for name, priority, when in (("low", 1, {"less_than": 100}), ("high", 5, {"at_least": 100})):
            hook = [{"webhook": {"url": "http://127.0.0.1:1/hook", "type": name}}]
            cap = {"at_most": 1, "in": "30d", "gather": "1h"}
            which = {"when": {"order.amount": when}, "cap": cap, "priority": priority}
            await running.apply(thanks("", distribution=name, consent="marketing", channels=hook, **which))
        for amount in (5, 500):
            await running.publish([about(customer, amount) for customer in everyone])
            await running.until(running.all_processed, "all are gathered")
        async with database(running.wiring) as pool:
            assert (await Holds(pool).waiting()).waiting == 2 * len(everyone)
            for begin in range(0, len(everyone), 20):
                due = everyone[begin : begin + 20]
                await pool.execute(
                    "update holds set until_at = now() where distribution_id = 'low' and customer_id = any($1)", due
                )
                holders = [one for one in running.workers.workers if one.role == "holder"]
                rng.choice(holders).send(signal.SIGKILL)
                running.workers.look()
                await running.until(partial(are_ended, running, 2 * (begin + 20)), "they are judged")
        await running.until(running.all_processed, "all are judged")
        assert ended(running) == {
            one for name in everyone for one in ((name, "high", "emitted", None), (name, "low", "skipped", "capped"))
        }
        assert all(len(ids) == 1 for ids in sent_to(running).values())


def are_ended(running: Product, many: int) -> bool:
    return len(ended(running)) >= many


def ended(running: Product) -> set[tuple[str, str, str, str | None]]:
    """Decisions of each customer and distribution, as they were in the end."""
    found = {(one.customer_id, one.distribution.id, one.outcome, one.reason) for one in decided(running)}
    return {one for one in found if one[2] != "deferred"}


def about(customer: str, amount: int) -> Event:
    data = {
        "customer": {"id": customer, "consents": {"marketing": True}},
        "order": {"id": f"o-{customer}-{amount}", "amount": amount},
    }
    return event(f"ev-{customer}-{amount}", "customer.order.paid", data)


def sent_to(running: Product) -> dict[str, set[str]]:
    """The deliveries that left, by customer; a repeat is the same one."""
    found: dict[str, set[str]] = defaultdict(set)
    with TopicReader(running.wiring, "deliveries.webhook") as reader:
        for one in map(reader.decode, reader.until_now()):
            found[one["customer"]["id"]].add(one["delivery_id"])
    return found


def decided(running: Product) -> list[Any]:
    """The decisions, each once."""
    return list({one.decision_id: one for one in running.decisions()}.values())
