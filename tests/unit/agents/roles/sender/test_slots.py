"""Slots whose number changes while they are taken."""

from __future__ import annotations

import asyncio

from agents.roles.sender.slots import Slots
from schemas.destination import Destination

ONE = Destination("shop", "email", "main")


class Users:
    """Those who want a slot, and what they got."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.got: list[bool] = []
        self.end = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, count: int) -> None:
        self.tasks += [asyncio.create_task(self._use()) for _ in range(count)]
        await settled()

    async def _use(self) -> None:
        async with self._slots.one(ONE) as has_one:
            self.got.append(has_one)
            if has_one:
                await self.end.wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_bound_that_grows_lets_more_in_and_one_that_shrinks_lets_those_finish_who_are_in() -> None:
    most = 1
    slots = Slots(lambda _: most)
    users = Users(slots)
    await users.come(5)
    assert (users.got, slots.taken(ONE)) == ([True], 1)
    most = 3
    slots.changed(ONE)
    await settled()
    assert slots.taken(ONE) == 3
    most = 1
    slots.changed(ONE)
    assert slots.taken(ONE) == 3
    users.end.set()
    await asyncio.wait_for(asyncio.gather(*users.tasks), 60)
    assert (users.got, slots.taken(ONE)) == ([True] * 5, 0)


async def test_nobody_waits_where_the_bound_is_known_to_be_0() -> None:
    most = 0
    slots = Slots(lambda _: most)
    users = Users(slots)
    await users.come(2)  # nothing is known yet
    assert users.got == []
    slots.changed(ONE)
    await settled()
    assert users.got == [False, False]


async def test_who_gives_up_leaves_no_slot_taken() -> None:
    slots = Slots(lambda _: 1)
    users = Users(slots)
    await users.come(3)
    for task in users.tasks[1:]:
        task.cancel()
    users.end.set()
    await asyncio.gather(*users.tasks, return_exceptions=True)
    assert slots.taken(ONE) == 0
    async with asyncio.timeout(60), slots.one(ONE) as has_one:
        assert has_one
