"""The trivial work of the benchmark on Quix Streams: read, one look-up, three tests, one output for ten events.

Runs in an environment of its own, for Quix Streams asks for another librdkafka than the product has.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from quixstreams import Application

FILLING = "x" * 160


def main() -> None:
    """Print how long all events took, and the second half of them."""
    bootstrap, prefix, source, target, events_, rules_, folder = sys.argv[1:]
    events, rules = int(events_), {f"plan-{number}": f"rule-{number}" for number in range(int(rules_))}
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"{prefix}quix-{os.getpid()}",
        auto_offset_reset="earliest",
        commit_interval=0.5,
        state_dir=folder,
        producer_extra_config={"linger.ms": 2, "batch.size": 262_144, "acks": "all", "enable.idempotence": True},
        loglevel="ERROR",
        auto_create_topics=False,
    )
    at: list[float] = []
    cpu: list[float] = []
    marks, seen = {1, events // 2, events}, 0

    def work(event: dict[str, Any]) -> dict[str, Any] | None:
        nonlocal seen
        seen += 1
        if seen in marks:
            at.append(time.time())
            cpu.append(time.process_time())
            if seen == events:
                app.stop()
        return trivial(event, rules)

    read = app.dataframe(app.topic(source, key_deserializer="bytes", value_deserializer="json"))
    found = read.apply(work).filter(lambda out: out is not None)
    found.to_topic(app.topic(target, key_serializer="bytes", value_serializer="json"))
    app.run()
    began, middle, ended = at
    report = {
        "events": events,
        "began": began,
        "middle": middle,
        "ended": ended,
        "seconds": ended - began,
        "cpu_seconds": cpu[2] - cpu[0],
        "second_half_events": events - events // 2,
        "second_half_seconds": ended - middle,
        "second_half_cpu_seconds": cpu[2] - cpu[1],
    }
    sys.stdout.write(json.dumps(report) + "\n")


def trivial(event: dict[str, Any], rules: dict[str, str]) -> dict[str, Any] | None:
    """The output of the rule that fits, if one does."""
    data = event["data"]
    customer = data["customer"]
    metadata = customer["metadata"]
    rule = rules.get(metadata["plan"])
    if rule is None or metadata["country"] not in ("PL", "DE") or data["order"]["amount"] < 1000:
        return None
    return {"event": event["id"], "customer": customer["id"], "rule": rule, "data": FILLING}


if __name__ == "__main__":
    main()
