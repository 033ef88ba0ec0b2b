"""An account that is rotated, paused and removed while thousands of deliveries wait for it: counted one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import asyncpg
import pytest

from channels.fakes.email import SmtpSink
from deploy.settings.settings import Settings
from schemas.channels.email import EmailAccountForm
from store.accounts import Accounts
from store.encryption import Keys
from tests.faults.harness import FULL
from tests.integration.test_accounts import OLD, PLANTED, guarded, held, key, keyed, mail_of, through
from tests.integration.test_providers import Running, mailbox, running, until

__all__ = ["guarded", "mailbox"]

pytestmark = pytest.mark.timeout(900)

WAITING = 10_000 if FULL else 600
CONNECTIONS = 8
NEW_PASSWORD = f"another-{PLANTED}"


@dataclass
class Shop:
    """The account that everything happens to, and a neighbour at a server of its own, whose messages are the clock."""

    run: Running
    pool: asyncpg.Pool
    sink: SmtpSink
    neighbour: SmtpSink
    rounds: int = field(default=0)

    @property
    def sent(self) -> int:
        """The messages that left through it."""
        return len(self.sink.mails)

    async def until_sent(self, count: int) -> None:
        """Wait until so many have left, which may take longer than any other wait."""
        while self.sent < count:
            before = self.sent

            async def goes_on(before: int = before) -> bool:
                return self.sent > before

            await until(goes_on)

    async def until_held(self, why: str) -> int:
        """Wait until it is held for a reason that people see and nothing is under way; how many have left."""

        async def is_held() -> bool:
            under_way = [one for one in self.run.sender._attempts.held if "-shop-" in one]
            return why in (await held(self.pool)).get("shop", "") and not under_way

        await until(is_held)
        return self.sent

    async def nothing_leaves(self) -> None:
        """See a neighbour's messages leave, and none of this one, of which none has failed either."""
        before, self.rounds = self.sent, self.rounds + 1
        await self.run.take(through("other", 20, run=f"round{self.rounds}"))

        async def are_sent() -> bool:
            return len(self.neighbour.mails) == 20 * self.rounds

        await until(are_sent)
        assert self.sent == before
        rows = await self.pool.fetch("select state, count(*) from deliveries where destination = 'shop' group by 1")
        expected = {"waiting": WAITING - before} | ({"sent": before} if before else {})
        assert {row["state"]: row["count"] for row in rows} == expected


async def test_an_account_is_rotated_paused_and_removed_while_thousands_wait_and_each_leaves_once(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink, mailbox: SmtpSink
) -> None:
    stored, ring, shop_key = Accounts(pool), Keys.read([OLD]), key("shop")
    form = replace(mail_of(guarded), connections=CONNECTIONS)

    async def rotate_to(changed: EmailAccountForm) -> None:
        assert await stored.change(shop_key, lambda _: changed, ring, by="me")

    await stored.add(shop_key, form, ring, by="me")
    await stored.add(key("other"), replace(form, port=mailbox.port, username="", password=""), ring, by="me")
    await stored.pause(shop_key, by="me")
    async with running(keyed(settings, OLD), pool) as run:
        shop = Shop(run, pool, guarded, mailbox)
        await run.take(through("shop", WAITING))
        assert await shop.until_held("account email/shop is paused: tidings accounts resume") == 0
        await shop.nothing_leaves()

        guarded.delay = 0.0 if FULL else 0.05  # fewer have to last as long
        await stored.resume(shop_key, by="me")  # paused under way: what had begun ends, and no other begins
        await shop.until_sent(WAITING // 10)
        await stored.pause(shop_key, by="me")
        await shop.until_held("account email/shop is paused")
        await shop.nothing_leaves()

        guarded.login = ("u", NEW_PASSWORD)  # the provider knows the new one alone: refused, then rotated
        guarded.hang_up()
        await stored.resume(shop_key, by="me")
        await shop.until_held("535")
        await shop.nothing_leaves()
        rotated = replace(form, password=NEW_PASSWORD)
        await rotate_to(rotated)
        await shop.until_sent(shop.sent + WAITING // 10)
        for name in ("One", "Two", "Three"):  # and again at full speed
            await rotate_to(replace(rotated, sender_name=name))
            await shop.until_sent(shop.sent + WAITING // 10)

        await stored.remove(shop_key, by="me")
        await shop.until_held("account email/shop was removed: tidings accounts add")
        await shop.nothing_leaves()
        assert shop.sent < WAITING

        guarded.delay = 0.0
        await stored.add(shop_key, rotated, ring, by="me")
        await shop.until_sent(WAITING)

        async def are_marked() -> bool:
            return await run.counts() == {"sent": WAITING + 20 * shop.rounds}

        await until(are_marked)
    assert Counter(guarded.ids) == Counter(one.delivery_id for one in through("shop", WAITING))
    assert await held(pool) == {}
