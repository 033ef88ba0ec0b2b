"""Every event type, from a record in Kafka to a message at a receiver, in each form that upstream may send."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.broker.producer import write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from schemas.events.event import Event
from schemas.events.triggers import TRIGGERS
from tests.e2e.harness import Product, product

pytestmark = pytest.mark.timeout(600)

FORMS = ("json", "avro", "structured", "binary", "old webhook")


def in_form(form: str, event: dict[str, Any], running: Product) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The value and headers of an event's record."""
    identity, kind, moment, data = (event[name] for name in ("id", "type", "created_at", "data"))
    cloud = {"specversion": "1.0", "id": identity, "type": f"com.example.{kind}", "source": "/shop", "time": moment}
    match form:
        case "avro":
            codec = running.wiring.codec(TRIGGERS[kind].topic)
            return codec.encode(msgspec.convert(event, Event)), []
        case "structured":
            return msgspec.json.encode({**cloud, "projectid": "shop", "data": data}), []
        case "binary":
            return msgspec.json.encode(data), [(f"ce_{name}", value.encode()) for name, value in cloud.items()]
        case "old webhook":
            inner = {"id": identity, "type": kind, "created_at": moment, "entity_id": "cust_17"}
            return msgspec.json.encode({**event, "id": f"whs_{identity}", "type": "mine", "event": inner}), []
        case _:
            return msgspec.json.encode(event), []


async def test_every_event_type_ends_in_a_message(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path) as running:
        for kind, trigger in TRIGGERS.items():
            email = {"account": "main", "subject": "{{ event.type }}", "text": "{{ customer.name | default('you') }}"}
            webhook = {"url": running.receiver.url, "type": kind}
            await running.apply(
                {
                    "distribution": "spring-letter" if trigger.addressed else kind,
                    "trigger": {"event": kind},
                    "when": {"customer.metadata.country": "PL"},
                    "consent": "marketing",
                    "channels": [{"email": email} if trigger.addressed else {"webhook": webhook}],
                }
            )
        outputs, now = [], datetime.now(UTC).isoformat()
        for number, (trigger, form) in enumerate(zip(TRIGGERS.values(), cycle(FORMS), strict=False)):
            event = trigger.sample(project_id="shop", event_id=f"ev_{number}") | {"created_at": now}
            running.published.append(msgspec.convert(event, Event))
            value, headers = in_form(form, event, running)
            outputs.append(Output(running.wiring.topic(trigger.topic), b"cust_17", value, -1, headers))
        await write_all(running.producer, outputs)
        await running.until_delivered()
        running.check()
        assert not running.dead_letters()
        bodies = {
            body["type"]: body for body in map(msgspec.json.decode, (one.body for one in running.receiver.received))
        }
        for kind, trigger in TRIGGERS.items():
            if not trigger.addressed:
                assert bodies[kind]["event"]["type"] == kind
                assert set(bodies[kind]["data"]) == set(trigger.objects)
        assert len(running.mailbox.mails) == 1
