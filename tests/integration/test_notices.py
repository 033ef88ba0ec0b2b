"""Notices in a real PostgreSQL: each is told once when it begins and once when it is over, whoever looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.channels import channels_of
from agents.clock import utc_now
from agents.roles.sender.notifier import Notifier
from channels.contract import AnyChannel
from channels.fakes.email import SmtpSink
from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from console.control import projects
from console.control.documents import parse_documents
from deploy.secret import Secret
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.messages import Webhook as WebhookSettings
from deploy.settings.settings import Settings
from schemas.closed import ChannelName
from schemas.destination import Destination
from schemas.errors import DefinitionInvalid
from schemas.notice import Notice
from schemas.topics import NOTICES
from store.notices import Notices
from store.sending.ledger import Ledger
from streams.notices import RETRIES, codes_low, destination_paused, message_to_owner
from tests.factory import SECRET

MAIL = destination_paused(Destination("shop", "email", "main"), "HTTP 401")
LEASE = timedelta(minutes=1)
HOST = Destination("shop", "webhook", "hooks.example.com")
WITH_SPA = Settings(project_id="shop", email_accounts={"spa": EmailAccountSettings("127.0.0.1", "a@spa.example")})


def ways(notice: Notice) -> set[str]:
    return {"webhook:https://ops.example.com/", *({"email:ops@example.com"} if notice.state == "opened" else ())}


async def told(pool: asyncpg.Pool) -> list[Notice]:
    rows = await pool.fetch("select payload from outbox where topic = $1 order by id", NOTICES)
    return [msgspec.json.decode(row["payload"], type=Notice) for row in rows]


async def test_what_many_see_is_told_once_and_its_end_once(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    await asyncio.gather(*(notices.keep("shop", "destination_paused", [MAIL]) for _ in range(8)))
    assert await notices.is_open("shop", "destination_paused") == {"email/main"}
    (opened,) = await told(pool)
    assert (opened.state, opened.about, "HTTP 401" in opened.summary) == ("opened", "email/main", True)
    assert opened.look_at.endswith("tidings destinations --resume email/main")

    await asyncio.gather(*(notices.keep("shop", "destination_paused", []) for _ in range(8)))
    _, closed = await told(pool)
    assert (closed.state, closed.notice_id, closed.opened_at) == ("closed", opened.notice_id, opened.opened_at)
    assert closed.closed_at is not None
    messages = await notices.take("me", limit=9, lease=LEASE)
    assert sorted((one.way.partition(":")[0], one.notice.state) for one in messages) == [
        ("email", "opened"), ("webhook", "closed"), ("webhook", "opened"),
    ]  # fmt: skip


async def test_what_comes_and_goes_is_told_once_in_the_quiet_time(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    for _ in range(5):
        await notices.keep("shop", "destination_paused", [MAIL])
        await notices.keep("shop", "destination_paused", [])
    assert [one.state for one in await told(pool)] == ["opened", "closed"]
    await pool.execute("update notices set told_at = told_at - interval '2 hours'")
    await notices.keep("shop", "destination_paused", [MAIL])
    later = (await told(pool))[2:]
    assert [one.state for one in later] == ["opened"]
    assert later[0].notice_id != (await told(pool))[0].notice_id


async def test_what_comes_back_in_the_quiet_time_and_stays_is_told_after_it(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    for found in ([MAIL], [], [MAIL], [MAIL]):
        await notices.keep("shop", "destination_paused", found)
    assert [one.state for one in await told(pool)] == ["opened", "closed"]
    await pool.execute("update notices set told_at = told_at - interval '2 hours'")
    await asyncio.gather(*(notices.keep("shop", "destination_paused", [MAIL]) for _ in range(4)))
    await notices.keep("shop", "destination_paused", [])
    first, _, *back = await told(pool)
    assert [one.state for one in back] == ["opened", "closed"]
    assert {one.notice_id for one in back}.isdisjoint({first.notice_id})


async def test_what_could_not_be_told_and_is_over_is_not_told_as_news(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    await notices.open(MAIL)
    for message in await notices.take("me", limit=9, lease=LEASE):
        await notices.put_off(message, "me", timedelta(), "no answer")
    await notices.close("shop", "destination_paused", MAIL.about)
    assert [one.notice.state for one in await notices.take("me", limit=9, lease=LEASE)] == ["closed"]


async def test_projects_and_kinds_are_apart(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    for project in ("shop", "spa"):
        await notices.keep(project, "codes_low", [codes_low(project, "spring", 5, 100)])
        await notices.keep(
            project, "destination_paused", [destination_paused(Destination(project, "email", "main"), "no")]
        )
    await notices.keep("spa", "codes_low", [])
    open_ones = [(one["kind"], one["about"]) for one in await listed(notices, "shop")]
    assert sorted(open_ones) == [("codes_low", "spring"), ("destination_paused", "email/main")]
    assert [one["kind"] for one in await listed(notices, "spa")] == ["destination_paused"]
    assert len(await notices.of_project("spa", closed=True)) == 2


async def listed(notices: Notices, project: str) -> list[Any]:
    return await notices.of_project(project)


async def test_a_young_notice_is_left_open_by_who_looks_elsewhere(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, ways)
    await notices.open(MAIL)
    assert await notices.keep("shop", "destination_paused", [], settle=timedelta(minutes=1)) == 0
    await pool.execute("update notices set opened_at = opened_at - interval '2 minutes'")
    assert await notices.keep("shop", "destination_paused", [], settle=timedelta(minutes=1)) == 1


async def test_a_message_is_one_sender_s_at_a_time_and_comes_back(pool: asyncpg.Pool) -> None:
    notices = Notices(pool, lambda notice: ["email:ops@example.com"])
    await notices.open(MAIL)
    first, second = await asyncio.gather(*(notices.take(name, limit=9, lease=LEASE) for name in ("a", "b")))
    assert len(first) + len(second) == 1
    (message,), mine = (first or second), "a" if first else "b"
    await notices.end(message, "somebody else")
    await notices.put_off(message, mine, timedelta(0), "the text\x00 of a provider")
    (again,) = await notices.take("c", limit=9, lease=LEASE)
    assert again.attempts == 1
    await notices.end(again, "c")
    assert await pool.fetchval("select count(*) from notice_messages") == 0


@asynccontextmanager
async def owners(
    settings: Settings,
) -> AsyncIterator[tuple[SmtpSink, WebhookReceiver, Mapping[ChannelName, AnyChannel]]]:
    """A mail server and a webhook receiver of an owner's, and a sender's channels that reach them."""
    mailbox, receiver = SmtpSink(), WebhookReceiver(SECRET)
    await mailbox.start()
    await receiver.start()
    account = EmailAccountSettings("127.0.0.1", "a@example.com", port=mailbox.port, security="none")
    channels = channels_of(
        replace(
            settings,
            sender=replace(settings.sender, webhook_allow_private=True),
            webhook=WebhookSettings(secrets=(Secret(SECRET),)),
            email_accounts={"main": account},
        )
    )
    try:
        yield mailbox, receiver, channels
    finally:
        for channel in channels.values():
            await channel.close()
        await mailbox.stop()
        await receiver.stop()


async def test_an_owner_is_told_by_mail_and_webhook_of_what_is_paused(settings: Settings, pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    async with owners(settings) as (mailbox, receiver, channels):
        told_by = {"email:ops@example.com", f"webhook:{receiver.url}"}
        notices = Notices(pool, lambda notice: told_by)
        notifiers = [notifier(notices, ledger, channels, name) for name in ("a", "b")]
        await ledger.pause_destination(HOST, "refused", "HTTP 401: who are you?")
        for _ in range(2):
            await asyncio.gather(*(one.tell() for one in notifiers))
        (mail,) = mailbox.mails
        assert "[shop] Nothing is sent to webhook/hooks.example.com: HTTP 401" in str(mail.parsed()["Subject"])
        body = mail.parsed().get_content()
        assert "tidings destinations --resume webhook/hooks.example.com" in body.replace("=\n", "")
        (posted,) = receiver.received
        said = msgspec.json.decode(posted.body)
        notice = said["data"]["notice"]
        assert (said["type"], notice["state"], notice["kind"]) == ("tidings.notice", "opened", "destination_paused")
        assert posted.id == mail.message_id == f"{notice['notice_id']}.opened"

        await ledger.resume_destination(HOST, by="me")
        for _ in range(2):
            await asyncio.gather(*(one.tell() for one in notifiers))
        assert len(mailbox.mails) == 2
        assert receiver.received[-1].id == f"{notice['notice_id']}.closed"
        assert await pool.fetchval("select count(*) from notice_messages") == 0


async def test_each_project_is_told_of_its_own_destinations_and_of_the_last_that_is_mended(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    ledger, notices = Ledger(pool), Notices(pool, ways)
    theirs = Destination("spa", "webhook", HOST.name)
    async with owners(settings) as (_, _receiver, channels):
        me = notifier(notices, ledger, channels, "me")

        async def open_in() -> list[str]:
            await me.look()
            return [project for project in ("shop", "spa") if await notices.is_open(project, "destination_paused")]

        await ledger.pause_destination(HOST, "refused", "HTTP 401")
        await ledger.pause_destination(theirs, "gone", "HTTP 410")
        assert await open_in() == ["shop", "spa"]
        await ledger.resume_destination(HOST, by="me")
        assert await open_in() == ["spa"]
        await ledger.resume_destination(theirs, by="me")
        assert await open_in() == []


async def test_a_project_that_names_addresses_is_told_there_and_nowhere_else(pool: asyncpg.Pool) -> None:
    source = (
        "project: spa\nnotices: {emails: [ann@spa.example], account: spa, webhook: 'https://ops.spa.example/n'}\n"
        "---\nproject: quiet\nnotices: {}\n---\nproject: plain\n"
    )
    plan = await projects.plan(pool, parse_documents(source, "p.yaml"), WITH_SPA, utc_now())
    await projects.save(pool, plan, actor="ann", now=utc_now())
    notices = Notices(pool, lambda notice: ["webhook:https://ops.example/all"])
    for project in ("shop", "spa", "quiet", "plain"):
        await notices.open(codes_low(project, "spring", 1, 9))
        await notices.close(project, "codes_low", "spring")
    ways_of: dict[str, list[str]] = {}
    for row in await pool.fetch("select project_id, way from notice_messages order by 1, 2"):
        ways_of.setdefault(row["project_id"], []).append(row["way"])
    assert ways_of == {
        "plain": ["webhook:https://ops.example/all"] * 2,
        "shop": ["webhook:https://ops.example/all"] * 2,
        "spa": ["email/spa:ann@spa.example", *["webhook:https://ops.spa.example/n"] * 2],
    }
    one, *_ = await told(pool)
    accounts = [message_to_owner(one, f"{way}:ann@spa.example", "main").account for way in ("email/spa", "email")]
    assert accounts == ["spa", "main"]


async def test_an_account_that_is_not_there_cannot_tell_anybody(pool: asyncpg.Pool) -> None:
    source = "project: spa\nnotices: {emails: [ann@spa.example], account: spb}\n"
    with pytest.raises(DefinitionInvalid, match=r'notices\.account: "spb" is not valid: must be one of spa'):
        await projects.plan(pool, parse_documents(source, "p.yaml"), WITH_SPA, utc_now())


async def test_a_message_to_an_owner_is_tried_again_and_not_for_ever(settings: Settings, pool: asyncpg.Pool) -> None:
    async with owners(settings) as (_, receiver, channels):
        notices = Notices(pool, lambda notice: [f"webhook:{receiver.url}"])
        me = notifier(notices, Ledger(pool), channels, "me")
        await notices.open(codes_low("shop", "spring", 1, 9))
        receiver.usually = Reply(503)
        for _ in range(len(RETRIES) + 2):
            await me.tell()
            await pool.execute("update notice_messages set due_at = now()")
        assert sum(receiver.tried.values()) == len(RETRIES) + 1
        assert await pool.fetchval("select count(*) from notice_messages") == 0


def notifier(notices: Notices, ledger: Ledger, channels: Mapping[ChannelName, AnyChannel], owner: str) -> Notifier:
    async def flush() -> None:
        """Nothing: what reaches Kafka is another test's."""

    return Notifier(
        notices, ledger, channels, flush, account="main", owner=owner, clock=utc_now
    )  # fmt: skip
