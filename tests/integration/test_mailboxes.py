"""Mailboxes that reports come back to: over IMAP into a real Postgres, and nothing moved that was not kept."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from agents.wiring import Wiring
from channels.email.mailbox import Mailbox
from channels.fakes.imap import EVERYTHING, ImapServer
from channels.unsubscribe import Subscriber, token_of
from console.control.doctor import examine
from console.control.goodbyes import Goodbyes
from console.control.mailboxes import Round, mailboxes_of, take_mailbox
from console.control.reports import TakenReport
from deploy.secret import Secret
from deploy.settings.mailboxes import MailboxSettings
from deploy.settings.messages import Console
from deploy.settings.settings import Settings
from schemas.errors import BadRecord, TidingsError, TryLater
from schemas.topics import CONSENTS
from store.consent_choices import ConsentChoices
from tests import ROOT
from tests.factory import NOW
from tests.integration.test_reports import DELIVERY, message, outbox, reports, sent

PASSWORD = "pl4nted-pa55word"
LONG = 120.0
BOTH = [("bounced", "customer.email.bounced"), ("complained", "customer.email.complained")]


@pytest.fixture
async def server() -> AsyncIterator[ImapServer]:
    made = ImapServer(login=("bounces", PASSWORD))
    await made.start()
    yield made
    await made.stop()


def box(server: ImapServer) -> Mailbox:
    return Mailbox(
        name="bounces", host="127.0.0.1", port=server.port, security="none", username="bounces", password=PASSWORD,
        folder="INBOX", taken_folder="Taken", other_folder="Other", timeout=60,
    )  # fmt: skip


def of_another(name: str) -> bytes:
    return message(name).replace(DELIVERY.encode(), DELIVERY.replace("0", "f").encode())


async def test_reports_are_told_once_and_put_aside(server: ImapServer, pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    ours = [message("postfix_unknown_user"), message("postfix_delayed"), message("exim")]
    others = [message("vacation"), of_another("complaint"), b""]
    for mail in (*ours, *others):
        server.deliver(mail)
    done = await take_mailbox(box(server), reports(pool, made.project_id))
    assert done == Round(
        "bounces", taken=3, others=3,
        done=Counter({"told": 1, "known before": 1, "left": 1, "not a report": 2, "not ours": 1}),
    )  # fmt: skip
    assert await outbox(pool) == [("bounced", "customer.email.bounced")]
    assert [server.contents(folder) for folder in ("INBOX", "Taken", "Other")] == [[], ours, others]
    assert await take_mailbox(box(server), reports(pool, made.project_id)) == Round("bounces")


async def test_who_writes_to_leave_has_left_and_a_forged_token_is_put_aside(
    server: ImapServer, pool: asyncpg.Pool, settings: Settings
) -> None:
    secret = "a secret of many characters"
    own = replace(settings, console=Console(secrets=(Secret(secret),)))

    async def database() -> asyncpg.Pool:
        return pool

    token = token_of(Subscriber("outlet", "c1", "marketing", "dlv_9"), secret)
    ours, forged = (f"Subject: unsubscribe.{one}\r\n\r\n".encode() for one in (token, "A" * 60))
    for mail in (ours, ours, forged):
        server.deliver(mail)
    taken = reports(pool, "default")
    done = await take_mailbox(box(server), taken, goodbyes=Goodbyes(own, database))
    assert done == Round("bounces", taken=2, others=1, done=Counter({"unsubscribed": 2, "not proven": 1}))
    assert [server.contents(folder) for folder in ("INBOX", "Taken", "Other")] == [[], [ours, ours], [forged]]
    (choice,) = await ConsentChoices(pool).of("outlet", "c1")
    assert (choice.category, choice.given, choice.way, choice.delivery_id) == ("marketing", False, "mail", "dlv_9")
    assert await pool.fetchval("select count(*) from outbox where topic = $1", CONSENTS) == 1


async def test_a_server_that_hangs_up_costs_nothing(server: ImapServer, pool: asyncpg.Pool) -> None:
    """However far it got: the next look takes what is still there, and tells nothing twice."""
    made = await sent(pool)
    for number, command in enumerate(("UID SEARCH", "UID FETCH", "UID MOVE"), 1):
        for name in ("postfix_unknown_user", "complaint", "vacation"):
            server.deliver(message(name))
        server.replies[command].append("")
        with pytest.raises(TryLater, match="mailbox bounces"):
            await take_mailbox(box(server), reports(pool, made.project_id))
        server.replies["LOGOUT"].append("")
        await take_mailbox(box(server), reports(pool, made.project_id))
        found = [len(server.contents(folder)) for folder in ("INBOX", "Taken", "Other")]
        assert found == [0, 2 * number, number], command
    assert sorted(await outbox(pool)) == BOTH


async def test_nothing_is_moved_that_could_not_be_kept(
    server: ImapServer, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await sent(pool)
    server.deliver(message("postfix_unknown_user"))
    server.deliver(message("vacation"))
    taken = reports(pool, made.project_id)

    async def away(_: bytes) -> list[TakenReport]:
        raise TryLater("Postgres does not answer")

    with monkeypatch.context() as patched, pytest.raises(TryLater):
        patched.setattr(taken, "take", away)
        await take_mailbox(box(server), taken)
    assert (len(server.contents("INBOX")), await outbox(pool)) == (2, [])

    async def unkept(_: bytes) -> list[TakenReport]:
        raise BadRecord("Postgres cannot keep it")

    with monkeypatch.context() as patched:
        patched.setattr(taken, "take", unkept)
        assert (await take_mailbox(box(server), taken)).others == 2


async def test_what_cannot_be_fetched_keeps_nothing_behind_it(server: ImapServer, pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    for _ in range(25):
        server.deliver(message("vacation"))
    server.deliver(message("postfix_unknown_user"))
    server.vanish = set(range(1, 21))
    done = await take_mailbox(box(server), reports(pool, made.project_id))
    assert (done.unread, done.taken, done.others) == (20, 1, 5)


async def test_a_look_has_an_end_and_says_that_there_is_more(server: ImapServer, pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    for _ in range(45):
        server.deliver(message("vacation"))
    looks = [await take_mailbox(box(server), reports(pool, made.project_id), limit=20) for _ in range(3)]
    assert [(one.others, one.has_more) for one in looks] == [(20, True), (20, True), (5, False)]


@pytest.mark.parametrize("offers", [EVERYTHING, EVERYTHING - {"MOVE", "UIDPLUS"}])
async def test_two_who_look_at_once_tell_nothing_twice(
    server: ImapServer, pool: asyncpg.Pool, offers: frozenset[str]
) -> None:
    made, server.offers = await sent(pool), offers
    for _ in range(30):
        server.deliver(message("postfix_unknown_user"))
        server.deliver(message("complaint"))
    await asyncio.gather(*(take_mailbox(box(server), reports(pool, made.project_id)) for _ in range(3)))
    assert sorted(await outbox(pool)) == BOTH
    assert [one for one in server.folders["INBOX"] if not one.flags] == []
    assert len(server.contents("Taken")) >= 60


def test_mailboxes_are_named_as_the_settings_do(settings: Settings) -> None:
    with pytest.raises(TidingsError, match=r"write \[mailboxes.bounces\]"):
        mailboxes_of(settings, [])


async def test_doctor_logs_in(server: ImapServer, settings: Settings) -> None:
    server.deliver(message("vacation"))
    written = MailboxSettings("127.0.0.1", "bounces", Secret(PASSWORD), port=server.port, security="none")
    elsewhere = replace(written, folder="In")
    for mailbox, said in ((written, "lets bounces in; 1 messages in INBOX"), (elsewhere, "no folder In")):
        findings = await examine(Wiring(replace(settings, mailboxes={"b": mailbox})), os.environ, NOW)
        (found,) = [one for one in findings if one.what == "mailbox b"]
        assert said in found.said
        assert PASSWORD not in found.said


# -- the process --------------------------------------------------------------------------------------------------


async def run(
    folder: Path, dsn: str, server: ImapServer, *arguments: str, password: str = PASSWORD
) -> asyncio.subprocess.Process:
    (folder / "password").write_text(password)
    (folder / "tidings.toml").write_text(
        f'[mailboxes.bounces]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\nusername = "bounces"\n'
        f'password = "file:{folder}/password"\nevery = "1s"\n'
    )
    environ = {
        **os.environ, "TIDINGS_KAFKA": "127.0.0.1:1", "TIDINGS_POSTGRES": dsn, "TIDINGS_PROJECT_ID": "shop",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console", "reports", "poll", *arguments,
        cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_the_process_looks_until_it_is_told_to_stop(
    server: ImapServer, pool: asyncpg.Pool, dsn: str, tmp_path: Path
) -> None:
    await sent(pool)
    server.deliver(message("postfix_unknown_user"))
    started = await run(tmp_path, dsn, server)
    assert started.stderr is not None
    logged: list[bytes] = []
    async with asyncio.timeout(LONG):
        while not any(b"mailbox_read" in line for line in logged):
            logged.append(await started.stderr.readline())
        server.hang_up()
        server.replies["SELECT"].append("NO [INUSE] locked")
        server.deliver(message("complaint"))
        while sum(b"mailbox_read" in line for line in logged) < 2:
            logged.append(await started.stderr.readline())
        started.send_signal(signal.SIGTERM)
        _, rest = await started.communicate()
    said = b"".join([*logged, rest]).decode()
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert (started.returncode, events[0], events[-1]) == (0, "started", "stopped")
    assert "mailbox_not_read" in events
    assert sorted(await outbox(pool)) == [
        ("bounced", "customer.email.bounced"),
        ("complained", "customer.email.complained"),
    ]
    assert PASSWORD not in said


async def test_a_wrong_password_ends_it_and_is_not_shown(
    server: ImapServer, dsn: str, tmp_path: Path, pool: asyncpg.Pool
) -> None:
    started = await run(tmp_path, dsn, server, "--once", password="an0ther-pa55word")
    shown, said = await asyncio.wait_for(started.communicate(), LONG)
    words = re.sub(r"\s+", " ", said.decode())
    assert started.returncode == 78
    assert "mailbox bounces" in words
    assert "Check username and password" in words
    assert b"pa55word" not in shown + said
