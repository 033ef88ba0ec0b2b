"""Sender processes that share what an endpoint may be sent at once, and one of which dies."""

from __future__ import annotations

import asyncio

import asyncpg
from aiohttp import web

from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from tests.factory import SECRET
from tests.integration.sender_process import fill, sender_processes
from tests.integration.test_providers import until

MOST, ANSWERS_AFTER = 8, 0.3


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
