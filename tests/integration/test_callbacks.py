"""Providers tell what became of messages, over real HTTP into a real Postgres."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
import structlog

from agents.broker.outbox import publish_outbox
from agents.broker.producer import Producer
from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from channels.fakes.intercom import IntercomFake
from channels.fakes.mailchimp import MailchimpFake
from channels.webhook.signing import Signer
from console.control.callbacks import MOST_BYTES, Callbacks
from console.http.database import LateDatabase
from console.http.serving import listen
from console.public import callbacks as route
from deploy.secret import Secret
from deploy.settings.messages import Console, EmailAccountSettings
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.channels.email import EmailAccountForm
from schemas.channels.intercom import IntercomAccountForm
from schemas.channels.mailchimp import MailchimpAccountForm
from schemas.channels.webhook import WebhookAccountForm
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.topics import DELIVERY_STATUS
from schemas.wire.read_as import read_as
from store.accounts import AccountKey, Accounts
from store.distributions import Control
from store.encryption import Keys
from store.sending.suppressions import Suppressions
from tests.factory import NOW, SECRET
from tests.integration.test_providers import mails, webhooks
from tests.integration.test_reports import DELIVERY, listed, message, sent

OWN = "whsec_" + "QUFB" * 8
ACCOUNT_KEY = "k1:" + "QUFB" * 10 + "QUE="
EVENT = {"delivery_id": DELIVERY, "outcome": "delivered"}
JSON = "application/json"


class Called:
    """A console on a free port, called as a provider calls it."""

    def __init__(self, port: int, session: aiohttp.ClientSession, logged: list[Any]) -> None:
        self.port, self.session, self.logged = port, session, logged

    async def post(
        self,
        said: Any,
        place: str = "shop/email/main",
        secret: str = SECRET,
        at: datetime = NOW,
        **headers: str,
    ) -> tuple[int, Any, Any]:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        signed = Signer([secret]).headers("msg_1", int(at.timestamp()), body) | {"content-type": JSON}
        return await self.raw(body, place, signed | {name.replace("_", "-"): value for name, value in headers.items()})

    async def raw(self, body: Any, place: str, headers: dict[str, str]) -> tuple[int, Any, Any]:
        url = f"http://127.0.0.1:{self.port}/callbacks/{place}"
        async with self.session.post(url, data=body, headers=headers) as response:
            return response.status, response.headers, await response.json(content_type=None)

    async def metrics(self) -> dict[str, float]:
        async with self.session.get(f"http://127.0.0.1:{self.port}/metrics") as response:
            lines = [line.rpartition(" ") for line in (await response.text()).splitlines() if line[:1] != "#"]
        return {name: float(value) for name, _, value in lines if "_created" not in name}


def own_settings(settings: Settings, dsn: str) -> Settings:
    mailbox = EmailAccountSettings(
        host="localhost", sender="shop@example.com", security="none", callback_secrets=(Secret(SECRET),)
    )
    return replace(
        settings,
        postgres=Postgres(dsn=Secret(dsn)),
        email_accounts={"main": mailbox},
        webhook=replace(settings.webhook, callback_secrets=(Secret(SECRET),)),
        accounts=replace(settings.accounts, keys=(Secret(ACCOUNT_KEY),)),
    )


@pytest.fixture
async def called(settings: Settings, dsn: str, pool: asyncpg.Pool) -> AsyncIterator[Called]:
    async with served(own_settings(settings, dsn)) as made:
        yield made


@asynccontextmanager
async def served(made: Settings) -> AsyncIterator[Called]:
    database = LateDatabase(made)
    runner, port = await listen(Console(), clock=NOW.timestamp, callbacks=Callbacks(made, database.pool))
    with structlog.testing.capture_logs() as logged:
        async with aiohttp.ClientSession() as session:
            yield Called(port, session, logged)
    await runner.cleanup()
    await database.close()


async def told(pool: asyncpg.Pool) -> list[DeliveryStatus]:
    rows = await pool.fetch("select payload from outbox where topic = $1 order by id", DELIVERY_STATUS)
    return [msgspec.json.decode(row["payload"], type=DeliveryStatus) for row in rows]


async def mailed(pool: asyncpg.Pool, **changed: Any) -> Delivery:
    return await sent(pool, msgspec.structs.replace(mails(1)[0], project_id="shop", account="main", **changed))


async def test_an_end_is_told_once_however_often_it_is_reported(called: Called, pool: asyncpg.Pool) -> None:
    await mailed(pool)
    at = "2026-03-02T09:00:00Z"
    bounced = {**EVENT, "outcome": "bounced", "bounce": "hard", "occurred_at": at, "detail": "550 no jo@example.com"}
    for _ in range(2):
        status, headers, said = await called.post([EVENT, bounced, bounced])
        assert (status, headers["content-type"], said) == (202, JSON, {"received": 3})
    delivered, ended = await told(pool)
    assert (delivered.outcome, delivered.occurred_at, delivered.type) == ("delivered", NOW, "customer.email.delivered")
    assert (ended.outcome, ended.occurred_at, ended.detail) == ("bounced", datetime.fromisoformat(at), "550 no …")
    metrics = await called.metrics()
    assert metrics['tidings_reports_total{done="told",way="callback"}'] == 2
    assert metrics['tidings_reports_total{done="known before",way="callback"}'] == 4
    assert metrics['tidings_callbacks_total{status="202"}'] == 2


async def test_dead_addresses_and_complaints_suppress(called: Called, pool: asyncpg.Pool) -> None:
    made = await mailed(pool)
    for said, reason in (
        ({"outcome": "delivered"}, []),
        ({"outcome": "bounced"}, []),
        ({"outcome": "bounced", "bounce": "soft"}, []),
        ({"outcome": "bounced", "bounce": "hard"}, ["bounced"]),
        ({"outcome": "complained"}, ["complained"]),
    ):
        assert (await called.post({**EVENT, **said}))[0] == 202
        assert await listed(pool, made) == [(made.reaches, one, "callback email/main") for one in reason]


async def test_a_mail_that_came_back_is_taken_as_it_came(called: Called, pool: asyncpg.Pool) -> None:
    made = await mailed(pool)
    status, _, said = await called.post(message("postfix_unknown_user"), content_type="message/rfc822")
    assert (status, said) == (202, {"received": 1})
    assert [one.outcome for one in await told(pool)] == ["bounced"]
    assert [reason for _, reason, _ in await listed(pool, made)] == ["bounced"]
    status, _, said = await called.post(message("vacation"), content_type="message/rfc822")
    assert (status, said) == (202, {"received": 0})
    assert (await called.metrics())['tidings_reports_total{done="not a report",way="callback"}'] == 1


async def test_whoever_reports_learns_nothing_of_what_is_not_theirs(called: Called, pool: asyncpg.Pool) -> None:
    await sent(pool, msgspec.structs.replace(mails(1)[0], project_id="another", account="main"))
    before = await called.post({**EVENT, "delivery_id": DELIVERY.replace("0", "f"), "outcome": "complained"})
    after = await called.post({**EVENT, "outcome": "complained"})
    foreign = await called.post({**EVENT, "delivery_id": "<of-another-system@shop.example>"})
    assert [(status, said) for status, _, said in (before, after, foreign)] == [(202, {"received": 1})] * 3
    assert await told(pool) == []
    assert await pool.fetchval("select count(*) from suppressions") == 0
    assert (await called.metrics())['tidings_reports_total{done="not ours",way="callback"}'] == 3


async def test_an_account_speaks_of_what_left_through_it(called: Called, pool: asyncpg.Pool) -> None:
    await mailed(pool)
    await pool.execute("update open_deliveries set record = convert_to(replace(convert_from(record, 'UTF8'),"
                       " '\"account\":\"main\"', '\"account\":\"other\"'), 'UTF8')")  # fmt: skip
    assert (await called.post(EVENT))[0] == 202
    assert (await called.post(EVENT, "shop/webhook/main"))[0] == 202
    assert await told(pool) == []
    await pool.execute("update open_deliveries set through = 'main'")  # in the place of the other one
    assert (await called.post(EVENT))[0] == 202
    assert len(await told(pool)) == 1


async def test_a_complaint_about_a_webhook_ends_no_host(called: Called, pool: asyncpg.Pool) -> None:
    await sent(pool, hooked("https://hooks.example.com/x"))
    assert (await called.post({**EVENT, "outcome": "complained"}, "shop/webhook/main"))[0] == 202
    assert [one.type for one in await told(pool)] == ["customer.webhook.complained"]
    assert await pool.fetchval("select count(*) from suppressions") == 0


def hooked(url: str) -> Delivery:
    return msgspec.structs.replace(webhooks(1, url)[0], project_id="shop")


async def test_an_endpoint_speaks_of_what_went_to_it_alone(called: Called, pool: asyncpg.Pool) -> None:
    keys, form = Keys.read([ACCOUNT_KEY]), WebhookAccountForm(secrets=(SECRET,), callback_secrets=(SECRET,))
    for name in ("hooks.example:8443", "hooks.example"):
        await Accounts(pool).add(AccountKey("shop", "webhook", name), form, keys, by="ann")
    await sent(pool, hooked("https://HOOKS.example:8443/x"))
    assert (await called.post(EVENT, "shop/webhook/hooks.example"))[0] == 202
    assert await told(pool) == []
    assert (await called.post(EVENT, "shop/webhook/hooks.example:8443"))[0] == 202
    assert len(await told(pool)) == 1


async def test_an_account_of_the_database_wins_over_the_settings(called: Called, pool: asyncpg.Pool) -> None:
    await mailed(pool)
    key, keys = AccountKey("shop", "email", "main"), Keys.read([ACCOUNT_KEY])
    form = EmailAccountForm(host="mail.example", sender="shop@example.com", callback_secrets=(OWN,))
    await Accounts(pool).add(key, form, keys, by="ann")
    assert (await called.post(EVENT))[0] == 401
    assert (await called.post(EVENT, secret=OWN))[0] == 202
    await Accounts(pool).pause(key, by="ann")
    assert (await called.post(EVENT, secret=OWN))[0] == 202
    await Accounts(pool).remove(key, by="ann")
    assert (await called.post(EVENT))[0] == 202


async def test_who_left_an_audience_is_suppressed_there(called: Called, pool: asyncpg.Pool) -> None:
    form = MailchimpAccountForm(api_key="x-us6", list_id="a1", webhook_secrets=("hush",))
    await Accounts(pool).add(AccountKey("shop", "mailchimp", "main"), form, Keys.read([ACCOUNT_KEY]), by="ann")
    async with called.session.get(f"http://127.0.0.1:{called.port}/callbacks/shop/mailchimp/main") as response:
        assert response.status == 200
    async with called.session.get(f"http://127.0.0.1:{called.port}/callbacks/shop/email/main") as response:
        assert response.status == 405
    fake, people = (
        MailchimpFake("x-us6", "a1", "hush"),
        {"unsubscribe": "jo@example.com", "cleaned": "gone@example.com"},
    )
    for kind, email in people.items():
        headers, body = fake.call(int(NOW.timestamp()), type=kind, data__list_id="a1", data__email=email)
        for _ in range(2):
            assert (await called.raw(body, "shop/mailchimp/main", headers))[0] == 202
        assert (await called.raw(body + b"&x=1", "shop/mailchimp/main", headers))[0] == 401
    found = [one async for one in Suppressions(pool).all("shop")]
    assert {(one.key, one.channel, one.reason) for one in found} == {
        ("jo@example.com", "mailchimp", "unsubscribed"),
        ("gone@example.com", "mailchimp", "bounced"),
    }
    assert {one.added_by for one in found} == {"callback mailchimp/main"}


async def test_who_left_at_intercom_is_suppressed_there(called: Called, pool: asyncpg.Pool) -> None:
    form = IntercomAccountForm(token="x", client_secret="hush", app_id="ws1")
    await Accounts(pool).add(AccountKey("shop", "intercom", "main"), form, Keys.read([ACCOUNT_KEY]), by="ann")
    for channel, expected in (("intercom", 200), ("email", 405)):
        async with called.session.head(f"http://127.0.0.1:{called.port}/callbacks/shop/{channel}/main") as response:
            assert response.status == expected
    fake = IntercomFake("x", "hush")
    for email, app_id in (("jo@example.com", "ws1"), ("other@example.com", "ws2")):
        headers, body = fake.call("contact.unsubscribed", {"type": "contact", "email": email}, app_id)
        for _ in range(2):
            status, _, said = await called.raw(body, "shop/intercom/main", headers)
            assert (status, said) == (200, {})
        assert (await called.raw(body + b" ", "shop/intercom/main", headers))[0] == 401
    found = [one async for one in Suppressions(pool).all("shop")]
    assert [(one.key, one.channel, one.reason) for one in found] == [("jo@example.com", "intercom", "unsubscribed")]


async def test_whatever_proves_nothing_has_one_answer(called: Called) -> None:
    answers = [
        await called.post(EVENT, secret=OWN),
        await called.post(EVENT, webhook_signature="v1,é"),
        await called.post(EVENT, webhook_timestamp="soon"),
        await called.post(EVENT, webhook_id=""),
        await called.post(EVENT, at=NOW - timedelta(minutes=6)),
        await called.post(b"{", secret=OWN),
        await called.post(EVENT, "shop/email/mian"),
        await called.post(EVENT, "shop/pigeon/main"),
        await called.post(EVENT, "shop/webhook/other"),
        await called.post(EVENT, "%1F/email/main", secret=OWN),
        await called.raw(b"", "shop/email/main", {"content-type": JSON}),
    ]
    assert {(status, json.dumps(said)) for status, _, said in answers} == {(401, json.dumps(answers[0][2]))}
    assert SECRET not in repr((answers, called.logged))
    assert "main" not in repr([line for line in called.logged if line["event"] == "request"])


async def test_what_is_wrong_is_told_to_whoever_is_known(called: Called, pool: asyncpg.Pool) -> None:
    await mailed(pool)
    status, headers, said = await called.post([EVENT, {**EVENT, "outcome": "opened"}])
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert said["errors"] == [
        {
            "pointer": "/1/outcome",
            "detail": '"opened" is not valid: must be one of delivered, bounced, complained',
        }
    ]
    assert await told(pool) == []


async def test_a_body_that_is_not_taken(called: Called) -> None:
    compressed = await called.post(gzip.compress(bytes(10_000_000)), content_encoding="gzip")
    form = await called.post(b"outcome=delivered", content_type="application/x-www-form-urlencoded")
    large, empty = await called.post(bytes(MOST_BYTES + 1)), await called.post(b" " * MOST_BYTES)
    assert [status for status, _, _ in (compressed, form, large, empty)] == [415, 415, 413, 400]


async def test_a_body_without_an_end_is_cut_off(called: Called) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65_536)

    headers = {"content-type": JSON} | Signer([SECRET]).headers("msg_1", int(NOW.timestamp()), b"")
    try:
        status, _, _ = await called.raw(endless(), "shop/email/main", headers)
    except aiohttp.ClientError:  # hung up on while it was still talking
        status = 413
    assert status == 413
    assert (await called.metrics())['tidings_callbacks_total{status="413"}'] == 1


async def test_a_body_that_does_not_come_is_given_up(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "BODY_SECONDS", 0.05)
    reader, writer = await begun(called, b"{}")
    writer.write(b"{")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n"), 60) == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()


async def test_nothing_is_lost_while_postgres_is_away(settings: Settings, dsn: str, pool: asyncpg.Pool) -> None:
    """The provider is told when to come again; what it then tells is kept."""
    await mailed(pool)
    made = own_settings(settings, "postgresql://nobody@127.0.0.1:1/nothing")
    late = LateDatabase(made)
    runner, port = await listen(Console(), clock=NOW.timestamp, callbacks=Callbacks(made, late.pool))
    async with aiohttp.ClientSession() as session:
        provider = Called(port, session, [])
        for _ in range(2):
            status, headers, _ = await provider.post(EVENT)
            assert (status, headers["retry-after"]) == (503, "30")
        assert (await provider.post(EVENT, webhook_signature=""))[0] == 401
        async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
            assert response.status == 200
        late._settings = own_settings(settings, dsn)  # it is back
        late._again_at = 0.0
        assert (await provider.post(EVENT))[0] == 202
    await runner.cleanup()
    await late.close()
    assert [one.outcome for one in await told(pool)] == ["delivered"]


async def test_connections_that_break_cost_nothing(called: Called, pool: asyncpg.Pool) -> None:
    await mailed(pool)
    assert (await called.post({**EVENT, "outcome": "complained"}))[0] == 202
    answers: list[int] = []
    async with asyncio.timeout(90):
        while answers[-2:] != [202, 202]:
            await pool.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid() and not $1", len(answers) > 3
            )  # fmt: skip
            answers.append((await called.post(EVENT))[0])
    assert set(answers) <= {202, 503}
    assert [one.outcome for one in await told(pool)] == ["complained", "delivered"]


async def test_an_account_that_cannot_be_read_is_asked_for_again(
    settings: Settings, dsn: str, pool: asyncpg.Pool
) -> None:
    other = Keys.read(["k2:" + "QkJC" * 10 + "QkI="])
    form = EmailAccountForm(host="mail.example", sender="shop@example.com", callback_secrets=(SECRET,))
    await Accounts(pool).add(AccountKey("shop", "email", "main"), form, other, by="ann")
    made = own_settings(settings, dsn)
    database = LateDatabase(made)
    runner, port = await listen(Console(), clock=NOW.timestamp, callbacks=Callbacks(made, database.pool))
    async with aiohttp.ClientSession() as session:
        assert (await Called(port, session, []).post(EVENT))[0] == 503
    await runner.cleanup()
    await database.close()


async def test_it_reaches_whoever_reads_the_topic(wiring: Wiring, pool: asyncpg.Pool, dsn: str) -> None:
    made = await mailed(pool)
    async with served(own_settings(wiring.settings, dsn)) as called:
        assert (await called.post({**EVENT, "outcome": "bounced", "bounce": "hard"}))[0] == 202
    producer = Producer(wiring.settings.kafka.client())
    assert await publish_outbox(Control(pool), wiring, producer) == 1
    producer.close()
    with TopicReader(wiring, DELIVERY_STATUS) as topic:
        (record,) = topic.until_now()
        status = read_as(topic.decode(record), DeliveryStatus)
    assert record.key() == wiring.key("shop", made.customer.id)
    assert (status.delivery_id, status.outcome, status.type) == (DELIVERY, "bounced", "customer.email.bounced")


async def test_only_so_many_are_read_at_once(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "MOST_AT_ONCE", 0)
    status, headers, _ = await called.post(EVENT)
    assert (status, headers["retry-after"]) == (503, "30")


async def begun(called: Called, body: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A call whose body is still to come."""
    signed = Signer([SECRET]).headers("msg_1", int(NOW.timestamp()), body)
    head = "\r\n".join(f"{name}: {value}" for name, value in signed.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", called.port)
    writer.write(
        f"POST /callbacks/shop/email/main HTTP/1.1\r\nhost: x\r\n{head}\r\ncontent-type: {JSON}\r\n"
        f"content-length: {len(body)}\r\n\r\n".encode()
    )
    return reader, writer


async def test_whoever_sends_no_body_gives_way_to_whoever_does(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(route, "DAWDLES_AFTER", 0.0)
    idle = [await begun(called, b"{}") for _ in range(3)]
    async with asyncio.timeout(60):
        while not any(reader._buffer for reader, _ in idle):  # type: ignore[attr-defined]
            assert (await called.post(EVENT))[0] == 202
        assert [(await called.post(EVENT))[0] for _ in range(5)] == [202] * 5
    for _, writer in idle:
        writer.close()


async def test_a_body_that_comes_soon_is_not_hurried_away_by_the_next_call(
    called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(route, "DAWDLES_AFTER", 600.0)
    body = json.dumps(EVENT).encode()
    reader, writer = await begun(called, body)
    async with asyncio.timeout(60):
        while (await called.post(EVENT))[0] != 503:
            await asyncio.sleep(0.01)
        writer.write(body)
        assert b" 202 " in await reader.readuntil(b"\r\n")
    writer.close()
