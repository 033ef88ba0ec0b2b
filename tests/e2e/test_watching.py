"""A stream of events that goes silent: matchers count, a sender looks, and the owner is told once, and of its end."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.context import database
from schemas.topics import NOTICES
from tests.e2e.harness import PATIENCE, Product, product, thanks

pytestmark = pytest.mark.timeout(400)

EVENTS = 40
WATCHED = '[watch]\nevery = "1s"\nfields_a_second = 100000\n'
PAST = """
insert into decisions_by_hour
select project_id, distribution_id, hour - n * interval '1 hour', 'past', '', 5
from decisions_by_hour, generate_series(10, 200) as n
where distribution_id = 'thanks' and reason = '' on conflict do nothing
"""
"""A week of hours before, of which the last is ten hours ago: the clock that counts has gone on by so much."""


PAST_FIELDS = """
insert into fields_seen
select project_id, subject, path, date_trunc('hour', now()) - n * interval '1 hour', true, kind, events, example
from fields_seen, generate_series(1, 200) as n where not is_hour on conflict do nothing
"""
"""A week in which each hour was as the events by now are."""


def told(running: Product, kind: str = "distribution_silent") -> list[tuple[str, str]]:
    """The states of notices of a kind, each with what it is about."""
    with TopicReader(running.wiring, NOTICES) as reader:
        found: list[dict[str, Any]] = [reader.decode(message) for message in reader.until_now()]
    return [(one["state"], one["about"]) for one in found if one["kind"] == kind]


async def counted(running: Product, reason: str) -> int:
    async with database(running.wiring) as pool:
        of = "select coalesce(sum(decisions), 0)::int from decisions_by_hour where worker <> 'past' and reason = $1"
        return int(await pool.fetchval(of, reason))


async def test_an_owner_hears_once_that_a_distribution_is_silent_and_that_it_is_not(
    wiring: Wiring, tmp_path: Path
) -> None:
    async with product(wiring.settings, tmp_path, more=WATCHED) as running:
        await running.apply(thanks(running.receiver.url, when=None))
        await running.load_customers(10)
        rng = random.Random(3)
        await running.publish(running.order(number, rng) for number in range(EVENTS))
        await running.until_delivered()
        sent = sum(map(len, running.expected().deliveries.values()))
        await _until_counted(running, sent)
        assert await counted(running, "consent") > 0
        async with database(running.wiring) as pool:
            await pool.execute(PAST)
            await pool.execute("delete from decisions_by_hour where worker <> 'past'")
            await pool.execute("update distribution_versions set applied_at = applied_at - interval '20 days'")
        await running.until(lambda: told(running) == [("opened", "thanks")], "its owner is told")
        await running.publish(running.order(EVENTS + number, rng) for number in range(EVENTS))
        await running.until(
            lambda: told(running) == [("opened", "thanks"), ("closed", "thanks")], "its owner is told that it is over"
        )
        running.check()


async def _until_counted(running: Product, sent: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := await counted(running, "")) != sent:
        assert time.monotonic() < deadline, f"matchers counted {found} of {sent}"
        await asyncio.sleep(0.5)


async def test_an_owner_hears_once_that_a_field_is_gone_and_that_it_is_back(wiring: Wiring, tmp_path: Path) -> None:
    """By events that go through Kafka and the matchers; a matcher that is started again knows what the others saw."""
    about = "customer.order.paid: order.amount"
    async with product(wiring.settings, tmp_path, more=WATCHED) as running:
        await running.apply(thanks(running.receiver.url, when={"order.amount": {"at_least": 1}}))
        await running.load_customers(10)
        rng = random.Random(5)

        async def publish(start: int, *, without: bool) -> None:
            events = [running.order(start + number, rng) for number in range(EVENTS)]
            for event in events if without else ():
                del event.data["order"]["amount"]
            await running.publish(events)
            await running.until(running.all_processed, "the events are matched")

        await publish(0, without=False)
        await _until_sampled(running, EVENTS)
        async with database(running.wiring) as pool:
            await pool.execute(PAST_FIELDS)
            await pool.execute("delete from fields_seen where not is_hour")
        await publish(EVENTS, without=True)
        await running.until(lambda: told(running, "field_changed") == [("opened", about)], "its owner is told")
        for worker in running.workers.workers:
            worker.send(signal.SIGKILL)
        await publish(2 * EVENTS, without=False)
        await publish(3 * EVENTS, without=False)
        await running.until(
            lambda: told(running, "field_changed") == [("opened", about), ("closed", about)], "that it is back"
        )


async def _until_sampled(running: Product, events: int) -> None:
    of = "select coalesce(sum(events), 0)::int from fields_seen where path = 'order.amount'"
    deadline, found = time.monotonic() + PATIENCE, 0
    while found < events:
        assert time.monotonic() < deadline, f"{found} of {events} are in the sample"
        await asyncio.sleep(0.5)
        async with database(running.wiring) as pool:
            found = int(await pool.fetchval(of))
