"""One domain of recipients that takes less than the account may send, through a sender and its ledger."""

from __future__ import annotations

import time

import asyncpg
from msgspec.structs import replace

from channels.fakes.limit import Limit
from channels.fakes.raw_smtp import RawSmtp
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings
from schemas.delivery import Delivery
from tests.integration.test_providers import mails, named, running, until

SLOW, OTHERS = 8, 60
SLOW_DOWN = b"451 4.7.0 slow down\r\n"


def to(domain: str, count: int) -> list[Delivery]:
    return [
        replace(one, email=replace(one.email, to=f"c{number}@{domain}"))  # type: ignore[attr-defined]
        for number, one in enumerate(named(mails(count), domain))
    ]


async def test_a_limit_of_a_domain_is_kept_and_no_other_waits_for_it(settings: Settings, pool: asyncpg.Pool) -> None:
    server = RawSmtp()
    await server.start()
    account = EmailAccountSettings(
        "127.0.0.1", "a@example.com", port=server.port, security="none", domain_limits="Slow.example: 10/s"
    )
    began = time.monotonic()
    async with running(settings, pool, accounts={"main": account}) as run:
        await run.take(to("slow.example", 32) + to("quick.example", OTHERS))

        async def others_are_out() -> bool:
            return sum(one.is_taken and "quick" in one.recipients[0] for one in server.mails) == OTHERS

        await until(others_are_out)

        async def all_sent() -> bool:
            return (await run.counts())["sent"] == 32 + OTHERS

        await until(all_sent)
        assert await pool.fetchval("select count(*) from deliveries where attempts <> 1") == 0
    assert time.monotonic() - began >= 2.0
    await server.stop()


async def test_a_domain_that_slows_down_holds_no_other_back_and_costs_no_attempt(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    """It takes nothing until all others are out, then a few a second."""
    server, limit, refused = RawSmtp(), Limit(10, 1.0), list[str]()

    def taken(domain: str) -> int:
        return sum(one.is_taken and one.recipients[0].endswith(domain) for one in server.mails)

    def answer(address: str) -> bytes:
        if not address.endswith("slow.example") or (taken("quick.example") == OTHERS and limit.takes()):
            return b""
        refused.append(address)
        return SLOW_DOWN

    server.to_recipient = answer
    await server.start()
    async with running(settings, pool, server.port) as run:
        slow, others = to("slow.example", SLOW), to("quick.example", OTHERS)
        await run.take(slow[:4])

        async def is_slowed() -> bool:
            return bool(refused)

        await until(is_slowed)
        await run.take(slow[4:] + others)

        async def others_are_out() -> bool:
            return taken("quick.example") == OTHERS

        await until(others_are_out)

        async def all_sent() -> bool:
            return (await run.counts())["sent"] == SLOW + OTHERS

        await until(all_sent)
        rows = await pool.fetch("select attempts, count(*) from deliveries group by 1")
        assert [(row["attempts"], row["count"]) for row in rows] == [(1, SLOW + OTHERS)]
        shared = await pool.fetch("select destination from shared_destinations")
        assert [row["destination"] for row in shared] == ["main@slow.example"]
    assert taken("slow.example") == SLOW
    await server.stop()
