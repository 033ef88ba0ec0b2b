"""A paused endpoint behind which very many wait: its neighbours go on, memory stays, and it catches up in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import asyncpg
import msgspec
import psutil
import pytest

from agents.clock import utc_now
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from channels.fakes.webhook import WebhookReceiver
from deploy.settings.settings import Settings
from schemas.delivery import Delivery
from schemas.destination import Destination
from store.sending.ledger import Ledger
from tests.factory import SECRET
from tests.faults.harness import FULL
from tests.integration.test_providers import receiver, running, until, webhooks

__all__ = ["receiver"]

pytestmark = pytest.mark.timeout(900)

WAITING = 1_000_000 if FULL else 20_000
NEIGHBOURS = 300
MEGABYTE = 1024 * 1024
MOST_GROWN = 64 * MEGABYTE
"""A million rows in memory would be more than a gigabyte."""
_FILL = """
insert into open_deliveries
select made.* from generate_series(1, $1::int) n, open_deliveries d, jsonb_populate_record(d, jsonb_build_object(
    'delivery_id', 'dlv_' || lpad(n::text, 7, '0'), 'due_at', now() - interval '1 day' + n * interval '10 ms',
    'record', convert_to(replace(convert_from(d.record, 'UTF8'), 'dlv_first', 'dlv_' || lpad(n::text, 7, '0')), 'UTF8')
)) made
where d.delivery_id = 'dlv_first'
"""


async def test_a_paused_endpoint_with_very_many_waiting_costs_its_neighbours_nothing_and_catches_up_in_order(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    neighbour = WebhookReceiver(SECRET)
    await neighbour.start()
    ledger, paused = Ledger(pool), await _fill(pool, webhooks(1, receiver.url)[0])
    await ledger.pause_destination(paused, "refused", "by hand")
    try:
        async with running(settings, pool) as run:
            with _memory_stays():
                await run.take(_of_neighbour(neighbour, "a"))
                await until(lambda: _has(neighbour, NEIGHBOURS))
                assert receiver.tried == {}
                await ledger.resume_destination(paused, by="me")
                await until(lambda: _has(receiver, 2000))
                await run.take(_of_neighbour(neighbour, "b"))
                await until(lambda: _has(neighbour, 2 * NEIGHBOURS))
            held = run.sender._turns.capacity.most
            places = [int(one.removeprefix("dlv_")) for one in receiver.ids[:2000]]
            assert max(abs(place - at) for at, place in enumerate(places, 1)) <= held + 500
            assert len(receiver.ids) == len(set(receiver.ids))
            await ledger.pause_destination(paused, "refused", "enough")
    finally:
        await neighbour.stop()


async def _fill(pool: asyncpg.Pool, first: Delivery) -> Destination:
    """So many that wait for the endpoint of one, the oldest first by number; that endpoint."""
    made = msgspec.structs.replace(first, delivery_id="dlv_first")
    row = row_of(Work(made, 0, utc_now()), timedelta(hours=1))
    await Ledger(pool).claim_new([row], owner="other", lease=timedelta(seconds=60))
    await pool.execute(_FILL, WAITING, timeout=600)
    await pool.execute("analyze open_deliveries", timeout=600)
    return Destination(made.project_id, "webhook", made.account)


def _of_neighbour(neighbour: WebhookReceiver, run: str) -> list[Delivery]:
    return [
        msgspec.structs.replace(one, delivery_id=f"dlv_{run}_{number}")
        for number, one in enumerate(webhooks(NEIGHBOURS, neighbour.url))
    ]


async def _has(receiver: WebhookReceiver, count: int) -> bool:
    return len(receiver.ids) >= count


@contextmanager
def _memory_stays() -> Iterator[None]:
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    yield
    grown = process.memory_info().rss - before
    assert grown < MOST_GROWN, f"{grown / MEGABYTE:.0f} MB more"
