"""Calls on their way into the log: few of what is accepted, bounded in what is not, and never in anybody's way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from agents.roles.sender.calls import SenderCalls
from agents.roles.sender.work import Work
from channels.webhook.calls import Call
from schemas.errors import TryLater
from schemas.receipt import Accepted, Deferred, Receipt, Refused
from store.sending.endpoint_calls import EndpointCalls, NewCall
from tests.factory import NOW, delivery

ACCEPTED, LATER = Accepted("HTTP 200"), Deferred("HTTP 503")
WORK = Work(delivery("webhook"), 2, NOW)


class Kept:
    """Stands for the log."""

    def __init__(self) -> None:
        self.calls: list[NewCall] = []
        self.error: Exception | None = None

    async def add(self, calls: Sequence[NewCall]) -> None:
        if self.error:
            raise self.error
        self.calls += calls


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def calls(kept: Kept) -> SenderCalls:
    return SenderCalls(cast(EndpointCalls, kept))


def attempt(calls: SenderCalls, receipt: Receipt, endpoint: str = "h", status: int | None = 503) -> None:
    """One attempt, as the channel and then the sender tell of it."""
    if calls.wants("shop", endpoint, receipt):
        identity, outcome = WORK.delivery.delivery_id, type(receipt).__name__.lower()
        calls.add(Call("shop", endpoint, identity, "https://h/", ("a",), "{}", 2, outcome, receipt.detail, 7, status))
    calls.note(WORK)


async def test_of_what_is_accepted_one_in_a_while_is_kept_of_each_endpoint(kept: Kept) -> None:
    now = 100.0
    calls = SenderCalls(cast(EndpointCalls, kept), steady=lambda: now)
    for _ in range(1000):
        attempt(calls, ACCEPTED, status=200)
        attempt(calls, ACCEPTED, "other", status=200)
    await calls.tell()
    assert sorted(one.endpoint for one in kept.calls) == ["h", "other"]
    now += 9.0
    attempt(calls, ACCEPTED)
    now += 1.5
    attempt(calls, ACCEPTED)
    await calls.tell()
    assert len(kept.calls) == 3
    assert {(one.accepted, one.attempt, one.customer_id, one.duration_ms) for one in kept.calls} == {(True, 3, "c1", 7)}


async def test_of_what_is_not_accepted_the_first_of_each_endpoint_are_kept_each_time(
    calls: SenderCalls, kept: Kept
) -> None:
    for _ in range(1000):
        attempt(calls, LATER)
    attempt(calls, Refused("HTTP 400"), "H2", 400)
    attempt(calls, LATER, "away", None)
    await calls.tell()
    assert [one.endpoint for one in kept.calls] == ["h"] * 10 + ["h2", "away"]
    assert [one.reply is None for one in kept.calls[-2:]] == [False, True]
    for number in range(1000):
        attempt(calls, LATER, f"h{number}")
    await calls.tell()
    assert len(kept.calls) == 12 + 500
    await calls.tell()
    assert len(kept.calls) == 512


@pytest.mark.parametrize("error", [TryLater("Postgres is away", what="Postgres"), RuntimeError("a defect")])
async def test_a_log_that_cannot_be_told_is_in_nobodys_way(calls: SenderCalls, kept: Kept, error: Exception) -> None:
    kept.error = error
    attempt(calls, LATER)
    await calls.tell()
    kept.error = None
    attempt(calls, LATER)
    await calls.tell()
    assert len(kept.calls) == 1
