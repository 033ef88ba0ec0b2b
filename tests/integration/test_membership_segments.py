"""A membership is of a segment that is there: held by each statement as a whole, and by no foreign key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import asyncpg
import pytest

from schemas.errors import TryLater
from schemas.segment import SegmentDefinition
from store.segment_transaction import MembershipRow
from store.segments import Segments
from tests.factory import NOW

PATIENCE = 60.0


async def put(pool: asyncpg.Pool, *segments: str, project: str = "shop", customer: str = "c1") -> None:
    async with Segments(pool).transaction() as work:
        await work.put_memberships(project, rows(segments, customer))


def rows(segments: Sequence[str], customer: str = "c1") -> list[MembershipRow]:
    return [MembershipRow(customer, one, True, 1, NOW) for one in segments]


async def apply(pool: asyncpg.Pool, *segments: str, project: str = "shop") -> None:
    made = [
        SegmentDefinition(id=one, project_id=project, name=one, version=1, updated_at=NOW, members=[])
        for one in segments
    ]
    await Segments(pool).save([(one, "") for one in made], applied_by="test", now=NOW)


async def kept(pool: asyncpg.Pool) -> list[tuple[str, str, str]]:
    found = await pool.fetch("select project_id, customer_id, segment_id from segment_memberships order by 1, 2, 3")
    return [tuple(row) for row in found]


async def remove(connection: asyncpg.Connection, *segments: str, project: str = "shop") -> None:
    await connection.execute(
        "delete from segments where project_id = $1 and segment_id = any($2::text[])", project, list(segments)
    )


async def until_somebody_waits(pool: asyncpg.Pool) -> None:
    deadline = time.monotonic() + PATIENCE
    waiting = (
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    )
    while not await pool.fetchval(waiting):
        assert time.monotonic() < deadline, "nobody waits for a lock"
        await asyncio.sleep(0.01)


async def test_none_is_kept_where_one_segment_is_not_there(pool: asyncpg.Pool) -> None:
    await apply(pool, "gold", "iron")
    await apply(pool, "lead", project="other")
    with pytest.raises(TryLater, match="deleted meanwhile"):
        await put(pool, "gold", "lead", "iron")
    assert await kept(pool) == []
    await put(pool, "gold", "iron")
    await put(pool, "lead", project="other")
    assert await kept(pool) == [("other", "c1", "lead"), ("shop", "c1", "gold"), ("shop", "c1", "iron")]


async def test_they_go_with_their_segments_and_with_no_other(pool: asyncpg.Pool) -> None:
    await apply(pool, "gold", "iron", "lead")
    await apply(pool, "gold", project="other")
    await put(pool, "gold", "iron", "lead")
    await put(pool, "gold", project="other")
    async with pool.acquire() as connection:
        await remove(connection, "gold", "iron")
    assert await kept(pool) == [("other", "c1", "gold"), ("shop", "c1", "lead")]


async def test_a_segment_is_removed_after_those_who_are_about_to_be_in_it_and_they_go_with_it(
    pool: asyncpg.Pool,
) -> None:
    await apply(pool, "gold")
    async with pool.acquire() as other:
        async with Segments(pool).transaction() as work:
            await work.put_memberships("shop", rows(["gold"]))
            await work.write()
            removal = asyncio.ensure_future(remove(other, "gold"))
            await until_somebody_waits(pool)
        await asyncio.wait_for(removal, PATIENCE)
    assert await kept(pool) == []


async def test_whoever_comes_while_a_segment_is_removed_waits_and_does_it_again_without(pool: asyncpg.Pool) -> None:
    await apply(pool, "gold", "iron")
    async with pool.acquire() as other, other.transaction():
        await remove(other, "gold")
        comes = asyncio.ensure_future(put(pool, "gold", "iron"))
        await until_somebody_waits(pool)
        assert not comes.done()
    with pytest.raises(TryLater, match="deleted meanwhile"):
        await asyncio.wait_for(comes, PATIENCE)
    assert await kept(pool) == []


async def test_a_new_version_of_a_segment_keeps_nobody_waiting(pool: asyncpg.Pool) -> None:
    await apply(pool, "gold")
    async with pool.acquire() as other, other.transaction():
        await other.execute("update segments set computed_to = 'c9' where segment_id = 'gold'")
        await asyncio.wait_for(put(pool, "gold"), PATIENCE)
    assert await kept(pool) == [("shop", "c1", "gold")]
