"""Fields of sampled events in a real PostgreSQL, and what owners are told of those that are gone or changed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from agents.roles.matcher.counting import DecisionCounts
from agents.roles.sender.watch import Watch
from agents.telemetry.metrics import Metrics
from deploy.settings.workers import Watch as WatchSettings
from schemas.errors import TryLater
from store.distributions import Change, Control
from store.fields_seen import SLOT, FieldKey, FieldsSeen, SeenKinds
from store.notices import Notices
from store.postgres import connect
from store.watching import DecisionHours
from streams.event_context import EventContext
from streams.events import read_event
from streams.index.rules import RuleIndex
from tests.factory import order_event, rule
from tests.integration.test_notices import told

NOW = datetime.now(UTC)
PAID, PATH = "customer.order.paid", "order.metadata.channel"
USING = rule(when={PATH: "web"}, consent="transactional")


def counts(dsn: str, a_second: float = 100_000) -> DecisionCounts:
    return DecisionCounts(lambda: connect(dsn, size=1), Metrics(), instance="m", fields_a_second=a_second)


def paid(age: timedelta, value: Any = None) -> EventContext:
    """A paid order of so long ago, with a channel or without."""
    order = {"id": "o", "metadata": {} if value is None else {"channel": value}}
    record = order_event(data={"customer": {"id": "c1"}, "order": order}, created_at=(NOW - age).isoformat())
    head = read_event(record, "events.orders", b"c1", now=NOW, max_future=timedelta(), default_project="shop")
    return EventContext(head, record, dict)


async def live(pool: asyncpg.Pool, **changes: Any) -> None:
    made = rule(**{"when": {PATH: "web"}, "consent": "transactional", **changes})
    await Control(pool).save([Change(made, "", ())], applied_by="me", now=NOW)


def key(age: timedelta, kind: str = "text", path: str = PATH) -> FieldKey:
    slot = NOW - age
    return FieldKey("shop", PAID, path, slot.replace(minute=slot.minute // 15 * 15, second=0, microsecond=0), kind)


async def past(seen: FieldsSeen, kind: str = "text", path: str = PATH) -> None:
    """Ten days of events, up to an hour ago."""
    hours = [key(timedelta(hours=n), kind, path) for n in range(240, 0, -1)]
    await seen.add({one: SeenKinds(10, "events.orders-0@1") for one in hours})


def watch(pool: asyncpg.Pool) -> Watch:
    notices = Notices(pool, lambda notice: ["webhook:https://ops.example.com/"])
    return Watch(DecisionHours(pool), FieldsSeen(pool), notices, WatchSettings().bounds, every=timedelta(0))


async def states(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    return [(one.state, one.about) for one in await told(pool) if one.kind == "field_changed"]


async def test_several_matchers_add_up_and_slots_become_hours(dsn: str, pool: asyncpg.Pool) -> None:
    runs, seen = [counts(dsn) for _ in range(3)], FieldsSeen(pool)
    index = RuleIndex()
    index.insert(USING)
    for age, value in ((0, "web"), (1, 5), (8, "web"), (8.25, "web"), (400, "web")):
        event = paid(timedelta(hours=age), value)
        for number, one in enumerate(runs):
            one.fields.note(event, index, "events.orders", (number, 7), NOW)
    await asyncio.gather(*(one.write() for one in runs))
    (found,) = await seen.histories()
    assert (found.project_id, found.subject, found.path) == ("shop", PAID, PATH)
    assert sum(sum(slot.kinds.values()) for slot in found.slots) == 12  # those of before what is kept are left out
    assert found.slots[-1].kinds == {"text": 3}
    assert found.slots[-1].until - found.slots[-1].start == SLOT
    await asyncio.gather(*(one.write() for one in runs))
    await seen.forget()
    await seen.forget()
    (after,) = await seen.histories()
    assert sum(sum(slot.kinds.values()) for slot in after.slots) == 12
    assert {slot.until - slot.start for slot in after.slots[:-2]} == {timedelta(hours=1)}
    assert all(example.startswith("events.orders-") for slot in after.slots for example in slot.examples.values())
    await pool.execute("update fields_seen set slot = slot - interval '20 days'")
    await seen.forget()
    assert await seen.histories() == []


async def test_what_is_counted_while_postgres_is_away_is_written_later(dsn: str, pool: asyncpg.Pool) -> None:
    where = ["postgresql://127.0.0.1:1/none"]
    one = DecisionCounts(lambda: connect(where[0], size=1), Metrics(), instance="m", fields_a_second=100_000)
    index = RuleIndex()
    index.insert(USING)
    one.fields.note(paid(timedelta()), index, "events.orders", (0, 7), NOW)
    with pytest.raises(TryLater):
        await one.write()
    where[0] = dsn
    await one.write()
    await one.close()
    assert await pool.fetchval("select sum(events) from fields_seen") == 1


@pytest.mark.parametrize("kind", ["", "number"])
async def test_a_changed_field_is_told_once_and_when_it_is_as_before(pool: asyncpg.Pool, kind: str) -> None:
    seen, about = FieldsSeen(pool), f"{PAID}: {PATH}"
    await live(pool)
    await live(pool, distribution="second")
    await live(pool, distribution="other", when={"order.amount": 5})
    await past(seen)
    await past(seen, path="order.gone.but.unused")
    for _ in range(2):
        await watch(pool).look()
    assert await states(pool) == []
    await seen.add({key(timedelta(), kind): SeenKinds(29, "events.orders-2@70")})
    await watch(pool).look()
    assert await states(pool) == []
    await seen.add({key(timedelta(), kind): SeenKinds(11, "events.orders-2@77")})
    await asyncio.gather(*(watch(pool).look() for _ in range(3)))
    for _ in range(2):  # by other processes, with nothing new: it neither ends nor is told again
        await watch(pool).look()
        await seen.forget()
    assert await states(pool) == [("opened", about)]
    (notice,) = await told(pool)
    assert "as in events.orders-2@77. Used by: second, thanks." in notice.summary
    await seen.add({key(timedelta(), "text"): SeenKinds(200, "events.orders-2@99")})
    for _ in range(2):
        await watch(pool).look()
    assert await states(pool) == [("opened", about), ("closed", about)]


async def test_a_field_that_nobody_uses_any_more_is_over(pool: asyncpg.Pool) -> None:
    seen = FieldsSeen(pool)
    await live(pool)
    await past(seen)
    await seen.add({key(timedelta(), ""): SeenKinds(40, "events.orders-2@77")})
    await watch(pool).look()
    stopped = rule(when={PATH: "web"}, consent="transactional")
    await Control(pool).set_status(stopped, "PAUSED", applied_by="me", now=NOW)
    await watch(pool).look()
    assert [state for state, _ in await states(pool)] == ["opened", "closed"]


async def test_events_that_are_read_again_change_nothing(dsn: str, pool: asyncpg.Pool) -> None:
    """Old events, of before a field was there, all of them now: they are not the newest."""
    one, seen, index = counts(dsn), FieldsSeen(pool), RuleIndex()
    index.insert(USING)
    await live(pool)
    await past(seen)
    for number in range(200):
        one.fields.note(paid(timedelta(days=12, seconds=number)), index, "events.orders", (0, number), NOW)
    await one.close()
    assert await pool.fetchval("select sum(events)::int from fields_seen where kind = ''") == 200
    await watch(pool).look()
    assert await states(pool) == []
