"""From many events to one message, over holders and matchers that are killed, counted event by event."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agents.wiring import Wiring
from tests.e2e.harness import product
from tests.e2e.test_codes import bodies, order
from tests.e2e.test_delays import waiting

pytestmark = pytest.mark.timeout(600)

ROLES: Any = ("matcher", "holder", "sender")


@pytest.mark.parametrize("first", [False, True])
async def test_each_event_is_in_one_message_though_workers_are_killed(
    wiring: Wiring, tmp_path: Path, first: bool
) -> None:
    rng = random.Random(11)
    async with product(wiring.settings, tmp_path, roles=ROLES, processes=2) as running:
        gathers = {
            "distribution": "gathers",
            "trigger": {"event": "customer.order.paid"},
            "consent": "transactional",
            "digest": {"for": "4s", "first": first},
            "channels": [{"webhook": {"url": running.receiver.url, "type": "gathers"}}],
        }
        await running.apply(gathers)

        def arrived() -> Counter[str]:
            lists = {one["id"]: one["data"]["digest"]["events"] for one in bodies(running, "gathers")}
            return Counter(event["order"]["id"] for events in lists.values() for event in events)

        for turn in range(12):
            await running.publish([order(turn * 10 + number, f"c{number % 4}") for number in range(10)])
            if turn % 3 == 2:
                rng.choice([one for one in running.workers.workers if one.role != "sender"]).send(signal.SIGKILL)
            running.workers.look()
        await running.publish(running.published[:])
        await running.until(lambda: len(arrived()) == 120, "each event has left")
        await running.until(running.all_processed, "no lag is left")
        assert arrived() == {f"o{number}": 1 for number in range(120)}
        messages = {one["id"]: one["data"]["digest"] for one in bodies(running, "gathers")}
        assert all(one["count"] == len(one["events"]) for one in messages.values())
        assert len(messages) < 120
        assert await waiting(running) == 0
        told = {(one.event.id, one.outcome): one for one in running.decisions()}
        assert set(told) == {(f"ev{number}", said) for number in range(120) for said in ("deferred", "emitted")}
        assert {one.delivery_id for one in told.values() if one.outcome == "emitted"} == {
            one.id for one in running.receiver.received
        }
