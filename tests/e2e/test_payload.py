"""A designed body, from an event in Kafka to the receiver."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from schemas.events.event import Event
from tests.e2e.harness import product
from tests.factory import definition, order_event

pytestmark = pytest.mark.timeout(600)


async def test_a_designed_body_is_what_the_receiver_gets(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path) as running:
        payload = {"id": {"from": "delivery_id"}, "sum": {"from": "order.amount"}, "at": {"from": "event.created_at"}}
        webhook = {"url": running.receiver.url, "type": "t", "payload": payload, "envelope": False}
        await running.apply(definition(channels=[{"webhook": webhook}]))
        event = order_event()
        running.published.append(msgspec.convert(event, Event))
        record = Output(wiring.topic("events.orders"), b"c1", msgspec.json.encode(event), -1, [])
        await write_all(running.producer, [record])
        await running.until_delivered()
        (received,) = running.receiver.received
        assert msgspec.json.decode(received.body) == {"id": received.id, "sum": 5000, "at": "2026-11-20T12:00:00Z"}
        assert running.receiver.unverified == 0
