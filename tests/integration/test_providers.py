"""A sender, its ledger in a real PostgreSQL, and providers that refuse us in the ways that they do."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import asyncpg
import msgspec
import pytest

from agents.accounts import LiveAccounts
from agents.clock import Clock, DatabaseTime, utc_now
from agents.roles.sender import outcomes as outcomes_module
from agents.roles.sender import sender as sender_module
from agents.roles.sender.accepted import Accepted
from agents.roles.sender.sender import Past, Sender
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from channels.fakes.email import SmtpSink
from channels.fakes.http import Reply
from channels.fakes.limit import Limit
from channels.fakes.webhook import WebhookReceiver
from console.control import projects
from console.control.deliveries import carry_out
from console.control.documents import parse_documents
from deploy.secret import Secret
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.messages import Webhook as WebhookSettings
from deploy.settings.settings import Settings
from schemas.delivery import Delivery
from schemas.destination import Destination
from store.accounts import Accounts
from store.clock import time_there
from store.distributions import Change, Control, VersionConflict
from store.erasure import Erasure
from store.retention import Retention
from store.sending.deliveries import Deliveries, DeliveryFilter
from store.sending.ledger import Ledger
from tests.factory import NOW, SECRET, TEMPLATE, delivery, rule

_PATIENCE = 90.0


class Topic:
    """A place to tell outcomes: acknowledged at once."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def produce(self, output: Any, report: Callable[[Any, Any], None]) -> None:
        self.told.append(output.value)
        report(None, None)

    async def wait_for_capacity(self, *, goes_on: bool = False) -> None:
        """There is always some."""


class Running:
    """A sender at work on one ledger."""

    def __init__(self, sender: Sender, ledger: Ledger, topic: Topic) -> None:
        self.sender, self.ledger, self.topic = sender, ledger, topic

    async def take(self, deliveries: list[Delivery]) -> None:
        works = [Work(one, 0, utc_now()) for one in deliveries]
        for start in range(0, len(works), 100):
            await self.sender._entry.enter(cast(Any, SimpleNamespace(items=works[start : start + 100])))

    async def counts(self) -> Counter[str]:
        rows = await self.ledger.counts()
        return Counter({row["state"]: row["count"] for row in rows})


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not await what():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


@pytest.fixture
async def mailbox() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(SECRET)
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def running(
    settings: Settings,
    pool: asyncpg.Pool,
    mailbox_port: int = 1,
    *,
    retry: timedelta = timedelta(seconds=1),
    rate: str = "",
    owner: str = "s",
    clock: Clock = utc_now,
    accounts: Mapping[str, EmailAccountSettings] = MappingProxyType({}),
) -> AsyncIterator[Running]:
    quick = replace(
        settings,
        sender=replace(
            settings.sender, poll=timedelta(milliseconds=200), webhook_allow_private=True,
            webhook_retries=(retry,) * 2, email_retries=(retry,) * 2,
        ),
        webhook=WebhookSettings(secrets=(Secret(SECRET),), rate=rate),
        email_accounts={"main": EmailAccountSettings("127.0.0.1", "a@example.com", port=mailbox_port, security="none")}
        | dict(accounts),
    )  # fmt: skip
    control, topic, ledger = Control(pool), Topic(), Ledger(pool)
    with suppress(VersionConflict):  # of another sender on the same ledger
        await control.save([Change(rule(), "", (TEMPLATE,))], applied_by="me", now=NOW)
    app = cast(Any, SimpleNamespace(outputs=topic, stop_at_once=lambda error: None))
    past = Past(Retention(pool, quick.retention.deliveries), Erasure(pool))
    sender = Sender(
        app, Wiring(quick), ledger, control, past, Metrics(), owner=owner, clock=clock, accepted=Accepted(None),
        accounts=LiveAccounts(Accounts(pool), quick),
    )  # fmt: skip
    task = asyncio.create_task(sender.run())
    try:
        yield Running(sender, ledger, topic)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sender.close()


