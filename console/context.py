"""What a command works on: settings with the servers that answer, and connections to them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg

from agents.wiring import Wiring
from deploy.embedded.servers import Endpoints, Servers
from deploy.secret import Secret
from deploy.settings import Settings, load_settings
from schemas.errors import CannotStart
from store.migrate import migrate
from store.postgres import connect


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


def wiring() -> Wiring:
    """The wiring of a command. Raises CannotStart where no servers are known."""
    settings = read_settings()
    if not settings.kafka.bootstrap:
        raise CannotStart("no Kafka: start one with `tidings up`, or name yours in TIDINGS_KAFKA")
    if not settings.postgres.dsn.reveal():
        raise CannotStart("no Postgres: start one with `tidings up`, or name yours in TIDINGS_POSTGRES")
    return Wiring(settings)


@asynccontextmanager
async def database(wired: Wiring) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a database that has the current schema. Raises TryLater, CannotStart."""
    pool = await connect(wired.settings.postgres.dsn.reveal(), size=2)
    try:
        await migrate(pool)
        yield pool
    finally:
        await pool.close()
