"""Records of matchers in Kafka, held against a brute-force run over the same input: records and table contents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from schemas.topics import CUSTOMERS, RECENT, changelog
from streams.recent import MOST, read_recent
from tests.e2e.harness import Product


def check_outputs(running: Product) -> dict[str, int]:
    """Zero lost, zero unexpected ids, order by customer, each decision made once; how many records were repeats."""
    expected = running.expected()
    wanted = set(expected.deliveries["webhook"])
    with TopicReader(running.wiring, "deliveries.webhook") as reader:
        delivered = [reader.decode(message) for message in reader.until_now()]
    ids = [one["delivery_id"] for one in delivered]
    assert not wanted - set(ids), f"{len(wanted - set(ids))} of {len(wanted)} deliveries lost"
    assert not set(ids) - wanted, f"{len(set(ids) - wanted)} delivery ids that should not be"
    _check_order(delivered)
    decisions: dict[str, set[str]] = defaultdict(set)
    reasons: dict[str, set[str]] = defaultdict(set)
    for decision in running.decisions():
        decisions[decision.decision_id].add(decision.reason or decision.outcome)
        reasons[decision.reason or decision.outcome].add(decision.decision_id)
    assert all(len(said) == 1 for said in decisions.values()), "one event was decided in two ways"
    assert {reason: len(found) for reason, found in reasons.items()} == {
        **{reason: count for reason, count in expected.skipped.items() if count},
        "emitted": len(wanted),
    }
    return {"events": len(running.published), "deliveries": len(wanted), "repeated": len(ids) - len(set(ids))}


def _check_order(delivered: list[dict[str, Any]]) -> None:
    """A customer's paid orders leave in the order in which they came; a repeat is no new message."""
    newest: dict[str, int] = {}
    seen: set[str] = set()
    for one in delivered:
        if one["delivery_id"] in seen or one["event"]["type"] != "customer.order.paid":
            continue
        seen.add(one["delivery_id"])
        number, customer = int(one["event"]["id"].removeprefix("ev")), one["customer"]["id"]
        assert number >= newest.get(customer, -1), f"{customer}: event {number} after {newest[customer]}"
        newest[customer] = number


def check_tables(running: Product) -> None:
    """The changelogs say what a run over the input says: the last profiles, and who was sent what."""
    wiring = running.wiring
    customers, recent = (dict(_last_values(wiring, wiring.topic(changelog(table)))) for table in (CUSTOMERS, RECENT))
    rows = {key: msgspec.json.decode(row) for key, row in customers.items()}
    assert {key: {**row, "metadata": row["metadata"] or None} for key, row in rows.items()} == {
        key: {"metadata": None, **row} for key, row in running.customers.items()
    }
    wanted: dict[str, set[str]] = defaultdict(set)
    with TopicReader(running.wiring, "deliveries.webhook") as reader:
        for message in reader.until_now():
            one = reader.decode(message)
            wanted[one["customer"]["id"]].add(one["delivery_id"][-16:])
    assert recent.keys() == wanted.keys()
    for customer, row in recent.items():
        found = {entry.delivery.hex() for entry in read_recent(row)}
        assert found <= wanted[customer]
        assert len(found) == min(MOST, len(wanted[customer])), f"{customer}: a send is missing from the table"


def _last_values(wiring: Wiring, topic: str) -> Iterator[tuple[str, bytes]]:
    rows: dict[str, bytes | None] = {}
    for message in _all(wiring, topic):
        rows[(message.key() or b"").decode()] = message.value()
    return ((key, row) for key, row in rows.items() if row is not None)


def _all(wiring: Wiring, topic: str) -> Iterator[Message]:
    consumer = Consumer({**wiring.settings.kafka.client(), "group.id": "check", "enable.auto.commit": False})
    places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(wiring.settings.topics.partitions)]
    ends = {place.partition: consumer.get_watermark_offsets(place, 10)[1] for place in places}
    left = {partition for partition, end in ends.items() if end}
    consumer.assign(places)
    while left:
        message = consumer.poll(10)
        assert message is not None and message.error() is None, f"{topic} cannot be read"
        yield message
        if message.offset() + 1 >= ends[message.partition() or 0]:
            left.discard(message.partition() or 0)
    consumer.close()
