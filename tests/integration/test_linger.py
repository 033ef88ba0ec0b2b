"""The time that records wait for others to leave with them, as the settings say, on a real Kafka."""

from __future__ import annotations

import time
from dataclasses import replace

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.transport.app import BatchApp
from agents.transport.output_app import OutputApp
from agents.wiring import Wiring

LINGER = 0.7


async def took(app: BatchApp | OutputApp, topic: str) -> float:
    began = time.monotonic()
    await write_all(app.outputs, [Output(topic, b"c1", b"x", 0)])
    return time.monotonic() - began


async def test_what_a_worker_writes_waits_as_the_settings_say(wiring: Wiring) -> None:
    topic = wiring.topic("memberships")
    patient = replace(wiring.settings.kafka, linger_ms=int(LINGER * 1000))
    for app in (BatchApp("linger-patient", patient), OutputApp(patient)):
        assert await took(app, topic) >= LINGER
        app.outputs.close()
    hasty = BatchApp("linger-hasty", wiring.settings.kafka)
    deadline = time.monotonic() + 60
    while await took(hasty, topic) >= LINGER:
        assert time.monotonic() < deadline, "the default does not wait"
    hasty.outputs.close()
