"""Accounts whose messages bounce or draw complaints too often are paused, and judged anew once they are resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.clock import utc_now
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.reputation import Reputation
from agents.roles.sender.work import Work
from channels.fakes.email import SmtpSink
from console.control.destinations import resume_destination
from console.control.reports import Reports
from deploy.settings.settings import Settings
from schemas.destination import Destination
from store.accounts import AccountKey, Accounts
from store.notices import Notices
from store.sending.ledger import Ledger, Settlement
from store.sending.reputation import SentCount
from streams.notices import destination_paused
from streams.sending.reputation import Bounds
from tests.factory import NOW, delivery
from tests.integration.test_providers import mailbox, mails, of_now, running, until
from tests.integration.test_reports import DELIVERY, message
from tests.integration.test_suppressions import to

__all__ = ["mailbox"]

MAIN, OTHER = Destination("shop", "email", "main"), Destination("outlet", "email", "main")
BOUNDS = Bounds(least=100)


class Judging:
    """A sender's judgement of accounts, with its own clock for how often it is made."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool, self.ledger = pool, Ledger(pool)
        self.reputation = Reputation(self.ledger.reputation, BOUNDS, self.ledger.pause_destination)

    async def judge(self) -> dict[Destination, str]:
        await self.pool.execute("delete from chores where name = 'reputation'")
        await self.reputation.judge()
        return await self.ledger.paused_destinations()

    async def sent(self, counts: Mapping[Destination, tuple[int, int]]) -> None:
        await self.ledger.reputation.add_sent({one: SentCount(*count) for one, count in counts.items()})


@pytest.fixture
def judging(pool: asyncpg.Pool) -> Judging:
    return Judging(pool)


async def test_an_account_over_its_share_is_paused_in_its_project_alone(judging: Judging) -> None:
    await judging.sent({MAIN: (60, 3), OTHER: (1_000, 50)})
    await judging.sent({MAIN: (39, 3)})
    assert await judging.judge() == {}
    await judging.sent({MAIN: (1, 0)})
    why = "of its last 100 messages 6 bounced (6 %, at most 5 % may)"
    assert await judging.judge() == {MAIN: why}
    assert await judging.reputation.judge() == 0, "not its turn"
    summary = destination_paused(MAIN, why).summary
    assert summary == f"Nothing is sent to email/main: {why}. What is for it waits."


@pytest.mark.parametrize("by_account", [False, True])
async def test_whoever_resumes_it_is_not_told_of_the_same_again(judging: Judging, by_account: bool) -> None:
    await judging.sent({MAIN: (100, 6)})
    old = await sent(judging, 1)
    assert list(await judging.judge()) == [MAIN]
    if by_account:
        await Accounts(judging.pool).release(AccountKey("shop", "email", "main"))
    else:
        await resume_destination(judging.ledger, "shop", "email/main", actor="me")
    assert await judging.judge() == {}
    await judging.pool.execute("update open_deliveries set settled_at = settled_at - interval '2 minutes'")
    await judging.sent({MAIN: (100, 5)})
    await reported(judging, "complaint", old)
    await reported(judging, "postfix_unknown_user", old)
    assert await judging.judge() == {}, "what came back was sent before"
    await judging.sent({MAIN: (2, 1)})
    assert list(await judging.judge()) == [MAIN]


async def test_what_is_reported_counts_once_beside_the_hour_it_was_sent_in(judging: Judging) -> None:
    await judging.sent({MAIN: (1_100, 0)})
    first, second, soft = await sent(judging, 1), await sent(judging, 2), await sent(judging, 3)
    for _ in range(2):
        await reported(judging, "complaint", first)
    await reported(judging, "gmail_mailbox_full", soft)
    assert await judging.judge() == {}
    await reported(judging, "complaint", second)
    await reported(judging, "postfix_unknown_user", second)
    (row,) = await judging.pool.fetch("select sent, bounced, complained from account_hours")
    assert tuple(row) == (1_100, 1, 2)
    why = "of its last 1,100 messages 2 drew complaints (0.182 %, at most 0.1 % may)"
    assert await judging.judge() == {MAIN: why}


async def test_what_was_sent_before_the_window_is_forgotten(judging: Judging) -> None:
    await judging.sent({MAIN: (100, 6)})
    await judging.pool.execute("update account_hours set hour = hour - $1::interval", BOUNDS.window)
    assert await judging.judge() == {}
    assert await judging.pool.fetchval("select count(*) from account_hours") == 0


async def test_a_sender_counts_what_it_sent_and_what_was_refused_for_good(
    settings: Settings, pool: asyncpg.Pool, mailbox: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.roles.sender.reputation._EVERY_SECONDS", 0.05)
    monkeypatch.setattr("agents.roles.sender.reputation._JUDGED_EVERY", timedelta())
    mailbox.at_stage = "rcpt"
    mailbox.replies.extend(["550 5.1.1 no such user"] * 2 + ["550 5.7.1 rejected by policy"])
    low = replace(settings, sender=replace(settings.sender, email_judged_from=10, email_max_bounced=10.0))
    made = [to(one, f"ann{number}@shop.example") for number, one in enumerate(mails(11))]
    account = Destination(made[0].project_id, "email", "main")
    async with running(low, pool, mailbox.port) as run:
        for one in made:
            await run.take([one])

        async def is_paused() -> bool:
            return account in await run.ledger.paused_destinations()

        await until(is_paused)
        paused = await run.ledger.paused_destinations()
    assert paused == {account: "of its last 10 messages 2 bounced (20 %, at most 10 % may)"}
    assert len(mailbox.mails) == 8


async def test_its_owner_is_told_and_hears_of_the_end(judging: Judging) -> None:
    await judging.sent({MAIN: (100, 6)})
    notices = Notices(judging.pool, lambda notice: ["email:ops@example.com"])
    for count in (1, 0):
        found = [destination_paused(one, why) for one, why in (await judging.judge()).items()]
        assert await notices.keep("shop", "destination_paused", found) == 1
        assert len(await notices.is_open("shop", "destination_paused")) == count
        if count:
            await resume_destination(judging.ledger, "shop", "email/main", actor="me")


async def sent(judging: Judging, number: int) -> Any:
    """A mail that its server took just now."""
    made = to(of_now(delivery("email")), f"ann{number}@shop.example")
    made = msgspec.structs.replace(made, project_id="shop", delivery_id=f"dlv_{number:032x}", account="main")
    row = row_of(Work(made, 0, utc_now()), timedelta())
    await judging.ledger.claim_new([row], owner="s", lease=timedelta(minutes=1))
    assert await judging.ledger.settle([Settlement(made.delivery_id, "sent", "250 ok")], owner="s")
    return made


async def reported(judging: Judging, name: str, made: Any) -> None:
    raw = message(name).replace(DELIVERY.encode(), made.delivery_id.encode())
    await Reports(judging.pool, "shop", actor="ann", now=NOW).take(raw)
