"""What a command works on: settings with the servers that answer, and connections to them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import asyncpg

from agents.wiring import Wiring
from deploy.embedded.servers import Endpoints, Servers
from deploy.secret import Secret
from deploy.settings.settings import Settings, load_settings
from schemas.errors import CannotStart
from store.migrate import migrate
from store.postgres import connect

Server = Literal["kafka", "postgres"]
"""What a command may need the address of."""
SERVERS: tuple[Server, ...] = get_args(Server)
_NAMES: dict[Server, str] = {"kafka": "Kafka", "postgres": "Postgres"}


def read_settings() -> Settings:
    """Settings of this process, completed with the embedded servers of its data folder where they run."""
    settings = load_settings(os.environ)
    if settings.kafka.bootstrap and settings.postgres.dsn.reveal():
        return settings
    running = embedded(settings).running()
    return with_endpoints(settings, running) if running else settings


def embedded(settings: Settings) -> Servers:
    """The embedded servers of the settings' data folder, running or not."""
    return Servers(Path(settings.data), os.environ)


def with_endpoints(settings: Settings, endpoints: Endpoints) -> Settings:
    """Settings in which addresses that were left open are those of the embedded servers."""
    kafka, postgres = settings.kafka, settings.postgres
    if not kafka.bootstrap:
        kafka = replace(kafka, bootstrap=endpoints.kafka)
    if not postgres.dsn.reveal():
        postgres = replace(postgres, dsn=Secret(endpoints.postgres))
    return replace(settings, kafka=kafka, postgres=postgres)


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
    return Wiring(settings)


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
