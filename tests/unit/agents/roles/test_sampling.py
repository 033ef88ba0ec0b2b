"""The sample of events whose fields are looked into: bounded by time, by type and in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.roles.matcher.sampling import FieldSamples
from agents.telemetry.metrics import Metrics
from schemas.errors import TryLater, Undecodable
from store.fields_seen import FieldKey, SeenKinds
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from tests.factory import NOW, context, rule


class Rows:
    """Keeps what is added, as the table does; `is_away`: nothing can be."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[str, str], int] = {}
        self.is_away = False

    async def add(self, counts: Mapping[FieldKey, SeenKinds]) -> None:
        if self.is_away:
            raise TryLater("away", what="Postgres")
        for key, seen in counts.items():
            self.kinds[key.path, key.kind] = self.kinds.get((key.path, key.kind), 0) + seen.events


def index_of(**changes: Any) -> RuleIndex:
    index = RuleIndex()
    index.insert(rule(**{"when": {"order.amount": 5}, **changes}))
    return index


async def written(samples: FieldSamples) -> dict[tuple[str, str], int]:
    rows = Rows()
    await samples.write(rows)  # type: ignore[arg-type]
    return rows.kinds


@pytest.mark.parametrize(("a_second", "expected"), [(1, 10), (10, 100), (1000, 1000), (0.1, 1)])
async def test_so_many_events_a_second_are_looked_into(a_second: float, expected: int) -> None:
    samples, index = FieldSamples(a_second, Metrics()), index_of()
    for number in range(1000):
        now = NOW + timedelta(milliseconds=10 * number)
        samples.note(context(), index, "events.orders", (0, number), now)
    assert await written(samples) == {("order.amount", "number"): expected}


async def test_a_clock_that_is_set_back_stops_no_sample() -> None:
    samples, index = FieldSamples(1, Metrics()), index_of()
    for hours in (0, -5, -5):
        samples.note(context(), index, "events.orders", (0, 1), NOW + timedelta(hours=hours))
    assert await written(samples) == {("order.amount", "number"): 2}


async def test_fields_follow_the_rules_that_there_are() -> None:
    samples, index = FieldSamples(100_000, Metrics()), index_of()
    moments = (NOW + timedelta(seconds=number) for number in range(9))

    async def note() -> dict[tuple[str, str], int]:
        samples.note(context(), index, "events.orders", (0, 1), next(moments))
        return await written(samples)

    assert await note() == {("order.amount", "number"): 1}
    index.insert(rule(when={"customer.name": "Jo", "customer.metadata.gone": 1}))
    assert await note() == {("customer.name", "text"): 1, ("customer.metadata.gone", ""): 1}
    index.insert(msgspec.structs.replace(rule(when={"customer.name": "Jo"}), status="PAUSED"))
    assert await note() == {}
    index = index_of(distribution="another")
    assert await note() == {("order.amount", "number"): 1}


async def test_what_cannot_be_read_is_left_out_and_memory_is_bounded() -> None:
    def undecodable(_: Any) -> dict[str, Any]:
        raise Undecodable("broken")

    metrics = Metrics()
    samples = FieldSamples(100_000, metrics, most=1)
    index = index_of(when={"order.amount": 5, "customer.name": "Jo"})
    samples.note(EventContext(context().head, {}, undecodable), index, "events.orders", (0, 1), NOW)
    assert await written(samples) == {}
    samples.note(context(), index, "events.orders", (0, 1), NOW + timedelta(seconds=1))
    assert len(await written(samples)) == 1
    assert metrics.registry.get_sample_value("tidings_watch_uncounted_total") == 1


async def test_what_could_not_be_written_is_written_with_the_next() -> None:
    samples, index, rows = FieldSamples(100_000, Metrics()), index_of(), Rows()
    rows.is_away = True
    for number in range(3):
        samples.note(context(), index, "events.orders", (0, number), NOW + timedelta(seconds=number))
        with pytest.raises(TryLater):
            await samples.write(rows)  # type: ignore[arg-type]
    rows.is_away = False
    await samples.write(rows)  # type: ignore[arg-type]
    await samples.write(rows)  # type: ignore[arg-type]
    assert rows.kinds == {("order.amount", "number"): 3}