def of_now(made: Any) -> Any:
    """The same of an event of today: what is old is not sent."""
    return msgspec.structs.replace(made, event=msgspec.structs.replace(made.event, created_at=utc_now()))


def mails(count: int) -> list[Delivery]:
    made = of_now(delivery("email"))
    email = msgspec.structs.replace(made.email, template=TEMPLATE.ref)
    return [msgspec.structs.replace(made, delivery_id=f"dlv_{n}", email=email) for n in range(count)]


def webhooks(count: int, url: str) -> list[Delivery]:
    made = of_now(delivery("webhook", url=url))
    return [msgspec.structs.replace(made, delivery_id=f"dlv_{n}") for n in range(count)]


def named(deliveries: list[Delivery], prefix: str) -> list[Delivery]:
    return [msgspec.structs.replace(one, delivery_id=f"{prefix}_{number}") for number, one in enumerate(deliveries)]


async def attempts_of(run: Running, count: int) -> list[int]:
    rows = [await run.ledger.delivery(f"dlv_{number}") for number in range(count)]
    return [row["attempts"] for row in rows if row is not None]


async def test_a_mailbox_that_takes_so_many_gets_so_many_and_no_mail_is_lost(
    settings: Settings, pool: asyncpg.Pool, mailbox: SmtpSink
) -> None:
    """33 mails at 30 in 3 s, with two retries in the schedule: a refusal is no attempt."""
    mailbox.limit = Limit(30, 3.0)
    began = time.monotonic()
    async with running(settings, pool, mailbox.port) as run:
        await run.take(mails(33))

        async def all_sent() -> bool:
            return (await run.counts())["sent"] == 33

        await until(all_sent)
        assert await attempts_of(run, 33) == [1] * 33
    assert len({mail.message_id for mail in mailbox.mails}) == len(mailbox.mails) == 33
    assert time.monotonic() - began >= 3.0
    assert mailbox.limit.refused >= 1


@pytest.mark.parametrize("says_when", [True, False])
async def test_a_receiver_that_takes_so_many_gets_so_many_and_none_is_given_up(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver, says_when: bool
) -> None:
    receiver.limit, receiver.says_when = Limit(40, 1.0), says_when
    async with running(settings, pool) as run:
        await run.take(webhooks(60, receiver.url))

        async def all_sent() -> bool:
            return (await run.counts())["sent"] == 60

        await until(all_sent)
        assert await attempts_of(run, 60) == [1] * 60
    assert len(receiver.received) == 60


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("greeting", "554 5.7.1 your host is not welcome"),
        ("ehlo", "550 5.7.1 we do not know you"),
        ("mail", "530 5.7.0 authentication required"),
    ],
)
async def test_a_server_that_refuses_us_pauses_the_account_and_burns_nothing(
    settings: Settings, pool: asyncpg.Pool, mailbox: SmtpSink, stage: str, answer: str
) -> None:
    if stage == "greeting":
        mailbox.greeting = answer
    else:
        mailbox.at_stage = stage
        mailbox.replies.extend([answer] * 1000)
    async with running(settings, pool, mailbox.port) as run:
        await run.take(mails(20))

        async def paused() -> bool:
            return bool(await run.ledger.paused_destinations()) and not run.sender._due.held()

        await until(paused)
        assert await run.counts() == {"waiting": 20}
        ((destination, why),) = (await run.ledger.paused_destinations()).items()
        assert destination == Destination("shop", "email", "main")
        assert "5.7." in why
        mailbox.greeting = None
        mailbox.replies.clear()
        await run.ledger.resume_destination(destination, by="me")

        async def all_sent() -> bool:
            return (await run.counts())["sent"] == 20

        await until(all_sent)
        assert await attempts_of(run, 20) == [1] * 20


