"""The state that senders share of destinations, in a real Postgres."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from functools import partial
from itertools import pairwise

import asyncpg

from schemas.destination import Destination
from schemas.limit import Limit, Rate
from store.postgres import connect
from store.sending.exchanges import Exchanges, JudgedBreakers, JudgedLimits, KeptBreaker, KeptLimit
from store.sending.ledger import Ledger
from streams.sending.exchange import Answer, Report, Shared, exchanged

MAIN, OTHER = Destination("", "email", "main"), Destination("shop", "webhook", "hooks.example.com")
LIMIT = Limit(Rate(50, 1.0), 6)


class Sender:
    """A process with its exchanges, without anything to send."""

    def __init__(self, owner: str, pool: asyncpg.Pool) -> None:
        self.owner, self.exchanges = owner, Exchanges(pool)
        self.turns: dict[Destination, list[float]] = {MAIN: [], OTHER: []}
        self.answers: dict[Destination, Answer] = {}

    def judge(self, report: Report, destination: Destination, state: str, now: float) -> KeptLimit:
        shared, self.answers[destination] = exchanged(Shared.read(state), report, now)
        self.turns[destination] += self.answers[destination].grant.turns
        return KeptLimit(shared.written, shared.closed_until)

    def count(self, destination: Destination, kept: KeptBreaker, now: float) -> KeptBreaker | None:
        """A breaker that counts how often it was judged, and is over after thirty times."""
        times = json.loads(kept.state).get("times", 0) + 1
        return None if times == 30 else KeptBreaker(json.dumps({"times": times}), self.owner)

    async def ask(
        self,
        *destinations: Destination,
        wanted: int = 100,
        closed_for: float = 0.0,
        failing: Collection[Destination] = (),
    ) -> None:
        report = Report(self.owner, wanted, limit=LIMIT, closed_for=closed_for)
        limits = JudgedLimits(destinations, partial(self.judge, report))
        await self.exchanges.exchange(self.owner, limits, JudgedBreakers(failing, failing, self.count))


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


async def test_limits_and_breakers_go_in_one_exchange_whatever_order_senders_name_them_in(
    dsn: str, pool: asyncpg.Pool
) -> None:
    pools = [pool, await connect(dsn), await connect(dsn)]
    senders = [Sender(f"s{number}", one) for number, one in enumerate(pools)]
    await pool.execute(  # dropped in the same exchange: it was paused meanwhile
        "insert into breakers (project_id, channel, destination) values ('shop', 'webhook', 'paused.example')"
    )
    await Ledger(pool).pause_destination(Destination("shop", "webhook", "paused.example"), "refused", "HTTP 401")
    for _ in range(9):
        orders = ((MAIN, OTHER), (OTHER, MAIN), (OTHER, MAIN))
        await asyncio.gather(
            *(one.ask(*order, failing=order[::-1]) for one, order in zip(senders, orders, strict=True))
        )
    known = (await senders[0].exchanges.breakers()).kept
    assert {one: json.loads(kept.state) for one, kept in known.items()} == {MAIN: {"times": 27}, OTHER: {"times": 27}}
    await senders[0].ask(MAIN, failing=[OTHER])
    await senders[1].ask(failing=[OTHER])
    await senders[2].ask(failing=[OTHER])
    assert set((await senders[0].exchanges.breakers()).kept) == {MAIN}
    turns = sorted(turn for one in senders for turn in one.turns[MAIN])
    assert len(set(turns)) == len(turns)
    for one in pools[1:]:
        one.terminate()
