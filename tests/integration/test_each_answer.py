"""Each answer of a provider, through a sender and its ledger: what becomes of every message, counted one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from msgspec.structs import replace

from channels.fakes.email import SmtpSink
from channels.fakes.http import Reply
from channels.fakes.raw import RawReply
from channels.fakes.raw_smtp import RawSmtp
from channels.fakes.webhook import WebhookReceiver
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings
from schemas.delivery import Delivery
from tests.factory import SECRET
from tests.integration.test_providers import Running, mails, running, until, webhooks

COUNT = 3
"""Too few for a breaker to open."""
DROPPED = Reply(drop=True)


@dataclass(frozen=True, slots=True)
class End:
    """The end of the first `COUNT` messages where all get the same answer. `attempts`: those that the ledger counts."""

    state: str
    attempts: int
    tried: int


AT_ONCE, LATER, NO_ATTEMPT, NEVER = (
    End("sent", COUNT, COUNT),
    End("recovered", 2 * COUNT, 2 * COUNT),
    End("sent", COUNT, 2 * COUNT),
    End("failed", COUNT, COUNT),
)
WEBHOOKS = {
    **{Reply(status): AT_ONCE for status in (200, 204)},
    **{Reply(status): LATER for status in (409, 425, 500, 502, 503, 504)},
    **{Reply(status): NEVER for status in (301, 400, 404, 422)},
    Reply(429, headers=(("retry-after", "1"),)): NO_ATTEMPT,
    DROPPED: LATER,
}
MAILS = {
    "421 4.3.2 closing": LATER,
    "450 4.7.1 Greylisted, come back later": LATER,
    "451 4.3.0 later": LATER,
    "452 4.3.1 no space": LATER,
    "550 5.1.1 no such user": NEVER,
    "552 5.3.4 too large": NEVER,
    "554 5.0.0 no": NEVER,
}


@asynccontextmanager
async def receivers(count: int) -> AsyncIterator[list[WebhookReceiver]]:
    made = [WebhookReceiver(SECRET) for _ in range(count)]
    await asyncio.gather(*(one.start() for one in made))
    yield made
    await asyncio.gather(*(one.stop() for one in made))


def named(deliveries: list[Delivery], prefix: str) -> list[Delivery]:
    return [replace(one, delivery_id=f"{prefix}_{number}") for number, one in enumerate(deliveries)]


async def ends(pool: asyncpg.Pool, prefix: str) -> dict[str, int]:
    """The number of deliveries in each state, of those that are named so."""
    rows = await pool.fetch("select state, count(*) from deliveries where delivery_id like $1 group by 1", prefix + "%")
    return {row["state"]: row["count"] for row in rows}


async def attempts(pool: asyncpg.Pool, prefix: str) -> int:
    return int(await pool.fetchval("select sum(attempts) from deliveries where delivery_id like $1", prefix + "%"))


async def is_over(run: Running, pool: asyncpg.Pool) -> bool:
    return not run.sender._due.held() and not await pool.fetchval(
        "select count(*) from deliveries where state = 'waiting'"
    )


async def test_each_answer_to_a_webhook(settings: Settings, pool: asyncpg.Pool) -> None:
    async with receivers(len(WEBHOOKS)) as made, running(settings, pool) as run:
        for number, (receiver, reply) in enumerate(zip(made, WEBHOOKS, strict=True)):
            receiver.replies.extend([reply] * COUNT)
            await run.take(named(webhooks(COUNT, receiver.url), f"r{number:02}"))
        await until(lambda: is_over(run, pool))
        found = {
            reply: (
                await ends(pool, f"r{number:02}"),
                await attempts(pool, f"r{number:02}"),
                made[number].tried.total(),
            )
            for number, reply in enumerate(WEBHOOKS)
        }
        assert found == {reply: ({end.state: COUNT}, end.attempts, end.tried) for reply, end in WEBHOOKS.items()}
        for number, end in enumerate(WEBHOOKS.values()):
            ids = [f"r{number:02}_{one}" for one in range(COUNT)]
            assert sorted(made[number].ids) == (ids if end.state != "failed" else [])
        assert len(await run.ledger.paused_destinations()) == 0


@pytest.mark.parametrize(("status", "failing"), [(401, False), (410, True)])
async def test_a_webhook_that_is_not_let_in_pauses_its_endpoint_and_costs_no_message_but_what_a_gone_one_has_answered(
    settings: Settings, pool: asyncpg.Pool, status: int, failing: bool
) -> None:
    async with receivers(1) as (receiver,), running(settings, pool) as run:
        receiver.usually = Reply(status)
        await run.take(named(webhooks(COUNT, receiver.url), "a"))

        async def is_paused() -> bool:
            return bool(await run.ledger.paused_destinations()) and not run.sender._due.held()

        await until(is_paused)
        await run.take(named(webhooks(COUNT, receiver.url), "b"))
        await until(is_paused)
        tried = receiver.tried.total()
        failed = tried if failing else 0
        assert receiver.tried.most_common(1)[0][1] == 1
        assert await ends(pool, "") == {"waiting": 2 * COUNT - failed} | ({"failed": failed} if failed else {})
        receiver.usually = Reply()
        (paused,) = await run.ledger.paused_destinations()
        await run.ledger.resume_destination(paused, by="me")
        await until(lambda: is_over(run, pool))
        assert len(receiver.ids) == len(set(receiver.ids)) == 2 * COUNT - failed
        assert await attempts(pool, "") == 2 * COUNT


def account(port: int) -> EmailAccountSettings:
    return EmailAccountSettings("127.0.0.1", "a@example.com", port=port, security="none")


def through(name: str) -> list[Delivery]:
    """Mails to an address each, by an account of their own."""
    return [
        replace(one, account=name, email=replace(one.email, to=f"{name}{number}@example.com"))  # type: ignore[attr-defined]
        for number, one in enumerate(named(mails(COUNT), name))
    ]


async def test_each_answer_to_a_mail(settings: Settings, pool: asyncpg.Pool) -> None:
    sinks = {f"m{number:02}": SmtpSink() for number in range(len(MAILS))}
    for sink in sinks.values():
        await sink.start()
    accounts = {name: account(sink.port) for name, sink in sinks.items()}
    async with running(settings, pool, accounts=accounts) as run:
        for (name, sink), said in zip(sinks.items(), MAILS, strict=True):
            sink.at_stage = "rcpt"
            sink.replies.extend([said] * COUNT)
            await run.take(through(name))
        await until(lambda: is_over(run, pool))
        found = {
            said: (await ends(pool, name), await attempts(pool, name)) for name, said in zip(sinks, MAILS, strict=True)
        }
        assert found == {said: ({end.state: COUNT}, end.attempts) for said, end in MAILS.items()}
        for (name, sink), end in zip(sinks.items(), MAILS.values(), strict=True):
            assert sorted(sink.ids) == ([f"{name}_{one}" for one in range(COUNT)] if end.state != "failed" else [])
    for sink in sinks.values():
        await sink.stop()


async def test_a_mail_server_that_goes_away_at_each_stage(settings: Settings, pool: asyncpg.Pool) -> None:
    """Up to the recipient it has nothing. From DATA on it may have the message: then the same goes out again."""
    stages = ("greeting", "ehlo", "mail", "rcpt", "data", "middle", "end")
    servers = {stage: RawSmtp() for stage in stages}
    for stage, server in servers.items():
        await server.start()
        server.once[stage] = RawReply((), resets=True)
    accounts = {stage: account(server.port) for stage, server in servers.items()}
    async with running(settings, pool, accounts=accounts) as run:
        for stage in stages:
            await run.take(through(stage))
        await until(lambda: is_over(run, pool))
        for stage, server in servers.items():
            assert await ends(pool, stage) == {"sent": COUNT - 1, "recovered": 1}
            assert await attempts(pool, stage) == COUNT + 1
            taken = sorted(mail.recipients[0] for mail in server.mails if mail.is_taken)
            assert taken == [f"{stage}{number}@example.com" for number in range(COUNT)]
    for server in servers.values():
        await server.stop()
