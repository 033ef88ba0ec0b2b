"""Channel order on real partitions: one message an event, over the first channel that could be used."""

from __future__ import annotations

import random
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from tests.e2e.harness import GREETING, PATIENCE, Product, product, profile, thanks

pytestmark = pytest.mark.timeout(600)

CUSTOMERS, EVENTS = 30, 300


async def test_each_event_is_sent_over_one_channel_though_matchers_are_killed_and_addresses_come_and_go(
    wiring: Wiring, tmp_path: Path
) -> None:
    rng = random.Random(5)
    async with product(wiring.settings, tmp_path, processes=2) as running:
        channels = [
            {"email": {"account": "main", "subject": "Order {{ order.id }}", "text": GREETING}},
            {"webhook": {"url": running.receiver.url, "type": "thanks"}},
        ]
        in_turn = thanks("", when=None, consent="transactional", channels=channels, order="first_available")
        await running.apply(in_turn)
        await running.load_customers(CUSTOMERS)
        for turn in range(6):
            await change_addresses(running, rng)
            await running.feed(EVENTS // 6, 300, turn)
            if turn % 2:
                rng.choice([one for one in running.workers.workers if one.role == "matcher"]).send(signal.SIGKILL)
            running.workers.look()
        await running.publish(running.published[:])
        await running.until(running.all_processed, "all events are matched and sent")
        assert sum(one.starts for one in running.workers.workers) > len(running.workers.workers)
        sent: dict[str, set[str]] = defaultdict(set)
        gave_way: dict[str, set[tuple[str | None, str | None, str | None]]] = defaultdict(set)
        for one in running.decisions():
            if one.outcome == "emitted":
                sent[one.event.id].add(f"{one.channel} {one.delivery_id}")
            else:
                gave_way[one.event.id].add((one.channel, one.reason, one.detail))
        assert {len(over) for over in sent.values()} == {1}
        said = "the customer has no email"
        passed_over = ("email", "no_address", f"{said}; passed over for webhook, channel 2")
        nothing_instead = ("email", "no_address", said)  # it was read again, and may have left as an e-mail before
        assert set().union(*gave_way.values()) <= {passed_over, nothing_instead}
        over_webhook = {event for event, over in sent.items() if next(iter(over)).startswith("webhook")}
        assert {event for event, why in gave_way.items() if passed_over in why} == over_webhook & set(gave_way) != set()
        assert all(nothing_instead in gave_way[f"ev{number}"] for number in range(EVENTS) if f"ev{number}" not in sent)
        ids = {channel: [one.split()[1] for (one,) in sent.values() if one.startswith(channel)] for channel in CHANNELS}
        await running.until(
            lambda: all(set(ids[channel]) <= set(running.received()[channel]) for channel in CHANNELS), "all arrive"
        )
        assert all(ids.values()), "some over each"
        assert {channel: sorted(came.elements()) for channel, came in running.received().items()} == {
            channel: sorted(of_channel) for channel, of_channel in ids.items()
        }


CHANNELS = ("email", "webhook")


async def change_addresses(running: Product, rng: random.Random) -> None:
    """Half of the customers have an address from now on."""
    codec, topic = running.wiring.codec("customers"), running.wiring.topic("customers")
    rows: list[dict[str, Any]] = [profile(number) for number in range(CUSTOMERS)]
    for row in rows:
        if rng.random() < 0.5:
            del row["email"]
    await write_all(
        running.producer, [Output(topic, row["id"].encode(), codec.encode(row)) for row in rows], patience=PATIENCE
    )
