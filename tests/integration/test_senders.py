"""Sender processes that share what an endpoint takes, of which one stands still for a while, and one dies."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import asyncpg
from aiohttp import web

from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from streams.sending.grants import LASTS
from tests.factory import SECRET
from tests.integration.sender_process import fill, sender_processes
from tests.integration.test_providers import until

MOST, ANSWERS_AFTER = 8, 0.3
RATE = 40
FROZEN = 2 * LASTS
"""Seconds: all that a process was granted before is over by then."""


class Counting(WebhookReceiver):
    """A receiver that knows how many requests are open, and how many were at most."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.usually = Reply(delay=ANSWERS_AFTER)
        self.open = self.most = 0

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            return await super()._take(request)
        finally:
            self.open -= 1


async def test_three_share_what_an_endpoint_takes_at_once_and_two_have_it_once_the_third_is_killed(
    dsn: str, pool: asyncpg.Pool
) -> None:
    receiver = Counting()
    await receiver.start()

    async def all_at_work() -> bool:
        return bool(await pool.fetchval("select count(*) = 3 from senders"))

    async def all_used() -> bool:
        return receiver.most == MOST

    with sender_processes(dsn, 3, concurrency=MOST) as senders:
        await until(all_at_work)
        await fill(pool, receiver.url, 2000)
        await until(all_used)
        senders[2].kill()
        senders[2].wait(60)
        await asyncio.sleep(2 * ANSWERS_AFTER)  # what it had under way is answered
        receiver.most = 0
        await until(all_used)
    await receiver.stop()
    assert receiver.most == MOST


class Timed(WebhookReceiver):
    """A receiver that counts by the second in which each request left, as its sender signed it.

    So a network, or this process, that holds requests back and lets them come at once counts nobody as too fast.
    """

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.left = Counter[str]()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.left[request.headers["webhook-timestamp"]] += 1
        return await super()._take(request)

    async def takes(self, count: int) -> None:
        """Wait until so many more have come."""
        target = self.left.total() + count

        async def have_come() -> bool:
            return self.left.total() >= target

        await until(have_come)


async def test_a_process_that_stood_still_or_died_takes_nobody_over_a_limit(dsn: str, pool: asyncpg.Pool) -> None:
    """Messages that a process held while it stood still must not leave in turns that others have by then."""
    receiver = Timed()
    await receiver.start()
    await fill(pool, receiver.url, 2000)
    with sender_processes(dsn, 3, rate=str(RATE)) as senders:
        await receiver.takes(2 * RATE)
        for _ in range(2):
            senders[0].send_signal(signal.SIGSTOP)
            await asyncio.sleep(FROZEN)
            senders[0].send_signal(signal.SIGCONT)
            await receiver.takes(RATE)
        senders[1].kill()
        await receiver.takes(3 * RATE)
    await receiver.stop()
    assert max(receiver.left.values()) <= RATE
