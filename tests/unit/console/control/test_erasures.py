"""Receipts of erasures name every topic that may hold something of a customer, and no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.wiring import Wiring
from console.control.erasures import Clean, receipt
from deploy.settings.settings import Settings
from schemas.events.triggers import EVENT_TOPICS
from schemas.topics import CHANGELOGS, TOPICS
from tests.factory import NOW

DONE = receipt(Wiring(Settings(project_id="shop")), "c1", NOW)
BY_US = {"events.manual", "events.publications"}


def test_each_topic_is_clean_by_a_day_or_excepted_or_about_nobody() -> None:
    clean = {one.topic for one in DONE.topics}
    assert {*DONE.excepted} == {*EVENT_TOPICS} - BY_US
    assert {*CHANGELOGS, *BY_US, "customers", "consents", "holds", "events.due", "dead-letters"} <= clean
    assert (TOPICS | CHANGELOGS).keys() - clean - {*DONE.excepted} == {"distributions", "notices", "audit"}


@pytest.mark.parametrize("found", DONE.topics, ids=lambda one: one.topic)
def test_a_day_is_that_which_the_broker_is_told_to_keep(found: Clean) -> None:
    told = (TOPICS | CHANGELOGS)[found.topic].settings()
    parts = ("retention.ms", "segment.ms") if found.cleanup == "delete" else ("max.compaction.lag.ms",)
    assert found.clean_by - NOW == timedelta(milliseconds=sum(int(told[part]) for part in parts))