async def test_what_waits_for_a_destination_that_asked_for_an_hour_can_be_hurried(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    receiver.limit, receiver.says_when = Limit(5, 3600.0), True
    async with running(settings, pool) as run:
        await run.take(webhooks(30, receiver.url))

        async def held() -> bool:
            return not run.sender._due.held() and (await run.counts())["waiting"] == 25

        await until(held)
        (row,) = await run.ledger.held_destinations("shop")
        assert (row["state"], row["waiting"]) == ("throttled", 25)
        receiver.limit = None
        of_the_host = DeliveryFilter("shop", destination=row["destination"])
        assert await carry_out(Deliveries(pool), "hurry", of_the_host, actor="me") == 25

        async def all_sent() -> bool:
            return (await run.counts())["sent"] == 30

        await until(all_sent)
        assert await attempts_of(run, 30) == [1] * 30


async def test_what_expires_at_a_paused_endpoint_ends_is_told_once_and_is_not_sent_after_a_resume(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_SWEEP_SECONDS", 5.0)
    monkeypatch.setattr(outcomes_module, "_BATCH_SIZE", 2)
    receiver.usually = Reply(status=410)
    async with running(settings, pool) as run:
        await run.take(webhooks(1, receiver.url))

        async def is_paused() -> bool:
            return bool(await run.ledger.paused_destinations()) and not run.sender._due.held()

        await until(is_paused)
        waiting = webhooks(44, receiver.url)[1:]
        soon = utc_now() + timedelta(seconds=2)
        expiring = [msgspec.structs.replace(one, expires_at=soon) for one in waiting[:40]]
        await run.take([*expiring, *waiting[40:]])

        async def are_told() -> bool:
            return bool(await pool.fetchval("select count(*) = 41 from ended_deliveries"))

        await until(are_told)  # two a sweep would take more than the time there is
        receiver.usually = Reply()
        (paused,) = await run.ledger.paused_destinations()
        await run.ledger.resume_destination(paused, by="me")
        await until(lambda: _has(run, "sent", 3))
        assert sorted(receiver.ids) == sorted(one.delivery_id for one in waiting[40:])
        rows = await pool.fetch("select reason, count(*) from deliveries where state = 'failed' group by 1")
        assert {row["reason"]: row["count"] for row in rows} == {None: 1, "expired": 40}


async def test_many_that_were_cancelled_are_told_without_a_wait_between_them(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_SWEEP_SECONDS", 5.0)
    monkeypatch.setattr(outcomes_module, "_SWEEP", timedelta())
    monkeypatch.setattr(outcomes_module, "_BATCH_SIZE", 2)
    async with running(settings, pool) as run:
        later = utc_now() + timedelta(days=1)
        waiting = [msgspec.structs.replace(one, not_before=later) for one in webhooks(40, receiver.url)]
        await run.take(waiting)
        chosen = DeliveryFilter("shop", ids=tuple(one.delivery_id for one in waiting))
        assert await carry_out(Deliveries(pool), "cancel", chosen, actor="me") == 40

        async def are_told() -> bool:
            return bool(await pool.fetchval("select count(*) = 40 from ended_deliveries where reason = 'canceled'"))

        await until(are_told)  # two in five seconds would take more than the time there is
        assert len(run.topic.told) == 40


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_machine_whose_clock_jumps_is_refused_by_nobody(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver, minutes: int
) -> None:
    clock = DatabaseTime(partial(time_there, pool), wall=lambda: utc_now() + timedelta(minutes=minutes))
    async with running(settings, pool, clock=clock) as run:
        await run.take(webhooks(1, receiver.url))

        async def is_paused() -> bool:
            return bool(await run.ledger.paused_destinations()) and not run.sender._due.held()

        await until(is_paused)
        assert (receiver.unverified, receiver.ids) == (1, []), "so it is by the wall clock alone"
        await clock.look()
        (paused,) = await run.ledger.paused_destinations()
        await run.ledger.resume_destination(paused, by="me")
        await run.take(webhooks(20, receiver.url))
        await until(lambda: _ended(run, {"sent": 20}))
        assert sorted(receiver.ids) == sorted(one.delivery_id for one in webhooks(20, receiver.url))
        assert receiver.unverified == 1


async def test_a_wall_clock_that_jumps_moves_no_lease_no_pace_no_breaker_and_no_limit(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes to and fro, ten times a second, in the process of two senders that share a limit."""
    right, offset = time.time, 0.0
    monkeypatch.setattr("channels.fakes.webhook.time", SimpleNamespace(time=right))  # the receivers' is right
    monkeypatch.setattr(time, "time", lambda: right() + offset)
    monkeypatch.setattr("agents.clock.utc_now", lambda: datetime.now(UTC) + timedelta(seconds=offset))
    clock = DatabaseTime(partial(time_there, pool), wall=lambda: datetime.now(UTC) + timedelta(seconds=offset))
    await clock.look()

    async def jumping() -> None:
        nonlocal offset
        while True:
            offset = {0.0: 600.0, 600.0: -600.0, -600.0: 0.0}[offset]
            await asyncio.sleep(0.1)

    failing = WebhookReceiver(SECRET)
    await failing.start()
    failing.usually = Reply(503)
    jumps = asyncio.ensure_future(jumping())
    try:
        async with (
            running(settings, pool, clock=clock, rate="40", owner="a", retry=timedelta(minutes=5)) as one,
            running(settings, pool, clock=clock, rate="40", owner="b", retry=timedelta(minutes=5)) as other,
        ):
            mine, theirs = webhooks(120, receiver.url), named(webhooks(20, failing.url), "f")
            began = time.monotonic()
            await asyncio.gather(one.take(mine[:60]), other.take(mine[60:]), one.take(theirs))
            await until(lambda: _has(one, "sent", 120))
            assert time.monotonic() - began >= 2.0
            assert await attempts_of(one, 120) == [1] * 120
            waits = await pool.fetch(
                "select due_at - now() as wait from deliveries where attempts = 1 and state = 'waiting'"
            )
            assert {timedelta(minutes=3) < row["wait"] <= timedelta(minutes=6) for row in waits} == {True}
            destination, breakers = Destination("shop", "webhook", theirs[0].account), one.sender._turns.breakers

            async def is_open() -> bool:
                return destination in breakers.open

            await until(is_open)
    finally:
        jumps.cancel()
        await failing.stop()
    assert Counter(receiver.ids) == Counter(one.delivery_id for one in mine)
    assert max(failing.tried.values()) == 1


async def test_a_sandbox_reaches_only_its_list_and_once_it_is_none_everybody(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    async def apply(document: str) -> None:
        plan = await projects.plan(pool, parse_documents(document, "p.yaml"), settings, NOW)
        await projects.save(pool, plan, actor="ann", now=NOW)

    def of(project: str, run: str, url: str = receiver.url) -> list[Delivery]:
        return [
            msgspec.structs.replace(one, project_id=project, delivery_id=f"dlv_{project}_{run}_{number}")
            for number, one in enumerate(webhooks(5, url))
        ]

    await apply("project: stage\nsandbox: {allow: [else.example]}\n---\nproject: live\n")
    async with running(settings, pool) as run:
        await run.take([*of("stage", "a"), *of("live", "a")])
        await until(lambda: _ended(run, {"sent": 5, "failed": 5}))
        rows = await pool.fetch("select project_id, state, reason from deliveries where state = 'failed'")
        assert {tuple(row) for row in rows} == {("stage", "failed", "suppressed")}
        assert {one.id for one in receiver.received} == {one.delivery_id for one in of("live", "a")}
        await apply("project: stage\n")
        await run.take(of("stage", "b"))
        await until(lambda: _ended(run, {"sent": 10, "failed": 5}))


async def _has(run: Running, state: str, count: int) -> bool:
    return (await run.counts())[state] == count


async def _ended(run: Running, wanted: dict[str, int]) -> bool:
    return await run.counts() == wanted
