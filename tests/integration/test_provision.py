"""Topics on a real broker."""

from __future__ import annotations

from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from agents.provision import Provision
from agents.wiring import Wiring
from deploy.settings import Kafka, Settings
from schemas.errors import CannotStart, TryLater
from schemas.topics import TOPICS


def test_what_is_planned_is_applied_and_then_nothing_is_left(settings: Settings) -> None:
    provision = Provision(Wiring(settings))
    with pytest.raises(CannotStart, match=r"topics are missing: .*tidings topics apply"):
        provision.check()
    assert {change.kind for change in provision.plan()} == {"create"}
    assert len(provision.apply()) == len(TOPICS) + 2
    assert provision.plan() == []
    provision.check()


def test_unequal_partition_counts_refuse_to_start_with_what_to_do(settings: Settings) -> None:
    wired = Wiring(settings)
    admin = AdminClient(settings.kafka.client())
    orders = NewTopic(wired.topic("events.orders"), 3, 1, config=TOPICS["events.orders"].settings())
    admin.create_topics([orders])[orders.topic].result()
    provision = Provision(wired)
    provision.apply()
    with pytest.raises(CannotStart, match=r"must have equal partition counts.*events\.orders has 3"):
        provision.check()
    assert [change.kind for change in provision.plan()] == ["partitions"]


def test_a_count_that_differs_from_the_settings_is_said(settings: Settings) -> None:
    Provision(Wiring(settings)).apply()
    other = replace(settings, topics=replace(settings.topics, partitions=5))
    with pytest.raises(CannotStart, match=r"set topics\.partitions = 4"):
        Provision(Wiring(other)).check()


def test_a_broker_that_is_not_there_is_said_to_pass() -> None:
    wired = Wiring(Settings(kafka=Kafka(bootstrap="127.0.0.1:1")))
    with pytest.raises(TryLater, match=r"127\.0\.0\.1:1 does not answer"):
        Provision(wired).check()
