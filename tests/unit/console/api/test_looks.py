"""Looks that are shared: by those who ask meanwhile, and never with an answer from before they asked."""

from __future__ import annotations

import asyncio

import pytest

from console.api.looks import Looks


class Slow:
    """Answers with how often it was asked, each time once it is let."""

    def __init__(self) -> None:
        self.asked, self.ended = 0, asyncio.Semaphore(0)

    async def look(self) -> int:
        self.asked += 1
        mine = self.asked
        await self.ended.acquire()
        return mine


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_who_ask_while_one_is_under_way_have_the_next_one_together() -> None:
    slow, looks = Slow(), Looks[str, int]()
    first = asyncio.ensure_future(looks.look("key", slow.look))
    await _settled()
    others = [asyncio.ensure_future(looks.look("key", slow.look)) for _ in range(5)]
    await _settled()
    assert slow.asked == 1, "what is under way began before they asked"
    slow.ended.release()
    await _settled()
    assert (first.done(), slow.asked) == (True, 2)
    late = asyncio.ensure_future(looks.look("key", slow.look))
    await _settled()
    assert slow.asked == 2
    slow.ended.release()
    assert await asyncio.gather(*others) == [2] * 5
    slow.ended.release()
    assert (await first, await late) == (1, 3)
    slow.ended.release()
    assert await looks.look("key", slow.look) == 4, "nothing is kept"


async def test_what_is_looked_at_apart_does_not_wait() -> None:
    slow, looks = Slow(), Looks[str, int]()
    both = [asyncio.ensure_future(looks.look(key, slow.look)) for key in ("one", "other")]
    await _settled()
    assert slow.asked == 2
    slow.ended.release()
    slow.ended.release()
    assert sorted(await asyncio.gather(*both)) == [1, 2]


@pytest.mark.parametrize("who", [0, 1])
async def test_who_is_gone_takes_nobodys_answer_along(who: int) -> None:
    slow, looks = Slow(), Looks[str, int]()
    asking = []
    for _ in range(3):
        asking.append(asyncio.ensure_future(looks.look("key", slow.look)))
        await _settled()
    asking[who].cancel()
    await _settled()
    slow.ended.release()
    slow.ended.release()
    assert await asking[2] == 2
    await asyncio.gather(*asking, return_exceptions=True)


async def test_an_error_is_told_to_all_and_the_next_look_is_a_new_one() -> None:
    looks, ended = Looks[str, int](), asyncio.Event()

    async def fail() -> int:
        await ended.wait()
        raise LookupError("away")

    async def answer() -> int:
        return 7

    asking = [asyncio.ensure_future(looks.look("key", fail)) for _ in range(3)]
    await _settled()
    ended.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in found] == [LookupError] * 3
    assert await looks.look("key", answer) == 7
