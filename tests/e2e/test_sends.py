"""From a manual send to its messages, over worker processes, one of which is killed."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.wiring import Wiring
from console.cli.context import database
from console.control import explain, sends
from console.control.context import ProjectContext
from schemas.send import When
from tests.e2e.harness import GREETING, PATIENCE, product

pytestmark = pytest.mark.timeout(600)

MAIL = {"email": {"account": "main", "subject": "Spring", "text": GREETING}}


async def test_each_member_gets_one_message_and_the_send_is_done(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "sender", "fan_out")) as running:
        (fan_out,) = (one for one in running.workers.workers if one.role == "fan_out")
        await running.load_customers(40)
        rule = {"distribution": "spring", "trigger": "manual_distribution_schedule", "consent": "marketing"}
        await running.apply({**rule, "channels": [MAIL]})
        async with database(running.wiring) as pool:
            given = ProjectContext("shop"), "spring", sends.ToCustomers(running.customers), When(), timedelta()
            made = await sends.draft(pool, *given, actor="ann", now=datetime.now(UTC))
            await sends.confirm(pool, "shop", made.send_id, actor="ann")
            fan_out.send(signal.SIGKILL)
            deadline = time.monotonic() + PATIENCE
            while (shown := await sends.show(pool, "shop", made.send_id)).send.status != "DONE":
                assert time.monotonic() < deadline, running.logs()
                running.workers.look()
                await asyncio.sleep(0.1)
            assert (shown.send.audience, shown.send.emitted, shown.progress.failed) == (40, 40, 0)
            assert shown.progress.sent == 36, "every tenth has not consented"
            for who in ("c0", "c1", running.decisions()[1].delivery_id or "c1"):
                story = await explain.story(pool, running.wiring, "shop", who)
                assert [(one.send_id, one.created_by) for one in story.sends] == [(made.send_id, "ann")], who
        assert len({mail.message_id for mail in running.mailbox.mails}) == len(running.mailbox.mails) == 36
        assert {one.event.send_id for one in running.decisions()} == {made.send_id}
