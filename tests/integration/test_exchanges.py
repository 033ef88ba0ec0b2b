"""The state that senders share of destinations, in a real Postgres."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise

import asyncpg

from schemas.destination import Destination
from schemas.limit import Limit, Rate
from store.postgres import connect
from store.sending.exchanges import Exchanges, Kept
from streams.sending.exchange import Answer, Report, Shared, exchanged

MAIN, OTHER = Destination("", "email", "main"), Destination("shop", "webhook", "hooks.example.com")
LIMIT = Limit(Rate(50, 1.0), 6)


class Sender:
    """A process with its exchanges, without anything to send."""

    def __init__(self, owner: str, pool: asyncpg.Pool) -> None:
        self.owner, self.exchanges = owner, Exchanges(pool)
        self.turns: dict[Destination, list[float]] = {MAIN: [], OTHER: []}
        self.answers: dict[Destination, Answer] = {}

    def judge(self, report: Report, destination: Destination, state: str, now: float) -> Kept:
        shared, self.answers[destination] = exchanged(Shared.read(state), report, now)
        self.turns[destination] += self.answers[destination].grant.turns
        return Kept(shared.written, shared.closed_until)

    async def ask(self, *destinations: Destination, wanted: int = 100, closed_for: float = 0.0) -> None:
        report = Report(self.owner, wanted, limit=LIMIT, closed_for=closed_for)
        await self.exchanges.exchange(destinations, partial(self.judge, report))


async def test_no_turn_is_handed_out_twice_to_senders_that_ask_at_once(dsn: str, pool: asyncpg.Pool) -> None:
    pools = [pool, await connect(dsn), await connect(dsn)]
    senders = [Sender(f"s{number}", one) for number, one in enumerate(pools)]
    for _ in range(10):
        asks = [one.ask(*order) for one, order in zip(senders, ((MAIN, OTHER), (OTHER, MAIN), (MAIN,)), strict=True)]
        await asyncio.gather(*asks)
    turns = sorted(turn for one in senders for turn in one.turns[MAIN])
    assert len(set(turns)) == len(turns)
    assert all(one.turns[MAIN] for one in senders[1:])
    assert all(later - earlier >= 0.999 / 50 for earlier, later in pairwise(turns))
    assert sum(one.answers[MAIN].grant.at_once or 0 for one in senders) <= 6
    for one in pools[1:]:
        one.terminate()


async def test_all_hear_of_a_destination_that_is_closed(pool: asyncpg.Pool) -> None:
    first, second = Sender("a", pool), Sender("b", pool)
    await first.ask(OTHER, closed_for=30.0)
    assert 0 < (await second.exchanges.closed())[OTHER] <= 30.0
    await second.ask(OTHER)
    assert second.answers[OTHER].closed_until == first.answers[OTHER].closed_until


async def test_a_row_that_was_forgotten_is_made_anew(pool: asyncpg.Pool) -> None:
    sender = Sender("a", pool)
    await sender.ask(MAIN, OTHER)
    await pool.execute("update shared_destinations set asked_at = now() - interval '3 days' where channel = 'email'")
    await sender.exchanges.forget()
    sender.answers.clear()
    await sender.ask(MAIN, OTHER)
    assert sender.answers.keys() == {OTHER}
    await sender.ask(MAIN, OTHER)
    assert sender.answers.keys() == {MAIN, OTHER}
