"""Bulk work goes on alone at once, and beside live work in turns."""

from __future__ import annotations

import asyncio

from agents.transport.turns import Turns


async def test_where_nothing_live_is_under_way_a_turn_comes_at_once() -> None:
    turns = Turns(lambda: False, longest=60)
    await asyncio.wait_for(turns.take(), 30)


async def test_a_turn_waits_until_live_work_is_over() -> None:
    is_waiting = True
    turns = Turns(lambda: is_waiting, longest=600)
    turn = asyncio.ensure_future(turns.take())
    await asyncio.sleep(0.02)
    assert not turn.done()
    is_waiting = False
    await asyncio.wait_for(turn, 60)


async def test_beside_live_work_without_end_a_turn_comes_nevertheless() -> None:
    turns = Turns(lambda: True, longest=0.01)
    await asyncio.wait_for(turns.take(), 60)


async def test_all_bulk_work_has_one_turn_together() -> None:
    """However many agents do bulk work: else each had a share of its own."""
    is_waiting, came = True, list[int]()
    turns = Turns(lambda: is_waiting, longest=600)

    async def lane(number: int) -> None:
        await turns.take()
        came.append(number)

    lanes = [asyncio.ensure_future(lane(number)) for number in range(3)]
    await asyncio.sleep(0.02)
    assert not came
    is_waiting = False
    await asyncio.wait_for(asyncio.gather(*lanes), 60)
    assert came == [0, 1, 2]
