"""From a manual send to its messages, over worker processes, one of which is killed."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from console.control import explain, sends
from console.control.context import ProjectContext
from console.control.recipients import ToCustomers
from schemas.send import When
from tests import ROOT
from tests.e2e.harness import GREETING, PATIENCE, Product, product
from tests.e2e.test_codes import add_campaign, giving

pytestmark = pytest.mark.timeout(600)

GOLDEN = ROOT / "tests" / "unit" / "schemas" / "golden" / "manual_codes.json"
PROJECT = ProjectContext("shop")
ROLES: Any = ("matcher", "publisher", "holder", "sender", "fan_out")
ZONES = {"tokyo": "Asia/Tokyo", "berlin": "Europe/Berlin", "nowhere": "", "angeles": "America/Los_Angeles"}
MAIL = {"email": {"account": "main", "subject": "Spring", "text": GREETING}}


async def test_each_member_gets_one_message_and_the_send_is_done(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "sender", "fan_out")) as running:
        (fan_out,) = (one for one in running.workers.workers if one.role == "fan_out")
        await running.load_customers(40)
        rule = {"distribution": "spring", "trigger": "manual_distribution_schedule", "consent": "marketing"}
        await running.apply({**rule, "channels": [MAIL]})
        async with database(running.wiring) as pool:
            given = PROJECT, "spring", ToCustomers(running.customers), When(), timedelta()
            made = await sends.draft(pool, *given, actor="ann", now=datetime.now(UTC))
            await sends.confirm(pool, PROJECT, made.send_id, actor="ann")
            fan_out.send(signal.SIGKILL)
            deadline = time.monotonic() + PATIENCE
            while (shown := await sends.show(pool, "shop", made.send_id)).send.status != "DONE":
                assert time.monotonic() < deadline, running.logs()
                running.workers.look()
                await asyncio.sleep(0.1)
            assert (shown.send.audience, shown.send.emitted, shown.progress.failed) == (40, 40, 0)
            assert shown.progress.sent == 36, "every tenth has not consented"
            for who in ("c0", "c1", running.decisions()[1].delivery_id or "c1"):
                story = await explain.story(pool, running.wiring, "shop", explain.Asking(who), datetime.now(UTC))
                assert [(one.send_id, one.created_by) for one in story.sends] == [(made.send_id, "ann")], who
        assert len({mail.message_id for mail in running.mailbox.mails}) == len(running.mailbox.mails) == 36
        assert {one.event.send_id for one in running.decisions()} == {made.send_id}


async def test_a_send_by_each_customers_clock_leaves_when_it_is_that_time_there(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=ROLES) as running:
        await add_campaign(running, 10)
        await running.apply(giving(running, trigger={"event": "manual_distribution_schedule"}))
        await load(running)
        local = datetime.now(ZoneInfo("Europe/Berlin")).replace(tzinfo=None, microsecond=0) + timedelta(seconds=6)
        async with database(running.wiring) as pool:
            when = sends.read_time(local.isoformat(), PROJECT, is_local=True)
            given = PROJECT, "give", ToCustomers(ZONES), when, timedelta()
            made = await sends.draft(pool, *given, actor="ann", now=datetime.now(UTC))
            await sends.confirm(pool, PROJECT, made.send_id, actor="ann")
            await running.until(lambda: came(running) == {"tokyo", "berlin"}, "it is time for two")
            waits = await standing(running, pool, made.send_id, "2 that are held")
            assert (waits.send.status, waits.send.emitted, waits.progress.held) == ("SENDING", 4, 2)
            stopped = await sends.stop(pool, "shop", made.send_id, actor="bob")
            assert (stopped.gone, stopped.canceled) == (2, 2)
        await running.until(lambda: called_off(running) == {"angeles", "nowhere"}, "the others are decided")
        assert came(running) == {"tokyo", "berlin"}
        early = [one for one in running.receiver.received if one.at < moment_of(local, one.body)]
        assert early == [], "by nobody's clock before it was time"
        check_golden(running)


def came(running: Product) -> set[str]:
    return {json.loads(one.body)["data"]["customer"]["id"] for one in running.receiver.received}


def called_off(running: Product) -> set[str]:
    return {one.customer_id for one in running.decisions() if one.reason == "canceled"}


def moment_of(local: datetime, body: bytes) -> float:
    zone = ZONES[json.loads(body)["data"]["customer"]["id"]] or "UTC"
    return local.replace(tzinfo=ZoneInfo(zone)).timestamp()


async def load(running: Product) -> None:
    codec, topic = running.wiring.codec("customers"), running.wiring.topic("customers")
    rows: list[dict[str, Any]] = [
        {"id": one, "project_id": "shop", **({"timezone": zone} if zone else {})} for one, zone in ZONES.items()
    ]
    await write_all(running.producer, [Output(topic, row["id"].encode(), codec.encode(row)) for row in rows])
    await running.until(running.all_processed, "customers are in the table")


async def standing(running: Product, pool: asyncpg.Pool, send_id: str, waits_for: str) -> sends.SendShown:
    deadline = time.monotonic() + PATIENCE
    while (shown := await sends.show(pool, "shop", send_id)).send.waits_for != waits_for:
        assert time.monotonic() < deadline, (shown, running.logs())
        running.workers.look()
        await asyncio.sleep(0.1)
    return shown


def check_golden(running: Product) -> None:
    """Compare with what receivers of the old system read of a send, field for field."""
    expected = json.loads(GOLDEN.read_text())["distribution"]
    assert len(running.receiver.received) == 2
    for one in running.receiver.received:
        said = json.loads(one.body)["data"]["distribution"]
        assert said.keys() == expected.keys()
        assert (said["id"], said["status"], said["consents"]) == ("give", "TO SEND", {"disabled": True})
        assert said["distribution_channels"] == ["webhook"]
