"""The context of a command: settings with the servers that answer, and connections to them."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict, TypeVar, get_args

import asyncpg
import typer
from typer.main import get_command

from agents.clock import utc_now
from agents.wiring import Wiring
from console.control.context import ProjectContext, stored_project
from console.control.default_project import default_values
from console.control.git_lock import met_by
from console.control.plan import Planned
from deploy.secret import Secret
from deploy.settings.settings import Settings, load_settings
from schemas.errors import BadRecord, CannotStart, TryLater
from schemas.events.event import MAX_ID
from schemas.record_key import check_parts
from store.accounts import Accounts, AccountSummary
from store.managed import Locked
from store.migrate import migrate
from store.postgres import connect

if TYPE_CHECKING:
    from console.control.distributions import Announce
    from deploy.embedded.servers import Endpoints, Servers

T = TypeVar("T")

Server = Literal["kafka", "postgres"]
"""Servers whose address a command may need."""
SERVERS: tuple[Server, ...] = get_args(Server)
_NAMES: dict[Server, str] = {"kafka": "Kafka", "postgres": "Postgres"}


def read_settings() -> Settings:
    """Settings of this process, completed with the embedded servers of its data folder where they run."""
    settings = load_settings(os.environ)
    default_values(settings)
    if settings.kafka.bootstrap and settings.postgres.dsn.reveal():
        return settings
    running = embedded(settings).running()
    return with_endpoints(settings, running) if running else settings


def embedded(settings: Settings) -> Servers:
    """The embedded servers of the settings' data folder, running or not."""
    from deploy.embedded.servers import Servers  # with all that starts processes

    return Servers(Path(settings.data), os.environ)


def with_endpoints(settings: Settings, endpoints: Endpoints) -> Settings:
    """Settings in which what was left open is that of the embedded servers: addresses, the key of accounts, links."""
    kafka, postgres, accounts, console = settings.kafka, settings.postgres, settings.accounts, settings.console
    if not kafka.bootstrap:
        kafka = replace(kafka, bootstrap=endpoints.kafka)
    if not postgres.dsn.reveal():
        postgres = replace(postgres, dsn=Secret(endpoints.postgres))
        if not accounts.keys and not accounts.key_file:
            accounts = replace(accounts, key_file=endpoints.account_keys)
        if endpoints.links:
            console = endpoints.links.complete(console)
    return replace(settings, kafka=kafka, postgres=postgres, accounts=accounts, console=console)


_project: ContextVar[str] = ContextVar("project", default="")
"""The project that the command was asked to act within; empty for the settings'."""


def within_project(command: Any) -> Any:
    """A command, or each of a group, with the option that says which project it acts within."""
    for one in getattr(command, "commands", {}).values():
        within_project(one)
    if not hasattr(command, "commands"):
        declared = typer.Typer(add_completion=False)
        declared.command()(_option)
        command.params += get_command(declared).params
    return command


def _choose(project: str | None) -> None:
    if project is not None and not (0 < len(project) <= MAX_ID):
        raise typer.BadParameter(f"a project's id has 1 to {MAX_ID} characters")
    try:
        check_parts("", project or "")
    except BadRecord as error:
        raise typer.BadParameter(str(error)) from error
    _project.set(project or "")


def _option(
    project: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The project to act within. Default: the settings' project_id.",
            expose_value=False,
            callback=_choose,
        ),
    ] = None,
) -> None:
    """The option alone: typer makes it of a function's parameter."""


def wiring_of(settings: Settings) -> Wiring:
    """The wiring of a command with whatever servers the settings name."""
    return Wiring(settings, project=_project.get())


def load_wiring(*used: Server) -> Wiring:
    """The wiring of a command that uses these servers; every one, where none is named.

    Raises CannotStart that names each of them whose address is not known.
    """
    settings = read_settings()
    addresses: dict[Server, str] = {"kafka": settings.kafka.bootstrap, "postgres": settings.postgres.dsn.reveal()}
    missing = [server for server in used or SERVERS if not addresses[server]]
    if missing:
        no = " and ".join(f"no {_NAMES[server]}" for server in missing)
        variables = " and ".join(f"TIDINGS_{server.upper()}" for server in missing)
        one = "one" if len(missing) == 1 else "both"
        raise CannotStart(f"{no}: start {one} with `tidings up`, or name yours in {variables}")
    return wiring_of(settings)


@asynccontextmanager
async def database(wiring: Wiring) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a database that has the current schema. Raises TryLater, CannotStart."""
    postgres = wiring.settings.postgres
    pool = await connect(postgres.dsn.reveal(), size=2, pooler=postgres.pooler)
    try:
        await migrate(pool, wiring.default_project)
        yield pool
    finally:
        await pool.close()


async def project_of(wiring: Wiring) -> ProjectContext:
    """The project of a command that needs no servers: without a database, as the settings say.

    The default one is as they say where the database is away, too. Raises TryLater.
    """
    of_settings = ProjectContext.of(wiring.settings, wiring.project)
    if not wiring.settings.postgres.dsn.reveal():
        return of_settings
    try:
        async with database(wiring) as pool:
            return await stored_project(pool, wiring.settings, wiring.project)
    except TryLater:
        if wiring.project != wiring.default_project:
            raise
        return of_settings


class Acting(TypedDict):
    """The arguments of every use case that writes a document."""

    actor: str
    now: datetime
    keep: Locked


@dataclass(frozen=True, slots=True)
class Session:
    """One command's database, its project with the accounts that are its own, who runs it and when."""

    wiring: Wiring
    pool: asyncpg.Pool
    project: ProjectContext
    accounts: Sequence[AccountSummary]
    actor: str
    now: datetime

    @property
    def project_id(self) -> str:
        """The project's id."""
        return self.project.project_id

    def acting(self, override: bool) -> Acting:
        """The actor and the time of a write; what is managed from Git only with `override`."""
        return {"actor": self.actor, "now": self.now, "keep": self.lock(override)}

    def lock(self, override: bool) -> Locked:
        """The lock on what is managed from Git, as the project wants it."""
        return Locked(override, is_off=not self.project.git_lock)

    async def met(self, override: bool, plan: Sequence[Planned[Any]]) -> Sequence[str]:
        """See `met_by`."""
        return await met_by(self.pool, self.lock(override), self.project_id, plan)

    @property
    def announce(self) -> Announce:
        """Tells Kafka what was saved."""
        from console.control.distributions import announcer

        return announcer(self.wiring)


@asynccontextmanager
async def session(*used: Server) -> AsyncIterator[Session]:
    """A session of a command that uses Postgres, and those servers. Raises TryLater, CannotStart."""
    wiring = load_wiring(*used)
    async with database(wiring) as pool:
        stored = await Accounts(pool).of_project(wiring.project)
        project = await stored_project(pool, wiring.settings, wiring.project)
        known = project.with_accounts((one.channel, one.name) for one in stored)
        yield Session(wiring, pool, known, stored, getpass.getuser(), utc_now())


def in_session(work: Callable[[Session], Awaitable[T]], *used: Server) -> T:
    """The answer of a use case; Postgres alone is needed where nothing else is named."""

    async def run() -> T:
        async with session(*(used or ("postgres",))) as opened:
            return await work(opened)

    return asyncio.run(run())
