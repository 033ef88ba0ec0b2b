"""Holds in Postgres: kept once, due once, woken, erased and forgotten."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from console.control.holds import cancel
from schemas.digest import Joining
from schemas.record_key import Keyed
from store.chosen_holds import ChosenHolds, HoldFilter
from store.distributions import Change, Control
from store.holds import GatheredRow, HoldRow, Holds
from streams.digest import MOST, place_all
from tests.factory import rule

NOW = datetime.now(UTC)
AGO, TOLD = NOW - timedelta(minutes=5), NOW + timedelta(days=9)


def row(identity: str = "hld_1", **changes: Any) -> HoldRow:
    made = HoldRow("shop", identity, 0, "thanks", "c1", "delayed", AGO, AGO, b"record")
    return made._replace(**changes)


async def released(holds: Holds) -> list[str]:
    async with holds.due(10, TOLD) as due:
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
        async with holds.due(10, TOLD):
            raise RuntimeError("the broker is away")
    assert await released(holds) == ["shop hld_1 0"]


async def test_holders_do_not_release_the_same(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.add([row("hld_1"), row("hld_2")])
    async with holds.due(1, TOLD) as first, holds.due(10, TOLD) as second:
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


def ranked(identity: str, priority: int | None, **changes: Any) -> HoldRow:
    return row(identity, **{"reason": "gathered", "priority": priority, "step": 0, **changes})


async def released_by_priority(holds: Holds, most: int = 10) -> list[str]:
    async with holds.due_by_priority(most, TOLD) as due:
        return [one.hold_id for one in due]


LATER = NOW + timedelta(days=1)


async def test_of_a_customer_the_highest_priority_is_released_first(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.add(
        [
            ranked("low", 1),
            ranked("high", 5, until_at=LATER),
            ranked("high-later", 5, until_at=LATER, arrived_at=NOW),
            ranked("high-beside", 5, until_at=LATER, step=1),
            ranked("turn", 3, reason="capped"),
            ranked("turn-tomorrow", 9, reason="capped", until_at=LATER),
            ranked("other", 9, customer_id="c2", until_at=LATER),
            ranked("plain", None),
        ]
    )
    assert await released(holds) == ["shop plain 0"], "what waits by priority is left to due_by_priority"
    expected = ["high", "high-beside", "high-later", "turn", "low"]
    assert await released_by_priority(holds, most=1) == expected, "what is gathered comes with the first that is due"
    assert await released_by_priority(holds) == []
    assert (await holds.waiting()).waiting == 2


async def test_one_holder_at_a_time_releases_by_priority(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.add([ranked("low", 1), ranked("high", 5)])
    with pytest.raises(RuntimeError):
        async with holds.due_by_priority(1, TOLD) as due:
            assert [one.hold_id for one in due] == ["high", "low"]
            await holds.add([ranked("highest", 9)])
            assert await released_by_priority(holds) == []
            raise RuntimeError("the broker is away")
    assert await released_by_priority(holds) == ["highest", "high", "low"], "all of them, once nobody else does"


async def test_what_is_cancelled_does_not_bring_along_what_is_gathered(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.add([ranked("low", 1, until_at=LATER), ranked("high", 5, until_at=LATER, distribution_id="high")])
    assert await cancel(ChosenHolds(pool), HoldFilter("shop", distribution="high"), actor="ann") == 1
    assert await released_by_priority(holds) == []
    assert await released(holds) == ["shop high 0"]


def joins(number: int, minutes: float = 0, *, first: bool = False, size: int = 1, **changes: Any) -> GatheredRow:
    """An event of a digest that gathers for ten minutes, `minutes` after a quarter of an hour ago."""
    happened = datetime.now(UTC) + timedelta(minutes=minutes - 15)
    until, late = happened + timedelta(minutes=10), happened + timedelta(minutes=20)
    hold = row(f"hld_{number}", reason="digest", until_at=until, record=b"%d" % number * size, **changes)
    digest = f"dig_{hold.customer_id}"
    return GatheredRow(hold, Joining(digest, happened, until, late, len(hold.record or b""), first))


async def released_digests(holds: Holds, most: int = 10) -> list[tuple[str, list[bytes], int | None]]:
    await holds.close(most)
    async with holds.due(most, TOLD) as due:
        return sorted((one.hold_id, list(one.gathered), one.events) for one in due)


async def test_what_is_gathered_is_released_once_and_as_one(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    rows = [joins(1), joins(3, 4), joins(2, 2), joins(9, 2, project_id="other"), joins(5, 2, customer_id="c2")]
    assert await holds.gather(rows, place_all) == 5
    assert await holds.gather([*rows, *rows], place_all) == 0
    assert await released_digests(holds) == [
        ("hld_1", [b"2", b"3"], 3), ("hld_5", [], 1), ("hld_9", [], 1)
    ]  # fmt: skip
    assert await released_digests(holds) == []
    assert await holds.gather(rows, place_all) == 0, "read again after it was released"
    assert {one["record"] for one in await pool.fetch("select record from holds")} == {None}


async def test_what_joins_after_the_close_is_in_the_next(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.gather([joins(1)], place_all)
    await holds.close(10)
    with pytest.raises(RuntimeError):
        async with holds.due(10, TOLD) as due:
            assert len(due) == 1
            raise RuntimeError("the broker is away")
    assert await holds.gather([joins(2, 1), joins(3, 2)], place_all) == 2
    async with holds.due(10, TOLD) as due:
        assert [(one.hold_id, one.gathered, one.events) for one in due] == [("hld_1", [], 1)]
    assert await released_digests(holds) == [("hld_2", [b"3"], 2)]


async def test_the_first_is_due_at_once_and_what_follows_at_the_end_of_its_window(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    await holds.gather([joins(1, 10, first=True)], place_all)
    assert await released_digests(holds) == [("hld_1", [], 1)]
    await holds.gather([joins(2, 12, first=True), joins(3, 11, first=True)], place_all)
    assert await released_digests(holds) == []
    assert (await holds.waiting()).waiting == 2
    await pool.execute("update holds set until_at = now() where ended_at is null")
    assert await released_digests(holds) == [("hld_3", [b"2"], 2)]


async def test_a_hundred_are_kept_and_all_are_counted(pool: asyncpg.Pool) -> None:
    holds = Holds(pool)
    for start in range(0, 250, 50):
        await holds.gather([joins(number, number / 1000) for number in range(start, start + 50)], place_all)
    ((leads, others, count),) = await released_digests(holds)
    assert (leads, len(others), count) == ("hld_0", MOST - 1, 250)
    assert (await holds.waiting()).waiting == 0


async def test_holders_that_gather_and_release_at_once_neither_lose_nor_double(pool: asyncpg.Pool) -> None:
    """Each event is brought in by two of them, while two others release what is due by then."""
    holds, seen = Holds(pool), Counter[str]()
    events = [joins(number, number / 100, customer_id=f"c{number % 3}") for number in range(300)]
    brought = asyncio.Event()

    async def bring_in(chunk: int) -> None:
        for start in range(0, len(events), chunk):
            await holds.gather(events[start : start + chunk], place_all)
            await asyncio.sleep(0)

    async def release() -> None:
        found = True
        while found or not brought.is_set():
            digests = await released_digests(holds, 2)
            for leads, others, count in digests:
                assert count == 1 + len(others)
                seen.update([leads, *(f"hld_{one.decode()}" for one in others)])
            found = bool(digests)

    releasing = [asyncio.create_task(release()) for _ in range(2)]
    await asyncio.gather(bring_in(7), bring_in(11))
    brought.set()
    await asyncio.gather(*releasing)
    assert seen == {f"hld_{number}": 1 for number in range(300)}


@pytest.mark.parametrize("is_closed", [False, True])
async def test_of_erased_customers_only_what_came_later_is_released(pool: asyncpg.Pool, is_closed: bool) -> None:
    holds = Holds(pool)
    await holds.gather([joins(1), joins(2, 1), joins(3, 2, arrived_at=NOW), joins(4, 3, arrived_at=NOW)], place_all)
    if is_closed:
        await holds.close(10)
    await holds.erase([(Keyed("shop", "c1"), AGO + timedelta(minutes=1))])
    await holds.reopen()
    assert await released_digests(holds) == [("hld_3", [b"4"], 2)]
    assert await holds.gather([joins(5)], place_all) == 0, "from before"
    assert {one["record"] for one in await pool.fetch("select record from holds")} == {None}
