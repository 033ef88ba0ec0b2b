"""The process that looks at mailboxes: again and again until it is told to stop, or once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog

from agents.clock import utc_now
from agents.telemetry.logs import configure_logs
from agents.telemetry.metrics import Metrics
from agents.telemetry.status import Health, serve_status
from channels.email.mailbox import Mailbox
from console.cli.context import Session
from console.control.goodbyes import Goodbyes
from console.control.mailboxes import Round, mailboxes_of, take_mailbox, tokens_of
from console.control.reports import Reports
from schemas.errors import TryLater

log = structlog.get_logger()


async def look_once(opened: Session, names: Sequence[str]) -> list[Round]:
    """Take in all that waits in some mailboxes, one after the other. Raises TryLater, CannotStart."""
    rounds, tokens, goodbyes = [], tokens_of(opened.wiring.settings), _goodbyes(opened)
    for mailbox in mailboxes_of(opened.wiring.settings, names):
        more = True
        while more:
            reports = _reports(opened, mailbox)
            rounds.append(await take_mailbox(mailbox, reports, tokens=tokens, goodbyes=goodbyes))
            more = rounds[-1].has_more
    return rounds


async def keep_looking(opened: Session, names: Sequence[str]) -> None:
    """Look until SIGTERM or SIGINT. What is away is tried again; raises CannotStart where a person has to mend."""
    settings, poller = opened.wiring.settings, _Poller(opened)
    mailboxes = mailboxes_of(settings, names)
    configure_logs(settings.log_level, role="mailboxes")
    runner, port = await serve_status(settings.http.host, settings.http.port, poller.metrics, poller.health)
    log.info("started", port=port, mailboxes=[one.name for one in mailboxes])
    works = [poller.run(one, settings.mailboxes[one.name].every.total_seconds()) for one in mailboxes]
    try:
        await _until_stopped([asyncio.ensure_future(work) for work in works])
    finally:
        await runner.cleanup()
        log.info("stopped")


async def _until_stopped(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Until a signal, or the first error of one of them, which is raised."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    every: list[asyncio.Future[Any]] = [*tasks, asyncio.ensure_future(stopping.wait())]
    try:
        await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for one in every:
            one.cancel()
        await asyncio.gather(*every, return_exceptions=True)


class _Poller:
    def __init__(self, opened: Session) -> None:
        self._opened, self._tokens = opened, tokens_of(opened.wiring.settings)
        self._goodbyes = _goodbyes(opened)
        self._away: dict[str, str] = {}
        self.metrics = Metrics()

    def health(self) -> Health:
        """Healthy, also while something is away: another process would wait for it as well."""
        return Health(True, "waiting" if self._away else "ok", waits_for=sorted(self._away.values()))

    async def run(self, mailbox: Mailbox, every: float) -> None:
        """Look at one mailbox for ever."""
        while True:
            more = await self._look(mailbox)
            await asyncio.sleep(0 if more else every)

    async def _look(self, mailbox: Mailbox) -> bool:
        try:
            reports = _reports(self._opened, mailbox)
            done = await take_mailbox(mailbox, reports, tokens=self._tokens, goodbyes=self._goodbyes)
        except TryLater as error:
            self._away[mailbox.name] = error.what or "Postgres"
            log.warning("mailbox_not_read", mailbox=mailbox.name, why=str(error))
            return False
        self._away.pop(mailbox.name, None)
        for kind, number in done.done.items():
            self.metrics.reports.labels("mailbox", kind).inc(number)
        if done.taken or done.others or done.unread:
            log.info("mailbox_read", mailbox=mailbox.name, taken=done.taken, others=done.others, unread=done.unread)
        return done.has_more


def _goodbyes(opened: Session) -> Goodbyes:
    async def database() -> asyncpg.Pool:
        return opened.pool

    return Goodbyes(opened.wiring.settings, database)


def _reports(opened: Session, mailbox: Mailbox) -> Reports:
    return Reports(opened.pool, opened.project_id, actor=f"mailbox {mailbox.name}", now=utc_now())
