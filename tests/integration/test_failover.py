"""A sender with two mail servers: the second has the place of the first while that takes nothing."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from email.utils import parseaddr

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from channels.fakes.email import SmtpSink
from console.control import accounts as control
from console.control.deliveries import carry_out
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.errors import DefinitionInvalid
from schemas.wire.read_as import read_as
from store.accounts import AccountKey, Accounts
from store.sending.deliveries import Deliveries, DeliveryFilter
from store.sending.ledger import Ledger
from streams.sending.breaker import LEAST
from tests.integration.test_accounts import NEW, keyed
from tests.integration.test_deliveries import HOST
from tests.integration.test_providers import Running, mailbox, mails, running, until
from tests.integration.test_store import LEASE, new

__all__ = ["mailbox"]

MAIN = Destination("shop", "email", "main")


@pytest.fixture
async def second() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


def two(main_port: int, second: SmtpSink, *, ambiguous: bool = False) -> dict[str, EmailAccountSettings]:
    return {
        "main": EmailAccountSettings(
            "127.0.0.1", "a@example.com", port=main_port, security="none", failover=("second",),
            failover_ambiguous=ambiguous,
        ),
        "second": EmailAccountSettings("127.0.0.1", "b@second.example", port=second.port, security="none"),
    }  # fmt: skip


def sent(run: Running, count: int) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return (await run.counts())["sent"] + (await run.counts())["recovered"] == count

    return is_so


def named(number: int) -> Delivery:
    return msgspec.structs.replace(mails(1)[0], delivery_id=f"dlv_n{number}")


async def test_a_server_that_cannot_be_reached_has_its_mail_go_through_the_second(
    settings: Settings, pool: asyncpg.Pool, second: SmtpSink
) -> None:
    with socket.socket() as taken:  # bound and not listening: nothing answers there
        taken.bind(("127.0.0.1", 0))
        async with running(
            settings, pool, retry=timedelta(minutes=5), accounts=two(taken.getsockname()[1], second)
        ) as run:
            await run.take(mails(LEAST))

            async def is_failing() -> bool:
                return bool(run.sender._turns.breakers.open)

            await until(is_failing)
            await run.take([named(number) for number in range(10)])

            async def all_sent() -> bool:
                await pool.execute(
                    "update open_deliveries set due_at = now() where state = 'waiting' and lease_owner is null"
                )
                return await sent(run, LEAST + 10)()

            await until(all_sent)
            rows = await pool.fetch("select delivery_id, attempts, tries from deliveries")
    attempts = [row["attempts"] for row in rows if row["delivery_id"].startswith("dlv_n")]
    assert len(attempts) == 10 and sum(attempts) <= 13  # some may have been the probe of the first
    assert all(row["tries"][-1]["detail"].endswith("(through second)") for row in rows)
    assert len(second.mails) == len({mail.message_id for mail in second.mails}) == LEAST + 10
    (message, *_) = [mail.parsed() for mail in second.mails]
    assert message["Message-ID"].endswith("@example.com>")
    assert parseaddr(message["From"])[1] == "b@second.example"


@pytest.mark.parametrize("ambiguous", [False, True])
async def test_what_was_possibly_accepted_stays_and_what_was_refused_does_not(
    settings: Settings, pool: asyncpg.Pool, mailbox: SmtpSink, second: SmtpSink, ambiguous: bool
) -> None:
    mailbox.replies.append("what was that")
    accounts = two(mailbox.port, second, ambiguous=ambiguous)
    async with running(settings, pool, accounts=accounts) as run:
        await run.take(mails(1))

        async def is_ambiguous() -> bool:
            row = await run.ledger.delivery("dlv_0")
            return row is not None and "possibly accepted" in row["detail"]

        await until(is_ambiguous)
        mailbox.at_stage = "mail"
        mailbox.replies.extend(["530 5.7.0 authentication required"] * 1000)
        await run.take([named(1)])
        await until(sent(run, 2 if ambiguous else 1))
        assert [one.delivery_id for one in _told(run)][:1] == ["dlv_n1"] or ambiguous
        assert {one.account for one in _told(run)} == {"second"}
        assert {mail.message_id for mail in second.mails} == {"dlv_n1"} | ({"dlv_0"} if ambiguous else set())
        if ambiguous:
            return

        async def stays() -> bool:
            row = await run.ledger.delivery("dlv_0")
            return row is not None and row["detail"] == "possibly accepted: it waits for its own account"

        async def is_known_to_be_resumed() -> bool:
            return not run.sender._turns.capacity.paused

        await until(stays)
        mailbox.replies.clear()
        await run.ledger.resume_destination(MAIN, by="me")
        await until(is_known_to_be_resumed)
        await carry_out(Deliveries(pool), "hurry", DeliveryFilter("shop", destination="main"), actor="me")
        await run.take([named(2)])
        await until(sent(run, 3))
    assert {mail.message_id for mail in mailbox.mails} == {"dlv_0", "dlv_n2"}  # back at the first
    assert len(second.mails) == 1
    assert {one.delivery_id: one.account for one in _told(run)} == {
        "dlv_n1": "second", "dlv_0": "main", "dlv_n2": "main",
    }  # fmt: skip


def _told(run: Running) -> list[DeliveryStatus]:
    codec = run.sender._outcomes._codec
    return [read_as(codec.decode(value), DeliveryStatus) for value in run.topic.told]


async def test_an_order_of_accounts_is_checked_against_those_that_there_are(
    settings: Settings, pool: asyncpg.Pool, second: SmtpSink
) -> None:
    with_two = keyed(settings, NEW)
    stored, written = Accounts(pool), {"host": "127.0.0.1", "sender": "a@example.com", "security": "none"}

    async def add(name: str, **more: object) -> None:
        await control.add(stored, with_two, AccountKey("shop", "email", name), {**written, **more}, actor="ann")

    await add("backup")
    with pytest.raises(DefinitionInvalid, match='failover: "backp" is not an account: .* Did you mean "backup"'):
        await add("main", failover="backp")
    await add("main", failover="backup", failover_ambiguous="true")
    with pytest.raises(DefinitionInvalid, match="backup → main → backup"):
        await control.change(
            stored, with_two, AccountKey("shop", "email", "backup"), {"failover": ["main"]}, actor="ann"
        )


async def test_what_a_sender_had_when_it_died_was_possibly_accepted(pool: asyncpg.Pool) -> None:
    ledger, gone = Ledger(pool), timedelta()
    await ledger.claim_new([new(0), new(1)], owner="dead", lease=gone)
    await ledger.claim_new([new(2), new(3)], owner="again", lease=LEASE)
    await ledger.claim_new([replace(new(4), wait=timedelta(microseconds=1))], owner="never", lease=LEASE)
    await ledger.release_leases("again")
    claimed = await ledger.claim_due(owner="other", lease=LEASE, limit=9, a_destination=9)
    assert {row.delivery_id: row.possibly_accepted for row in claimed} == {
        **{f"d{number}": True for number in range(4)}, "d4": False,
    }  # fmt: skip


async def test_of_what_is_paused_only_what_passes_is_claimed(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ledger.claim_new([replace(new(0), wait=timedelta(microseconds=1))], owner="s", lease=LEASE)
    await ledger.pause_destination(HOST, "refused", "535")
    assert await ledger.claim_due(owner="s", lease=LEASE, limit=9, a_destination=9, capacity={HOST: 3}) == []
    assert ledger.due_in() == math.inf
    (row,) = await ledger.claim_due(
        owner="s", lease=LEASE, limit=9, a_destination=9, capacity={HOST: 3}, passing={HOST}
    )
    assert row.delivery_id == "d0"
