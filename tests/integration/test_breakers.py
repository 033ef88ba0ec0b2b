"""Breakers that senders share through a real PostgreSQL, and a sender whose receiver fails and is mended."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import asyncpg

from agents.clock import SteadyTime, utc_now
from agents.roles.sender.breakers import Breakers
from agents.roles.sender.notifier import Notifier
from channels.contract import Policy
from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from console.control.deliveries import carry_out
from deploy.settings.settings import Settings
from schemas.closed import ChannelName
from schemas.destination import Destination
from schemas.receipt import Accepted, Deferred, Receipt
from store.notices import Notices, nobody
from store.sending.deliveries import Deliveries, DeliveryFilter
from store.sending.exchanges import Exchanges, JudgedBreakers, JudgedLimits, KeptLimit
from store.sending.ledger import Ledger
from streams.sending.breaker import LEAST, Breaker
from tests.integration.test_providers import attempts_of, receiver, running, until, webhooks

__all__ = ["receiver"]

POLICIES: dict[ChannelName, Policy] = {"webhook": Policy(timedelta(seconds=1), ())}
HOST = Destination("shop", "webhook", "receiver.example")


class Process(Breakers):
    """The breakers of one process, and its exchange with what all share."""

    def __init__(self, pool: asyncpg.Pool, owner: str) -> None:
        self._here = SteadyTime()
        super().__init__(owner=owner, policies=POLICIES, database=self._here)
        self._exchanges, self._name = Exchanges(pool), owner

    async def exchange(self) -> None:
        asked_at, reports = time.monotonic(), self.reports()
        failing = [one for one, report in reports.items() if report.failed]
        breakers = JudgedBreakers(reports, failing, lambda one, kept, now: self.judged(reports[one], kept, now))
        limits = JudgedLimits((), lambda *_: KeptLimit("{}"))
        known = (await self._exchanges.exchange(self._name, limits, breakers)).breakers
        self._here.read(asked_at, known.now)
        self.take_in(reports, known, asked_at)


async def pass_time(pool: asyncpg.Pool, seconds: float) -> None:
    """Have everything that is kept of breakers be so much older."""
    await pool.execute(
        "update breakers set state = state || (select jsonb_object_agg(key, value::text::float8 - $1::float8)"
        " from jsonb_each(state) where key in ('since', 'noted_at', 'opened_at', 'closed_at', 'next_at', 'until'))",
        seconds,
    )


async def failing(pool: asyncpg.Pool, *processes: Process) -> None:
    for seconds in (3.0, 0.0):
        for number in range(LEAST):
            processes[0].heard(HOST, f"d{number}", Deferred("503"))
        await asyncio.gather(*(one.exchange() for one in processes))
        await pass_time(pool, seconds)
    await asyncio.gather(*(one.exchange() for one in processes))


async def test_of_many_processes_one_has_the_probe_and_where_it_dies_another(pool: asyncpg.Pool) -> None:
    processes = [Process(pool, f"p{number}") for number in range(6)]
    await failing(pool, *processes)
    assert all(HOST in one.open for one in processes)

    async def leave() -> list[Process]:
        for _ in range(2):
            await asyncio.gather(*(one.exchange() for one in processes))
        return [one for one in processes if one.leave(HOST, "d1")]

    assert await leave() == []
    await pass_time(pool, 6.0)
    (first,) = await leave()
    assert await leave() == []
    processes.remove(first)  # it dies
    await pass_time(pool, 20.0)
    (second,) = await leave()
    first.heard(HOST, "d1", Deferred("it was slow, not dead"))
    await first.exchange()
    second.heard(HOST, "d1", Accepted("ok"))
    await second.exchange()
    await asyncio.gather(*(one.exchange() for one in processes))
    assert not any(one.open for one in processes)
    assert len(await pool.fetch("select from breakers")) == 1
    await pass_time(pool, 700.0)
    await second.exchange()  # sees that it is over
    await second.exchange()
    assert await pool.fetch("select from breakers") == []


async def test_a_pause_takes_the_place_of_a_breaker(pool: asyncpg.Pool) -> None:
    process, ledger = Process(pool, "p"), Ledger(pool)
    await failing(pool, process)
    assert [row["state"] for row in await ledger.held_destinations("shop")] == ["failing"]
    await ledger.pause_destination(HOST, "refused", "HTTP 401")
    assert [row["state"] for row in await ledger.held_destinations("shop")] == ["paused"]
    await process.exchange()
    await ledger.resume_destination(HOST, by="me")
    await process.exchange()

    assert process.leave(HOST, "d1")


async def test_the_owner_is_told_once_until_it_has_been_well_for_a_while(pool: asyncpg.Pool) -> None:
    process, ledger, notices = (
        Process(pool, "p"),
        Ledger(pool),
        Notices(pool, nobody),
    )
    notifier = Notifier(notices, ledger, {}, _nothing, account="", owner="n", clock=utc_now)

    async def told() -> list[str]:
        await notifier.tell()
        return [f"{row['about']}: {row['summary'][:43]}" for row in await notices.of_project("shop")]

    async def probe(receipt: Receipt) -> None:
        await pass_time(pool, 20.0)
        await process.exchange()
        await process.exchange()
        assert process.leave(HOST, "d1")
        process.heard(HOST, "d1", receipt)
        await process.exchange()

    await failing(pool, process)
    assert await told() == ["webhook/receiver.example: webhook/receiver.example fails: 503. What i"]
    await probe(Accepted("ok"))
    assert not process.open and len(await told()) == 1
    await failing(pool, process)
    assert len(await told()) == 1
    assert await pool.fetchval("select number from notices") == 1
    await probe(Accepted("ok"))
    await pass_time(pool, 700.0)
    await process.exchange()
    assert await told() == []


async def _nothing() -> None:
    """There is no outbox to publish."""


async def test_a_receiver_that_fails_costs_no_attempts_and_gets_all_once_it_is_well(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    receiver.replies.extend([Reply(503)] * 1000)
    async with running(settings, pool, retry=timedelta(minutes=5)) as run:
        await run.take(webhooks(LEAST, receiver.url))
        more = webhooks(60, receiver.url)[LEAST:]

        async def is_failing() -> bool:
            return [row["state"] for row in await run.ledger.held_destinations("shop")] == ["failing"]

        async def is_known_here() -> bool:
            return bool(run.sender._turns.breakers.open)

        await until(is_failing)
        await until(is_known_here)
        await run.take(more)
        probes = sum([*await attempts_of(run, 60)][LEAST:])
        assert probes <= 4  # none but on a machine that takes many seconds for this
        (row,) = await run.ledger.held_destinations("shop")
        assert row["reason"] == "HTTP 503" and row["waiting"] >= len(more)
        asked = len(receiver.received)
        receiver.replies.clear()
        chosen = DeliveryFilter("shop", destination=row["destination"])

        async def all_over() -> bool:
            await carry_out(Deliveries(pool), "hurry", chosen, actor="me")
            return not (await run.counts())["waiting"]

        await until(all_over)
        assert sum([*await attempts_of(run, 60)][LEAST:]) <= len(more) + probes + 2
        assert len(receiver.received) >= asked + len(more)
        state = await pool.fetchval("select state from breakers")
        assert not Breaker.read(state, 0.0).is_open
