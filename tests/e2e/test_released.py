"""A matcher of today on the topics of a release that was upgraded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from schemas.channels.tables import DELIVERY_TYPES
from schemas.events.triggers import EVENT_TOPICS
from schemas.topics import CUSTOMERS, DEAD_LETTERS, DISTRIBUTIONS, PUBLICATION_REQUESTS, deliveries
from tests.e2e.harness import PATIENCE, Product, product
from tests.released.kept import KeptRecord, records
from tests.released.story import BROKEN

pytestmark = pytest.mark.timeout(240)
_ON_TOPICS = tuple(deliveries(channel) for channel in DELIVERY_TYPES)


async def test_a_matcher_reads_all_that_a_release_left_and_makes_its_deliveries_again(
    wiring: Wiring, tmp_path: Path
) -> None:
    """By the same ids, so that the sender's ledger knows them; with the codes' requests for their publications."""
    kept = records("0.3.0")
    decoded = [(one.topic, wiring.codec(one.topic).decode(one.value or b"")) for one in kept if one.topic in _ON_TOPICS]
    made = {identity for topic, one in decoded for identity in ids_of(topic, one)}
    async with product(wiring.settings, tmp_path, roles=("matcher",)) as running:
        await write(running, [one for one in kept if one.topic in (CUSTOMERS, DISTRIBUTIONS)])
        await running.until(running.all_processed, "profiles and rules are in")
        await write(running, [one for one in kept if one.topic in EVENT_TOPICS])
        await running.until(lambda: made <= found(running), "every delivery is made again")
        await running.until(running.all_processed, "no lag is left")
        with TopicReader(wiring, DEAD_LETTERS) as reader:
            assert len(list(reader.until_now())) == len(BROKEN)


async def write(running: Product, kept: list[KeptRecord]) -> None:
    """The records, each as it was."""
    topic = running.wiring.topic
    rows = [Output(topic(one.topic), one.key, one.value, headers=one.headers) for one in kept]
    await write_all(running.producer, rows, patience=PATIENCE)


def found(running: Product) -> set[str]:
    """Ids of the deliveries on the topics by now, and of those that wait for a code."""
    ids: set[str] = set()
    for topic in (*_ON_TOPICS, PUBLICATION_REQUESTS):
        with TopicReader(running.wiring, topic) as reader:
            for message in reader.until_now():
                ids |= ids_of(topic, reader.decode(message))
    return ids


def ids_of(topic: str, decoded: dict[str, Any]) -> set[str]:
    drafts = decoded["drafts"] if topic == PUBLICATION_REQUESTS else [{"delivery": decoded}]
    return {one["delivery"]["delivery_id"] for one in drafts}
