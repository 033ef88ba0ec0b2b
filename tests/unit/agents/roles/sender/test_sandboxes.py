"""Sandboxes as they are known, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest

from agents.roles.sender.sandboxes import Sandboxes
from schemas.errors import TryLater


class Store:
    def __init__(self) -> None:
        self.asked, self.is_away, self.now = 0, False, 100.0
        self.kept: Mapping[str, Collection[str]] = {"stage": ["test.example"]}

    async def load(self) -> Mapping[str, Collection[str]]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise TryLater("Postgres is away")
        return self.kept

    def ticks(self) -> float:
        return self.now


async def test_all_are_asked_for_together_and_again_after_a_moment() -> None:
    store = Store()
    made = Sandboxes(store.load, store.ticks)
    found = await asyncio.gather(*(made.allowed(name) for name in ("stage", "shop") * 50))
    assert (found[:2], store.asked) == ([["test.example"], None], 1)
    store.kept, store.now = {"shop": []}, store.now + 2.9
    assert (await made.allowed("shop"), store.asked) == (None, 1)
    store.now += 0.2
    assert (await made.allowed("shop"), await made.allowed("stage"), store.asked) == ([], None, 2)


async def test_nothing_is_let_through_before_it_is_known_and_what_is_known_counts_for_a_minute() -> None:
    store = Store()
    made, store.is_away = Sandboxes(store.load, store.ticks), True
    with pytest.raises(TryLater):
        await made.allowed("shop")
    store.is_away = False
    assert await made.allowed("stage") == ["test.example"]
    store.is_away, store.now = True, store.now + 59
    assert await made.allowed("stage") == ["test.example"]
    store.now += 4
    with pytest.raises(TryLater):
        await made.allowed("shop")
    store.is_away = False
    assert await made.allowed("stage") == ["test.example"]
