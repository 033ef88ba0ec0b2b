"""Text messages over a real Postgres: none twice where an answer was lost, and what the provider and owners say."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from channels.fakes.http import Reply
from channels.fakes.sms import SmsFake
from channels.sms.channel import Sms
from deploy.secret import Secret
from deploy.settings.messages import Console
from deploy.settings.settings import Settings
from schemas.channels.sms import SmsDelivery
from schemas.suppression import NewSuppression
from store.accounts import AccountKey, Accounts
from store.distributions import Change, Control
from store.encryption import Keys
from store.sending.ledger import Ledger, Settlement
from store.sending.suppressions import Suppressions
from tests.contract.channels.test_sms import PHONE, PUBLIC, SID, TEXT, TOKEN, TWILIO
from tests.factory import NOW, customer, delivery, rule
from tests.integration.test_callbacks import ACCOUNT_KEY, Called, own_settings, served, told
from tests.integration.test_providers import of_now, running, until
from tests.integration.test_reports import DELIVERY, listed, sent

PLACE = "shop/sms/main"


@pytest.fixture
async def fake() -> AsyncIterator[SmsFake]:
    made = SmsFake(SID, TOKEN)
    await made.start()
    yield made
    await made.stop()


async def add_account(pool: asyncpg.Pool, base_url: str = "https://api.twilio.com") -> None:
    key = AccountKey("shop", "sms", "main")
    await Accounts(pool).add(key, replace(TWILIO, base_url=base_url), Keys.read([ACCOUNT_KEY]), by="ann")


def texts(count: int) -> list[SmsDelivery]:
    """To a number each."""
    made = []
    for number in range(count):
        one = of_now(delivery("sms", customer(phone=f"+4860010020{number}")))
        sms = msgspec.structs.replace(one.sms, template=TEXT.ref)
        made.append(msgspec.structs.replace(one, delivery_id=f"dlv_{number:032x}", sms=sms))
    return made


async def test_no_text_goes_out_twice_where_its_answer_was_lost(
    settings: Settings, pool: asyncpg.Pool, fake: SmsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(Sms.policy, retries=(timedelta(seconds=1),) * 5)
    monkeypatch.setattr(Sms, "policy", quick)
    await add_account(pool, fake.base_url)
    await Control(pool).save([Change(rule(distribution="other"), "", (TEXT,))], applied_by="me", now=NOW)
    fake.lost = 3
    fake.replies += [Reply(drop=True)] * 2
    fake.look_ups.append(Reply(503))
    keys = replace(settings.accounts, keys=(Secret(ACCOUNT_KEY),))
    async with running(replace(settings, accounts=keys), pool) as run:
        await run.take([*texts(8)])

        async def all_sent() -> bool:
            counts = await run.counts()
            return counts["sent"] + counts["recovered"] == 8

        await until(all_sent)
    assert Counter(one.to for one in fake.texts) == {f"+4860010020{number}": 1 for number in range(8)}
    assert fake.asked >= 5
    ids = await pool.fetch("select provider_id from deliveries")
    assert {row["provider_id"] for row in ids} == {one.sid for one in fake.texts}


@pytest.fixture
async def called(settings: Settings, dsn: str, pool: asyncpg.Pool) -> AsyncIterator[Called]:
    await add_account(pool)
    public = Console(public_url=PUBLIC, secrets=(Secret("s" * 32),))
    async with served(replace(own_settings(settings, dsn), console=public)) as made:
        yield made


async def said(called: Called, form: dict[str, str], query: str = "", token: str = TOKEN) -> tuple[int, str]:
    headers, body = SmsFake(SID, token).signed(f"{PUBLIC}/callbacks/{PLACE}{query}", form)
    url = f"http://127.0.0.1:{called.port}/callbacks/{PLACE}{query}"
    async with called.session.post(url, data=body, headers=headers) as response:
        return response.status, await response.text()


async def test_an_end_is_told_once_however_often_and_in_whatever_order(called: Called, pool: asyncpg.Pool) -> None:
    made = msgspec.structs.replace(texts(1)[0], delivery_id=DELIVERY)
    await sent(pool, made)
    for status in ("delivered", "sent", "queued", "delivered", "read"):
        form = {"MessageSid": "SM1", "MessageStatus": status, "To": PHONE, "From": TWILIO.sender}
        assert await said(called, form, f"?delivery={DELIVERY}") == (200, "<Response/>")
    (one,) = await told(pool)
    assert (one.outcome, one.type, one.delivery_id) == ("delivered", "customer.sms.delivered", DELIVERY)


async def test_a_delivery_is_known_by_the_id_that_its_provider_gave_it(called: Called, pool: asyncpg.Pool) -> None:
    made = await sent(pool, msgspec.structs.replace(texts(1)[0], delivery_id=DELIVERY))
    await Ledger(pool).settle([Settlement(DELIVERY, "sent", "HTTP 201", provider_id="SM1")], owner="w1")
    for sid in ("SM1", "SM2"):
        form = {"MessageSid": sid, "MessageStatus": "undelivered", "ErrorCode": "30005", "To": PHONE}
        assert (await said(called, form))[0] == 200
    (one,) = await told(pool)
    assert (one.outcome, one.provider_id, one.detail) == ("bounced", "SM1", "undelivered: error 30005")
    assert await listed(pool, made) == [(made.reaches, "bounced", f"callback {PLACE.removeprefix('shop/')}")]


async def test_who_writes_stop_is_left_alone_until_start(called: Called, pool: asyncpg.Pool) -> None:
    made = texts(1)[0]
    word = {"MessageSid": "SM9", "SmsStatus": "received", "From": made.reaches, "To": TWILIO.sender}
    for _ in range(2):
        assert (await said(called, word | {"Body": "Stop"}))[0] == 200
    (entry,) = [one async for one in Suppressions(pool).all("shop")]
    assert (entry.key, entry.channel, entry.reason, entry.source) == (
        made.reaches, "sms", "unsubscribed", "its owner wrote STOP",
    )  # fmt: skip
    assert await _state_of(pool, made) == "failed"
    assert (await said(called, word | {"Body": "START"}))[0] == 200
    assert await listed(pool, made) == []
    assert await _state_of(pool, msgspec.structs.replace(made, delivery_id="dlv_" + "f" * 32)) == "waiting"


async def test_start_lifts_nothing_that_somebody_else_asked_for(called: Called, pool: asyncpg.Pool) -> None:
    made = texts(1)[0]
    entry = NewSuppression("shop", made.reaches, "requested", "ticket 1", "ann", channel="sms")
    await Suppressions(pool).add([entry])
    assert (await said(called, {"From": made.reaches, "Body": "START"}))[0] == 200
    assert await listed(pool, made) == [(made.reaches, "requested", "ann")]


async def test_what_is_forged_changes_nothing(called: Called, pool: asyncpg.Pool) -> None:
    status, answer = await said(called, {"From": PHONE, "Body": "STOP"}, token="hush-other")
    assert (status, "x-twilio-signature" in answer) == (401, True)
    assert [one async for one in Suppressions(pool).all("shop")] == []


async def _state_of(pool: asyncpg.Pool, made: Any) -> str:
    """The state of a delivery that comes in now."""
    await Ledger(pool).claim_new([row_of(Work(made, 0, NOW), timedelta())], owner="w", lease=timedelta(minutes=1))
    row = await Ledger(pool).delivery(made.delivery_id)
    assert row is not None
    return str(row["state"])
