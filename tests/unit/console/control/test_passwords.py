"""Hashes of passwords: what proves one, what is made anew, and how many are made at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from console.control import passwords as module
from console.control.passwords import Cost, Passwords, is_weaker
from schemas.errors import TryLater

LIGHT = Cost(kib=64, passes=1)


@pytest.fixture
async def light() -> AsyncIterator[Passwords]:
    made = Passwords(cost=LIGHT)
    yield made
    made.close()


async def test_a_hash_proves_its_password_alone_whichever_keyboard_composed_it(light: Passwords) -> None:
    kept = await light.hash("zażółć gęślą jaźń")
    assert kept.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert kept != await light.hash("zażółć gęślą jaźń"), "salted"
    assert (await light.verify(kept, "zaz\u0307o\u0301łc\u0301 ge\u0328s\u0301la\u0328 jaz\u0301n\u0301")).is_right
    assert not (await light.verify(kept, "zażółć gęślą jazn")).is_right
    assert not (await light.verify(None, "")).is_right


@pytest.mark.parametrize("kept", ["", "x", "$argon2id$v=19$m=99999999,t=3,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", "$2b$12$abc"])
async def test_a_damaged_hash_proves_nothing_and_takes_no_memory(light: Passwords, kept: str) -> None:
    assert not (await light.verify(kept, "whatever it is")).is_right


async def test_a_weaker_hash_is_made_anew_when_its_password_is_right(light: Passwords) -> None:
    kept = await light.hash("a quiet brown bear")
    assert (await light.verify(kept, "a quiet brown bear")).better is None
    stronger = Passwords(cost=Cost(kib=128, passes=1))
    try:
        verdict = await stronger.verify(kept, "a quiet brown bear")
        assert verdict.is_right
        assert verdict.better is not None
        assert verdict.better.startswith("$argon2id$v=19$m=128,")
        assert not is_weaker(verdict.better, LIGHT), "a process that is not upgraded yet leaves it"
        assert (await stronger.verify(kept, "another brown bear")).better is None
    finally:
        stronger.close()


async def test_so_many_are_hashed_at_a_time_also_where_those_who_asked_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    going, most, begun, goes_on = 0, 0, threading.Semaphore(0), threading.Event()
    lock = threading.Lock()

    def slow(password: str, cost: Cost) -> str:
        nonlocal going, most
        with lock:
            going += 1
            most = max(most, going)
        begun.release()
        goes_on.wait(60)
        with lock:
            going -= 1
        return "hash"

    monkeypatch.setattr(module, "_hash", slow)
    busy = Passwords(cost=LIGHT, at_once=2, waiting=2)
    try:
        first = [asyncio.create_task(busy.hash("x")) for _ in range(2)]
        for _ in first:
            assert await asyncio.to_thread(begun.acquire, timeout=60)
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)
        more = [asyncio.create_task(busy.hash("x")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TryLater):
            await busy.hash("x")
        goes_on.set()
        assert await asyncio.gather(*more) == ["hash", "hash"]
        assert most == 2
    finally:
        goes_on.set()
        busy.close()


async def test_nobodys_password_takes_as_long_as_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    is_right = module._is_right
    monkeypatch.setattr(module, "_is_right", lambda kept, password: verified.append(kept) or is_right(kept, password))
    usual = Passwords(cost=LIGHT)
    try:
        kept = await usual.hash("a quiet brown bear")
        await usual.verify(kept, "another brown bear")
        await usual.verify(None, "another brown bear")
    finally:
        usual.close()
    parameters = {one.rpartition("$")[0].rpartition("$")[0] for one in verified}
    assert (len(verified), parameters) == (2, {"$argon2id$v=19$m=64,t=1,p=1"})
