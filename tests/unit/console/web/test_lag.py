"""An answer that many pages share: asked for by one of them at a time, and shown until it is old."""

from __future__ import annotations

import asyncio

import pytest

from console.web import lag
from console.web.lag import _Asked
from schemas.errors import TryLater

FOREVER = 60.0


class Source:
    """Whatever is asked: it answers what it is given, once it may."""

    def __init__(self, *answers: int | TryLater | None) -> None:
        self.answers, self.asked, self.may = list(answers), 0, asyncio.Event()
        self.may.set()

    async def ask(self) -> int | None:
        self.asked += 1
        await self.may.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, TryLater):
            raise answer
        return answer


async def test_all_who_ask_at_once_share_one_answer() -> None:
    source, asked = Source(1), _Asked[int](FOREVER, FOREVER, waits=True)
    assert await asyncio.gather(*(asked.get(source.ask) for _ in range(5))) == [1] * 5
    assert (await asked.get(source.ask), source.asked) == (1, 1)


async def test_nobody_waits_for_a_new_answer_while_a_former_one_can_be_shown() -> None:
    source, asked = Source(1, 2), _Asked[int](-1.0, FOREVER, waits=False)
    assert await asked.get(source.ask) == 1
    source.may.clear()
    assert [await asked.get(source.ask) for _ in range(3)] == [1] * 3
    assert asked._asking is not None
    source.may.set()
    await asked._asking
    assert (source.asked, source.answers) == (2, [])


async def test_a_question_without_an_answer_leaves_the_former_one_until_it_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, asked = Source(1, None, None), _Asked[int](-1.0, FOREVER, waits=True)
    assert [await asked.get(source.ask) for _ in range(2)] == [1, 1]
    monkeypatch.setattr(lag, "_OLD_SECONDS", -1.0)
    assert await asked.get(source.ask) is None


async def test_who_waits_is_told_that_it_failed_and_the_next_one_asks_again() -> None:
    source, asked = Source(TryLater("Postgres does not answer"), 3), _Asked[int](FOREVER, FOREVER, waits=True)
    with pytest.raises(TryLater):
        await asked.get(source.ask)
    assert await asked.get(source.ask) == 3


async def test_nobody_waits_longer_than_their_patience() -> None:
    source, asked = Source(1), _Asked[int](FOREVER, 0.0, waits=True)
    source.may.clear()
    assert [await asked.get(source.ask) for _ in range(2)] == [None, None]
    assert asked._asking is not None
    source.may.set()
    await asked._asking
    assert (await asked.get(source.ask), source.asked) == (1, 1)
