"""Senders that share what a provider allows, on one ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from agents.roles.sender.slices import Slice, Slices
from channels.fakes.limit import Limit
from channels.fakes.webhook import WebhookReceiver
from deploy.settings.settings import Settings
from tests.factory import SECRET
from tests.integration.test_providers import running, until, webhooks


@asynccontextmanager
async def receiver() -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(SECRET)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def departures(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which messages leave, of all senders."""
    moments: list[float] = []
    turn = Slices.turn

    async def noted(slices: Slices, one: Slice, patience: float | None = None) -> float | None:
        left_at = await turn(slices, one, patience)
        moments.extend([] if left_at is None else [left_at])
        return left_at

    monkeypatch.setattr(Slices, "turn", noted)
    return moments


async def test_two_senders_together_never_pass_an_endpoints_limit(
    settings: Settings, pool: asyncpg.Pool, departures: list[float]
) -> None:
    began = time.monotonic()
    async with (
        receiver() as endpoint,
        running(settings, pool, rate="40", owner="a") as one,
        running(settings, pool, rate="40", owner="b") as other,
    ):
        mine = webhooks(120, endpoint.url)
        await asyncio.gather(one.take(mine[:60]), other.take(mine[60:]))

        async def all_sent() -> bool:
            return (await one.counts())["sent"] == 120

        await until(all_sent)
    departures.sort()
    assert all(departures[place + 40] - departures[place] >= 1.0 for place in range(len(departures) - 40))
    assert time.monotonic() - began >= 2.0


async def test_what_one_sender_is_told_to_wait_for_the_other_waits_for_too(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    async with receiver() as endpoint:
        endpoint.limit, endpoint.says_when = Limit(5, 3600.0), True
        mine = webhooks(30, endpoint.url)
        async with running(settings, pool, owner="a") as one:
            await one.take(mine[:20])

            async def heard() -> bool:
                return bool(await one.ledger.exchanges.closed()) and not one.sender._due.held()

            await until(heard)
            tried = endpoint.tried.total()
            async with running(settings, pool, owner="b") as other:

                async def knows() -> bool:
                    return other.sender._turns.paces.slices.closed == 1

                await until(knows)
                await other.take(mine[20:])

                async def all_wait() -> bool:
                    waiting = [row["count"] for row in await other.ledger.counts() if row["state"] == "waiting"]
                    return sum(waiting) == 25 and not other.sender._due.held()

                await until(all_wait)
            assert endpoint.tried.total() == tried
