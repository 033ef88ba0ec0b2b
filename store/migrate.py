"""Brings a database to the schema that this version needs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import asyncpg

from schemas.errors import CannotStart
from store.postgres import passing_errors

FOLDER = Path(__file__).parent / "migrations"

_LOCK = 0x71D1465
"""Any fixed number: workers that start together migrate one after the other."""
_SECONDS = 3600.0
"""A file may rewrite a large table: ten million publications in about a minute."""

_BOOK = """
create table if not exists migrations (
    name text primary key, digest text not null, applied_at timestamptz not null default now()
)
"""


async def migrate(pool: asyncpg.Pool, default_project: str) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; returns the names applied.

    `default_project` is kept where no project is yet, and has to be that one ever after: keys of ids alone are its.

    Each transaction has its own lock and look, since behind a pooler nothing lasts longer. Raises TryLater; CannotStart
    where the database is newer than this version, an applied file has been changed since, we may not create tables, or
    the default project is another.
    """
    files = {file.stem: file.read_text() for file in sorted(FOLDER.glob("*.sql"))}
    names: list[str] = []
    try:
        async with passing_errors(pool), pool.acquire() as connection:
            if await _missing(connection, files):
                while name := await _apply_next(connection, files, default_project):
                    names.append(name)
            if kept := await _default_project(connection):
                _check_project(kept, default_project)
    except asyncpg.InsufficientPrivilegeError as error:
        raise CannotStart(
            f"the database does not let us create what we need: {error}. Have its owner run:"
            " grant usage, create on schema public to the user of postgres.dsn"
        ) from error
    return names


async def _apply_next(connection: asyncpg.Connection, files: dict[str, str], default_project: str) -> str | None:
    """Apply the first file that is missing while nobody else does; its name."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK, timeout=_SECONDS)
        await connection.execute(_BOOK)
        name = next(iter(await _missing(connection, files)), None)
        if name is not None:
            await connection.execute("select set_config('tidings.default_project', $1, true)", default_project)
            await connection.execute(files[name], timeout=_SECONDS)
            await connection.execute(
                "insert into migrations (name, digest) values ($1, $2)", name, _digest(files[name])
            )
    return name


async def _missing(connection: asyncpg.Connection, files: dict[str, str]) -> list[str]:
    if await connection.fetchval("select to_regclass('migrations')") is None:
        return list(files)
    applied = {row["name"]: row["digest"] for row in await connection.fetch("select name, digest from migrations")}
    _check(applied, files)
    return [name for name in files if name not in applied]


def _check(applied: dict[str, str], files: dict[str, str]) -> None:
    unknown = sorted(applied.keys() - files.keys())
    if unknown:
        raise CannotStart(f"the database is newer than this version (it has {', '.join(unknown)}); use a newer tidings")
    changed = sorted(name for name, digest in applied.items() if digest != _digest(files[name]))
    if changed:
        raise CannotStart(f"migrations differ from those applied: {', '.join(changed)}; restore the files as released")


async def _default_project(connection: asyncpg.Connection) -> str | None:
    """That of the deployment; None where a release before there was one is being upgraded."""
    if await connection.fetchval("select to_regclass('deployment')") is None:
        return None
    kept: str = await connection.fetchval("select default_project from deployment")
    return kept


def _check_project(kept: str, default_project: str) -> None:
    if kept != default_project:
        raise CannotStart(
            f'project_id is "{default_project}", but the default project of this database is "{kept}", whose keys are '
            f'ids alone: set project_id = "{kept}" (TIDINGS_PROJECT_ID={kept}), and name the other one with '
            "--project; or use a database and a topics.prefix of its own"
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
