"""Membership: the younger of two processes, and what a client cannot recover from."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError

from agents.transport.fetching import ConsumerThread
from agents.transport.membership import age_of, client_id


def test_the_younger_is_the_one_that_began_later_whatever_its_name() -> None:
    elder, younger = client_id("b@host-1"), client_id("a")
    assert age_of(elder) < age_of(younger)
    for unknown in ("faust-0.15.3", "", "a@", "a@x-1"):
        assert age_of(unknown) < age_of(elder)


async def fails() -> None:
    raise GroupAuthorizationFailedError("tidings-matcher")


async def goes_on() -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(("joining", "fetching"), [(fails, goes_on), (goes_on, fails)])
async def test_a_task_of_the_client_that_ended_is_fatal(joining: Any, fetching: Any) -> None:
    tasks = [asyncio.ensure_future(joining()), asyncio.ensure_future(fetching())]
    thread: Any = SimpleNamespace(_consumer=client(tasks[0], tasks[1]))
    assert ConsumerThread.fatal_error(thread) is None
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert type(ConsumerThread.fatal_error(thread)) is GroupAuthorizationFailedError
    for task in tasks:
        task.cancel()


async def test_an_error_of_the_group_that_nobody_fetches_is_fatal() -> None:
    tasks = [asyncio.ensure_future(goes_on()), asyncio.ensure_future(goes_on())]
    error = GroupAuthorizationFailedError("tidings-matcher")
    thread: Any = SimpleNamespace(_consumer=client(tasks[0], tasks[1], pending=error))
    assert ConsumerThread.fatal_error(thread) is error
    assert ConsumerThread.fatal_error(SimpleNamespace(_consumer=None)) is None  # type: ignore[arg-type]
    for task in tasks:
        task.cancel()


def client(joining: Any, fetching: Any, pending: BaseException | None = None) -> Any:
    coordinator = SimpleNamespace(_coordination_task=joining, _pending_exception=pending)
    return SimpleNamespace(_coordinator=coordinator, _fetcher=SimpleNamespace(_fetch_task=fetching))
