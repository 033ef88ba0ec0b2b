"""Mailboxes that reports come back to: what waits there is taken in, and put aside once it is kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog

from agents.reach import reach_of
from channels.access_tokens import TokenAway, TokenFailed, Tokens
from channels.email.mailbox import LoginRefused, Mailbox, MailboxSession
from console.control.goodbyes import Goodbyes
from console.control.not_found import not_found
from console.control.reports import Done, Reports
from deploy.settings.mailboxes import MailboxSettings
from deploy.settings.settings import Settings
from schemas.channels.mail_oauth import grant_of
from schemas.errors import BadRecord, CannotStart, TidingsError, TryLater

log = structlog.get_logger()

MOST_A_ROUND = 5000
"""Messages that one look at a mailbox takes; the next follows at once where there are more."""
_CHUNK_SIZE = 20
"""Messages in memory at a time, 512 KB of each at most."""

_TAKEN: frozenset[Done] = frozenset({"told", "known before", "left", "unsubscribed"})


@dataclass(frozen=True, slots=True)
class Round:
    """One look at a mailbox: messages that were reports of ours, others, those left in it, and reports by their fate.

    `has_more`: there are more than one look takes, and it got on.
    """

    mailbox: str
    taken: int = 0
    others: int = 0
    unread: int = 0
    has_more: bool = False
    done: Counter[Done] = field(default_factory=Counter)


def mailboxes_of(settings: Settings, names: Sequence[str]) -> list[Mailbox]:
    """Those of the settings that are named; without names all. Raises TidingsError, CannotStart."""
    known = settings.mailboxes
    if not known:
        raise TidingsError("the settings have no mailbox: write [mailboxes.bounces] with host, username and password")
    for name in names:
        if name not in known:
            raise not_found("mailbox", name, list(known))
    return [mailbox_of(name, known[name]) for name in names or known]


def mailbox_of(name: str, written: MailboxSettings) -> Mailbox:
    """A mailbox of the settings. Raises CannotStart for one that nobody can log in to."""
    grant = grant_of(written.host, written.oauth)
    if not written.password.reveal() and grant is None:
        raise CannotStart(f"mailboxes.{name}.password is empty; file:/path is read")
    return Mailbox(
        name=name,
        host=written.host,
        port=written.port,
        security=written.security,
        username=written.username,
        password=written.password.reveal(),
        folder=written.folder,
        taken_folder=written.taken_folder,
        other_folder=written.other_folder,
        ssl_cafile=written.ssl_cafile,
        timeout=written.timeout.total_seconds(),
        grant=grant,
    )


def tokens_of(settings: Settings) -> Tokens:
    """Access tokens for mailboxes that are read by OAuth 2."""
    return Tokens(reach_of(settings.sender))


async def waiting_in(mailbox: Mailbox, tokens: Tokens | None = None) -> int:
    """The number of messages in its folder. Raises TryLater, CannotStart where a person has to mend."""
    async with _opened(mailbox, tokens or Tokens()) as session:
        return session.count


async def take_mailbox(
    mailbox: Mailbox,
    reports: Reports,
    *,
    limit: int = MOST_A_ROUND,
    tokens: Tokens | None = None,
    goodbyes: Goodbyes | None = None,
) -> Round:
    """Take in what waits in a mailbox, oldest first. A message is moved only after what it says is kept.

    Raises TryLater, CannotStart where a person has to mend; what was not moved by then is taken the next time.
    """
    total = Round(mailbox.name)
    async with _opened(mailbox, tokens or Tokens()) as session:
        waiting = await asyncio.to_thread(session.waiting, limit)
        for first in range(0, len(waiting), _CHUNK_SIZE):
            chunk = waiting[first : first + _CHUNK_SIZE]
            total = await _take_chunk(mailbox, session, _Intake(reports, goodbyes), chunk, total)
    has_more = len(waiting) == limit and total.taken + total.others > 0
    return replace(total, has_more=has_more)


async def _take_chunk(
    mailbox: Mailbox, session: MailboxSession, intake: _Intake, uids: Sequence[int], before: Round
) -> Round:
    fetched = await asyncio.to_thread(session.fetch, uids)
    done, ours, others = Counter(before.done), list[int](), list[int]()
    for uid, message in fetched.items():
        fate = await intake.take(message)
        done.update(fate)
        (ours if _TAKEN.intersection(fate) else others).append(uid)
    await asyncio.to_thread(session.move, ours, mailbox.taken_folder)
    await asyncio.to_thread(session.move, others, mailbox.other_folder)
    return replace(
        before,
        taken=before.taken + len(ours),
        others=before.others + len(others),
        unread=before.unread + len(uids) - len(fetched),
        done=done,
    )


@dataclass(frozen=True, slots=True)
class _Intake:
    """Whoever takes a mail: customers who leave first, since a subject is looked at faster than a whole report."""

    reports: Reports
    goodbyes: Goodbyes | None

    async def take(self, message: bytes) -> list[Done]:
        try:
            if self.goodbyes is not None and (fate := await self.goodbyes.take(message)) is not None:
                return [fate]
            return [one.done for one in await self.reports.take(message)]
        except BadRecord as error:  # no column holds it
            log.warning("report_not_kept", why=str(error))
            return ["not a report"]


@asynccontextmanager
async def _opened(mailbox: Mailbox, tokens: Tokens) -> AsyncIterator[MailboxSession]:
    """A session; whoever is cancelled meanwhile does not wait for its thread."""
    token = await _token(mailbox, tokens)
    session = MailboxSession(mailbox, token)
    try:
        try:
            await asyncio.to_thread(session.open)
        except LoginRefused:
            if mailbox.grant is None:
                raise
            session.cut()
            session = MailboxSession(mailbox, await _token(mailbox, tokens, refused=token))
            await asyncio.to_thread(session.open)
        yield session
    except asyncio.CancelledError:
        session.cut()
        raise
    else:
        await asyncio.to_thread(session.close)
    finally:
        session.cut()


async def _token(mailbox: Mailbox, tokens: Tokens, *, refused: str = "") -> str:
    """An access token; empty where the mailbox has a password. Raises TryLater, CannotStart."""
    if mailbox.grant is None:
        return ""
    try:
        return await tokens.token(mailbox.grant, refused=refused)
    except TokenAway as error:
        raise TryLater(f"{mailbox.where}: {error}", what=f"mailbox {mailbox.name}") from None
    except TokenFailed as error:
        raise CannotStart(f"{mailbox.where}: {error}") from None
