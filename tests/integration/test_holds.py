"""Holds in Postgres: kept once, due once, woken, erased and forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from schemas.record_key import Keyed
from store.distributions import Change, Control
from store.holds import HoldRow, Holds
from tests.factory import rule

NOW = datetime.now(UTC)
AGO = NOW - timedelta(minutes=5)


def row(identity: str = "hld_1", **changes: Any) -> HoldRow:
    made = HoldRow("shop", identity, 0, "thanks", "c1", "delayed", AGO, AGO, b"record")
    return made._replace(**changes)


async def released(holds: Holds) -> list[str]:
    async with holds.due(10) as due:
        return [f"{one.project_id} {one.hold_id} {one.round}" for one in due]


async def test_a_hold_is_kept_once_and_due_once(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    assert (
        await holds.add([row(), row(), row(round=1, until_at=NOW + timedelta(hours=1)), row(project_id="other")]) == 3
    )
    assert await holds.add([row()]) == 0
    assert sorted(await released(holds)) == ["other hld_1 0", "shop hld_1 0"]
    assert await released(holds) == []
    assert await holds.add([row()]) == 0, "read again after it was released"
    assert (await holds.waiting()).waiting == 1


async def test_what_fails_to_be_published_stays_due(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.add([row()])
    with pytest.raises(RuntimeError):
        async with holds.due(10):
            raise RuntimeError("the broker is away")
    assert await released(holds) == ["shop hld_1 0"]


async def test_holders_do_not_release_the_same(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.add([row("hld_1"), row("hld_2")])
    async with holds.due(1) as first, holds.due(10) as second:
        assert {one.hold_id for one in first} | {one.hold_id for one in second} == {"hld_1", "hld_2"}
        assert len(first) == len(second) == 1


@pytest.mark.parametrize(("status", "wakes"), [("PAUSED", 0), ("LIVE", 2), ("STOPPED", 2), (None, 2)])
async def test_what_waits_for_a_paused_distribution_is_due_once_it_is_not(
    pool: asyncpg.Pool, status: Any, wakes: int
) -> None:
    holds = Holds(pool)
    if status:
        change = Change(rule(status=status), "", ())
        await Control(pool).save([change], applied_by="test", now=NOW)
    waits = {"reason": "paused", "until_at": None}
    await holds.add([row("hld_1", **waits), row("hld_2", **waits), row("hld_3", until_at=NOW + timedelta(hours=1))])
    assert await released(holds) == []
    assert await holds.wake(10) == wakes
    assert len(await released(holds)) == wakes


async def test_nothing_is_kept_of_customers_who_are_erased_whichever_is_read_first(pool: asyncpg.Pool) -> None:
    holds, gone = Holds(pool), Keyed("shop", "c1")
    await holds.add([row("hld_1"), row("hld_2", arrived_at=NOW), row("hld_3", customer_id="c2")])
    await holds.erase([(gone, AGO + timedelta(minutes=1)), (gone, AGO)])
    await holds.add([row("hld_4"), row("hld_5", arrived_at=NOW)])
    assert sorted(await released(holds)) == ["shop hld_2 0", "shop hld_3 0", "shop hld_5 0"], "what came after it stays"
    assert {one["record"] for one in await pool.fetch("select record from holds")} == {None}


async def test_what_is_over_is_forgotten_when_nothing_makes_it_again(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.add([row("hld_1"), row("hld_2", until_at=NOW + timedelta(hours=1))])
    assert await released(holds) == ["shop hld_1 0"]
    assert await holds.forget(timedelta(hours=1), 10) == 0
    await pool.execute("update holds set ended_at = ended_at - interval '2 hours'")
    assert await holds.forget(timedelta(hours=1), 10) == 1
    assert (await holds.waiting()).waiting == 1
