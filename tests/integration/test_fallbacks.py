"""Messages and what follows them, in Postgres: whichever of the two is known first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from console.control.holds import cancel
from schemas.errors import TryLater
from store.chosen_holds import ChosenHolds, HoldFilter
from store.distributions import Change, Control
from store.holds import HoldRow, Holds, ReachedRow
from tests.factory import rule

NOW = datetime.now(UTC)
AGO, LATER, TOLD = NOW - timedelta(minutes=5), NOW + timedelta(days=1), NOW + timedelta(days=9)
EMAIL, SMS = (
    {"email": {"account": "main", "subject": "Hi", "text": "Hello"}},
    {"sms": {"account": "main", "text": "Hello"}},
)


def follows(*deliveries: str, unless: int = 2, **changes: Any) -> HoldRow:
    made = HoldRow("shop", "hld_1", 0, "thanks", "c1", "fallback", LATER, AGO, b"record")
    return made._replace(follows=" ".join(deliveries), unless=unless, **changes)


def reached(delivery: str, far: int, **changes: Any) -> ReachedRow:
    return ReachedRow("shop", "thanks", delivery, far, AGO)._replace(**changes)


async def apply(pool: asyncpg.Pool, **changes: Any) -> None:
    one = rule(**{"channels": [SMS, EMAIL], "order": "first_available", "fallback_after": {"time": "1d"}, **changes})
    await Control(pool).save([Change(one, "", ())], applied_by="test", now=NOW)


async def released(holds: Holds) -> list[tuple[str, int | None]]:
    async with holds.due(10, TOLD) as due:
        return [(one.hold_id, one.reached) for one in due]


@pytest.mark.parametrize("is_first", [True, False], ids=["status-first", "hold-first"])
async def test_what_came_far_enough_ends_what_follows_whichever_was_read_first(
    pool: asyncpg.Pool, is_first: bool
) -> None:
    await apply(pool)
    holds = Holds(pool)
    rows = [follows("dlv_0", "dlv_1", until_at=AGO if is_first else LATER)]
    if is_first:
        assert await holds.reached([reached("dlv_1", 3)]) == 1
        await holds.add(rows)
    else:
        await holds.add(rows)
        assert await released(holds) == []
        assert await holds.reached([reached("dlv_1", 3)]) == 1
    assert await released(holds) == [("hld_1", 3)], "it is due at once, with how far it came"
    assert await released(holds) == []


async def test_what_did_not_come_far_enough_or_is_anothers_changes_nothing(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    await holds.add([follows("dlv_0"), follows("dlv_0", hold_id="hld_2", until_at=AGO)])
    await holds.reached([reached("dlv_0", 1), reached("dlv_9", 3), reached("dlv_0", 3, project_id="other")])
    assert await released(holds) == [("hld_2", None)]
    await holds.reached([reached("dlv_0", 2), reached("dlv_0", 1)])
    assert await released(holds) == [("hld_1", 2)]


async def test_the_furthest_counts_in_any_order_and_is_kept_once(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    assert await holds.reached([reached("dlv_0", 1), reached("dlv_0", 3), reached("dlv_0", 2)]) == 1
    assert await holds.reached([reached("dlv_0", 3)]) == 0
    assert await holds.reached([reached("dlv_0", 2)]) == 0
    assert await pool.fetchval("select reached from delivery_reach") == 3


async def test_only_that_is_kept_which_a_distribution_asks(pool: asyncpg.Pool) -> None:
    await apply(pool, distribution="other", fallback_after=None)
    holds = Holds(pool)
    assert await holds.reached([reached("dlv_0", 3, distribution_id="other"), reached("dlv_1", 3)]) == 0
    await apply(pool)
    assert await holds.reached([reached("dlv_0", 3, distribution_id="other"), reached("dlv_1", 3)]) == 1


@pytest.mark.parametrize("is_first", [True, False], ids=["status-first", "hold-first"])
async def test_what_follows_a_message_that_comes_nowhere_is_due_at_once(pool: asyncpg.Pool, is_first: bool) -> None:
    await apply(pool)
    holds, rows = Holds(pool), [follows("dlv_0", "dlv_1"), follows("dlv_1", "dlv_2", hold_id="hld_2")]
    if is_first:
        assert await holds.reached([reached("dlv_1", 0)]) == 1
        await holds.add(rows)
    else:
        await holds.add(rows)
        await holds.reached([reached("dlv_1", 0)])
    hurried = await holds.hurry(timedelta(minutes=1))
    assert hurried == (0 if is_first else 1)
    assert await released(holds) == [("hld_1", None)], "of several messages the last one counts"
    assert await holds.hurry(timedelta(minutes=1)) == 0


async def test_what_came_somewhere_after_all_is_known_so(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    await holds.reached([reached("dlv_0", 0)])
    assert await holds.reached([reached("dlv_0", 2)]) == 1
    assert await holds.reached([reached("dlv_0", 0)]) == 0
    await holds.add([follows("dlv_0", unless=3)])
    assert await holds.hurry(timedelta(minutes=1)) == 0
    assert await released(holds) == []


async def test_neither_a_pause_nor_what_was_noted_long_ago_is_hurried(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    await holds.add([follows("dlv_0", reason="paused", until_at=None), follows("dlv_1", hold_id="hld_2")])
    await holds.reached([reached("dlv_0", 0), reached("dlv_1", 0)])
    await pool.execute("update delivery_reach set noted_at = now() - interval '2 minutes' where delivery_id = 'dlv_1'")
    assert await holds.hurry(timedelta(minutes=1)) == 0
    assert await released(holds) == []


async def test_a_pause_is_not_ended_by_what_is_reached(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    await holds.add([follows("dlv_0", reason="paused", until_at=None)])
    await holds.reached([reached("dlv_0", 3)])
    assert await released(holds) == []


async def test_what_fails_to_be_published_has_still_come_so_far(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    await holds.add([follows("dlv_0")])
    await holds.reached([reached("dlv_0", 2)])
    with pytest.raises(TryLater):
        async with holds.due(10, TOLD):
            raise TryLater("the broker is away")
    assert await released(holds) == [("hld_1", 2)]


async def test_how_far_messages_came_is_forgotten_in_time(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    await holds.reached([reached("dlv_0", 2), reached("dlv_1", 2)])
    await pool.execute("update delivery_reach set noted_at = now() - interval '2 days' where delivery_id = 'dlv_0'")
    assert await holds.forget_reached(timedelta(days=1), 10) == 1
    assert await pool.fetchval("select delivery_id from delivery_reach") == "dlv_1"


@pytest.mark.parametrize("priority", [None, 3], ids=["plain", "by-priority"])
async def test_what_came_due_later_than_statuses_are_read_has_to_wait(pool: asyncpg.Pool, priority: int | None) -> None:
    await apply(pool)
    holds, soon = Holds(pool), AGO + timedelta(minutes=1)
    due = holds.due if priority is None else holds.due_by_priority
    assert not await holds.follows_due(AGO - timedelta(days=9))
    await holds.add([follows("dlv_0", until_at=soon, priority=priority)])
    assert await holds.follows_due(AGO)
    assert not await holds.follows_due(soon)
    async with due(10, AGO) as found:
        assert found == []
    await holds.reached([reached("dlv_0", 2)])
    async with due(10, soon) as found:
        assert [(one.hold_id, one.reached) for one in found] == [("hld_1", 2)]


async def test_what_follows_and_was_ended_by_hand_does_not_wait_for_statuses(pool: asyncpg.Pool) -> None:
    await apply(pool)
    holds = Holds(pool)
    await holds.add([follows("dlv_0")])
    assert await cancel(ChosenHolds(pool), HoldFilter("shop", customer="c1"), actor="ann") == 1
    async with holds.due(10, AGO) as found:
        assert [one.canceled_by for one in found] == ["ann"]
