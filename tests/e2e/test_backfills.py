"""From SET LIVE to the messages of those who are in a segment, over worker processes, one of which is killed."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from console.control import explain, sends
from schemas.closed import Role
from tests.e2e.harness import PATIENCE, Product, product
from tests.e2e.test_segments import apply_gold

pytestmark = pytest.mark.timeout(600)

MEMBERS = 40


async def put(running: Product, *customers: str) -> None:
    """Have customers enter the segment."""
    topic, codec = running.wiring.topic("customers"), running.wiring.codec("customers")
    rows = [{**running.customers[one], "metadata": {"tier": "gold"}} for one in customers]
    await write_all(running.producer, [Output(topic, row["id"].encode(), codec.encode(row)) for row in rows])


async def test_members_and_those_who_enter_meanwhile_and_later_get_it_once_each(wiring: Wiring, tmp_path: Path) -> None:
    roles: tuple[Role, ...] = ("matcher", "sender", "segmenter", "fan_out")
    async with product(wiring.settings, tmp_path, roles=roles) as running:
        (fan_out,) = (one for one in running.workers.workers if one.role == "fan_out")
        await running.load_customers(MEMBERS + 2)
        during, after = f"c{MEMBERS}", f"c{MEMBERS + 1}"  # c40 has not consented
        running.customers[during]["consents"] = {"marketing": True}
        await put(running, *list(running.customers)[:MEMBERS])
        await running.until(running.all_processed, "profiles are in")
        await apply_gold(running)
        trigger = {"event": "customer.segment.entered", "segment": "gold"}
        mail = {"email": {"account": "main", "subject": "{{ segment.name }}", "text": "Hello {{ customer.name }}"}}
        welcome = {"distribution": "welcome", "trigger": trigger, "consent": "marketing", "channels": [mail]}
        await running.apply({**welcome, "backfill": "now_and_later"})
        await running.apply({**welcome, "distribution": "anniversary", "backfill": "members_now"})
        fan_out.send(signal.SIGKILL)
        await put(running, during)
        async with database(running.wiring) as pool:
            deadline = time.monotonic() + PATIENCE
            while found := [one for one in await sends.listed(pool, "shop", 5) if one.is_open]:
                assert time.monotonic() < deadline, f"{found}\n{running.logs()}"
                running.workers.look()
                await asyncio.sleep(0.1)
            found = await sends.listed(pool, "shop", 5)
            assert {one.status for one in found} == {"DONE"}
            assert {one.distribution_id for one in found} == {"welcome", "anniversary"}
            await put(running, after)
            expected = 2 * (MEMBERS - MEMBERS // 10) + 2  # every tenth has not consented; two enter later
            await running.until(lambda: len(running.mailbox.mails) >= expected, "everybody has got it")
            await running.until(running.all_processed, "no lag is left")
            assert len({mail.message_id for mail in running.mailbox.mails}) == len(running.mailbox.mails) == expected
            got = {(one.distribution.id, one.customer_id) for one in running.decisions() if one.outcome == "emitted"}
            assert {who for what, who in got if what == "anniversary"}.isdisjoint({during, after})
            assert {during, after, "c1"} <= {who for what, who in got if what == "welcome"}
            asking = explain.Asking("c1", "welcome")
            story = await explain.story(pool, running.wiring, "shop", asking, datetime.now(UTC))
            assert [(one.distribution_id, one.backfill) for one in story.sends] == [("welcome", "now_and_later")]
