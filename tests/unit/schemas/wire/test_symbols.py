"""A symbol that a later release adds to a public enum stops no reader of today."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from typing import Any

import fastavro
import msgspec
import pytest

from schemas.closed import UNKNOWN
from schemas.contract import topic_schema
from schemas.decision import Decision, DeliveryStatus
from schemas.distribution import Distribution
from schemas.errors import InvalidEvent
from schemas.publication_request import PublicationRequest
from schemas.topics import TOPICS
from schemas.wire.read_as import read_as
from streams.index.rules import RuleIndex
from tests.factory import context, rule

NEW = "of_a_later_release"
REFERENCES: dict[str, Any] = {
    "distribution": {"id": "d", "version": 1, "name": "D"},
    "event": {"id": "e", "type": "customer.order.paid", "created_at": "2026-01-01T00:00:00Z"},
}
DECISION: dict[str, Any] = {
    "decision_id": "dec_1", "project_id": "shop", **REFERENCES, "customer_id": "c", "outcome": "skipped",
    "reason": "consent", "channel": "email", "decided_at": "2026-01-01T00:00:00Z",
}  # fmt: skip
STATUS: dict[str, Any] = {
    "delivery_id": "dlv_1", "project_id": "shop", **REFERENCES, "customer_id": "c", "channel": "email",
    "account": "a", "type": "customer.email.sent", "outcome": "sent", "attempts": 1,
    "occurred_at": "2026-01-01T00:00:00Z",
}  # fmt: skip
REQUEST: dict[str, Any] = {
    "publication_id": "p", "project_id": "shop", "campaign": "c", "when_empty": "skip", **REFERENCES,
    "customer_id": "c", "data": {}, "drafts": [{"delivery": {}, "decision": DECISION}],
}  # fmt: skip


def enums(schema: Any) -> Iterator[dict[str, Any]]:
    """Every enum inside a schema."""
    if isinstance(schema, dict) and schema.get("type") == "enum":
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from enums(inner)


WITH_ENUMS = [topic for topic in TOPICS if any(enums(topic_schema(topic)))]


def test_every_enum_that_anybody_reads_has_the_default() -> None:
    assert {"decisions", "delivery.status", "distributions"} <= set(WITH_ENUMS)
    for topic in WITH_ENUMS:
        for enum in enums(topic_schema(topic)):
            assert (enum["default"], enum["symbols"][0]) == (UNKNOWN, UNKNOWN), (topic, enum["name"])


@pytest.mark.parametrize("topic", WITH_ENUMS)
def test_a_subscriber_with_the_schema_of_today_reads_a_symbol_of_tomorrow(topic: str) -> None:
    today = topic_schema(topic)
    tomorrow = copy.deepcopy(today)
    names = [enum["name"] for enum in enums(tomorrow)]
    for enum in enums(tomorrow):
        enum["symbols"].append(NEW)
    writes = next(one for one in enums(tomorrow) if one["name"] == names[0])
    reads = next(one for one in enums(today) if one["name"] == names[0])
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(writes)), NEW)
    out.seek(0)
    read = fastavro.schemaless_reader(out, fastavro.parse_schema(copy.deepcopy(writes)), fastavro.parse_schema(reads))
    assert read == UNKNOWN


@pytest.mark.parametrize(
    ("kind", "record", "field"),
    [
        (Decision, DECISION, "outcome"), (Decision, DECISION, "reason"), (Decision, DECISION, "channel"),
        (DeliveryStatus, STATUS, "outcome"), (DeliveryStatus, STATUS, "reason"), (DeliveryStatus, STATUS, "channel"),
    ],
)  # fmt: skip
def test_our_readers_take_it_as_unknown(kind: Any, record: dict[str, Any], field: str) -> None:
    assert getattr(read_as({**record, field: NEW}, kind), field) == UNKNOWN
    assert read_as(record, kind) == msgspec.convert(record, kind)


def test_what_is_no_symbol_is_still_refused_with_its_place() -> None:
    with pytest.raises(InvalidEvent, match=r"\$.outcome"):
        read_as({**DECISION, "outcome": 5}, Decision)


def test_a_request_keeps_a_later_releases_reason_but_needs_a_channel_of_ours() -> None:
    with_reason = {**REQUEST, "drafts": [{"delivery": {}, "decision": {**DECISION, "reason": NEW}}]}
    assert read_as(with_reason, PublicationRequest).drafts[0].decision.reason == UNKNOWN
    with_channel = {**REQUEST, "drafts": [{"delivery": {}, "decision": {**DECISION, "channel": NEW}}]}
    with pytest.raises(InvalidEvent, match="draft's channel is unknown; this release has webhook, email"):
        read_as(with_channel, PublicationRequest)
    with pytest.raises(InvalidEvent, match=r"\$.when_empty"):
        read_as({**REQUEST, "when_empty": NEW}, PublicationRequest)


def test_a_rule_with_a_later_releases_status_sends_nothing() -> None:
    index, live = RuleIndex(), rule()
    index.insert(live)
    assert len(index.candidates(context())[0]) == 1
    index.insert(read_as({**msgspec.to_builtins(live), "version": 2, "status": NEW}, Distribution))
    assert (len(index), index.candidates(context())) == (1, ([], 0))
