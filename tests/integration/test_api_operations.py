"""Lag and doctor over the API, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from typer.testing import CliRunner

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.main import app
from deploy.settings.settings import Settings
from tests.environment import environment_of
from tests.integration.api_client import Api, running_api, wired

COORDINATOR_STARTS = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._WAIT_COORD,
}
PATIENCE = 60.0


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("customers", "events.orders", "publications.requests"), 2) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def write(wiring: Wiring, topic: str, partition: int, count: int) -> None:
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic(topic), b"c1", b"{}", partition)] * count)
    producer.close()


def commit(wiring: Wiring, role: str, topic: str, partition: int, offset: int) -> None:
    consumer = Consumer({**wiring.kafka.client(), "group.id": wiring.group(role), "log_level": 0})
    place, ends = TopicPartition(wiring.topic(topic), partition, offset), time.monotonic() + PATIENCE
    while True:
        try:
            consumer.commit(offsets=[place], asynchronous=False)
            break
        except KafkaException as error:
            if error.args[0].code() not in COORDINATOR_STARTS or time.monotonic() > ends:
                raise
            time.sleep(0.2)
    consumer.close()


async def groups(api: Api, wiring: Wiring, query: str = "") -> dict[str, Any]:
    answer = await api.ask("GET", f"/lag{query}", role="operator")
    assert answer.status == 200, answer.json
    assert answer.json["lag"] == sum(one["lag"] for one in answer.json["groups"])
    return {one["group"]: one for one in answer.json["groups"]}


async def test_the_lag_of_each_group_is_told_as_the_command_tells_it(api: Api, wiring: Wiring) -> None:
    await write(wiring, "customers", 0, 3)
    await write(wiring, "publications.requests", 1, 5)
    commit(wiring, "publisher", "publications.requests", 1, 4)
    publisher, segmenter = wiring.group("publisher"), wiring.group("segmenter")
    found = await groups(api, wiring)
    assert found[publisher]["partitions"] == [
        {"topic": wiring.topic("publications.requests"), "partition": 1, "committed": 4, "end": 5, "lag": 1}
    ]
    assert (found[publisher]["lag"], found[publisher]["has_committed"]) == (1, True)
    assert (found[segmenter]["lag"], found[segmenter]["has_committed"]) == (3, False)
    assert [len(one["partitions"]) for one in (await groups(api, wiring, "?all=true")).values()][:2] != [0, 0]
    told = await asyncio.to_thread(CliRunner(env=environment_of(wiring)).invoke, app, ["lag", "--json"])
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert {(one["group"], one["partition"], one["lag"]) for one in rows} == {
        (name, each["partition"], each["lag"]) for name, one in found.items() for each in one["partitions"]
    }


async def test_the_doctor_says_what_is_well_and_how_to_mend_what_is_not(api: Api) -> None:
    report = (await api.ask("GET", "/doctor", role="operator")).json
    found = {one["what"]: one for one in report["findings"]}
    assert (found["kafka"]["ok"], found["postgres"]["ok"], "schema is current" in found["postgres"]["said"]) == (
        True, True, True,
    )  # fmt: skip
    assert (found["topics"]["ok"], "tidings topics apply" in found["topics"]["said"]) == (False, True)
    assert (found["webhook secrets"]["ok"], report["ok"]) == (False, False)


async def test_only_operators_of_the_default_project_are_told(api: Api) -> None:
    for path in ("/lag", "/doctor"):
        for role in ("viewer", "editor", "approver"):
            assert (await api.ask("GET", path, role=role)).json["permission"] == "operations:read"
        other = await api.ask("GET", path, role="admin", project="outlet")
        assert (other.status, "of its default project" in other.json["detail"]) == (403, True)
