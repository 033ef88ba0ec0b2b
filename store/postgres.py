"""Connections to Postgres: to whichever host may be written to, and dropped once they are of no further use."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from schemas.errors import BadRecord, CannotStart, TryLater
from store.passing import cure_of

Pooler = Literal["auto", "transaction", "none"]
"""A pooler such as pgbouncer in between, whose servers change from transaction to transaction."""

_NOT_KEPT: dict[type[BaseException], str] = {
    asyncpg.CharacterNotInRepertoireError: "a text holds the character U+0000",
    asyncpg.UntranslatableCharacterError: "a text holds the character U+0000",
    asyncpg.NumericValueOutOfRangeError: "a number is too large for its column",
    asyncpg.DatetimeFieldOverflowError: "a time is out of the calendar's range",
    asyncpg.ProgramLimitExceededError: "a text is too long for an index: no id may have more than 2,700 bytes",
}
_OF_STATEMENTS = (asyncpg.StatementTooComplexError, asyncpg.TooManyColumnsError, asyncpg.TooManyArgumentsError)
"""Limits that no value meets: those are defects."""
_TRIES = 4
"""Of a transaction that met another with the same unique key, or in a ring of locks."""
_CONNECT_SECONDS = 15.0
_COMMAND_SECONDS = 30.0
_IDLE_SECONDS = 60.0
"""Connections at rest for so long are closed: firewalls and proxies forget them a few minutes later, without a word."""
_SOCKET_OPTIONS = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 20_000}
"""In seconds, but the last in milliseconds: a server that is gone without a word is noticed by them."""

T = TypeVar("T")
_WHAT = "Postgres"


@asynccontextmanager
async def passing_errors(pool: asyncpg.Pool | None = None) -> AsyncIterator[None]:
    """Turn errors that pass with time into TryLater, and values that no column holds into BadRecord.

    All others are defects and go through. After one that says so of its server, all connections of `pool` are replaced
    as they are needed.
    """
    try:
        yield
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:  # its message may hold the value
        if isinstance(error, _OF_STATEMENTS):
            raise
        raise BadRecord(f"Postgres cannot keep it: {_NOT_KEPT.get(type(error), type(error).__name__)}") from error
    except Exception as error:
        cure = cure_of(error)
        if cure is None:
            raise
        if cure == "reconnect" and pool is not None and not pool.is_closing():
            await pool.expire_connections()
        raise TryLater(f"Postgres: {_said(error)}", what=_WHAT) from error


async def transaction(
    pool: asyncpg.Pool, work: Callable[[asyncpg.Connection], Awaitable[T]], *, dry_run: bool = False
) -> T:
    """Do some work in a transaction, again where it met another one that took the same. Raises TryLater.

    Nothing is kept of a `dry_run`.
    """
    async with passing_errors(pool):
        for left in range(_TRIES - 1, -1, -1):
            try:
                async with _in_transaction(pool, dry_run=dry_run) as connection:
                    return await work(connection)
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                if not left:
                    raise
    raise AssertionError("unreachable")


class _TakenBack(Exception):
    """The end of a dry run."""


@asynccontextmanager
async def changing(pool: asyncpg.Pool, *, dry_run: bool = False) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction. Raises TryLater.

    Nothing is kept of a `dry_run`, which is done all the same: what comes of it is what would come.
    """
    async with passing_errors(pool), _in_transaction(pool, dry_run=dry_run) as connection:
        yield connection


@asynccontextmanager
async def _in_transaction(pool: asyncpg.Pool, *, dry_run: bool) -> AsyncIterator[asyncpg.Connection]:
    async with pool.acquire() as connection:
        with suppress(_TakenBack):
            async with connection.transaction():
                yield connection
                if dry_run:
                    raise _TakenBack


async def connect(dsn: str, *, size: int = 4, pooler: Pooler = "auto") -> asyncpg.Pool:
    """A pool. Raises TryLater where no server answers that can be written to, CannotStart where it refuses us."""
    hosts = _each_host(dsn)
    async with _refusals(dsn):
        is_pooled = pooler == "transaction" or (pooler == "auto" and await _is_pooled(hosts))
        options: dict[str, Any] = {"statement_cache_size": 0} if is_pooled else {}
        pool = await asyncpg.create_pool(
            connect=lambda _, **options: _connect_to_any(hosts, **options),
            min_size=0,  # asyncpg would keep more up by itself, with a traceback in the log whenever it cannot
            max_size=size,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            reset=_leave_as_it_is,
            **options,
        )
        try:
            async with pool.acquire():
                return pool
        except BaseException:
            pool.terminate()
            raise


async def finds_pooler(dsn: str) -> bool:
    """True where something answers in the server's place. Raises like `connect`."""
    async with _refusals(dsn):
        return await _is_pooled(_each_host(dsn))


async def _is_pooled(hosts: Sequence[str]) -> bool:
    """A pooler makes up the process that it names when it lets us in; the server itself knows its own."""
    connection = await _connect_to_any(
        hosts, timeout=_CONNECT_SECONDS, command_timeout=_CONNECT_SECONDS, statement_cache_size=0
    )
    try:
        return bool(await connection.fetchval("select pg_backend_pid()") != connection.get_server_pid())
    finally:
        connection.terminate()


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Nothing of ours outlasts a transaction: to put the session in order would be one statement more for each."""


async def _connect_to_any(hosts: Sequence[str], **options: Any) -> asyncpg.Connection:
    """The first host that can be written to; each has the whole time-out, so that a silent one does not use it up."""
    for number, host in enumerate(hosts, 1):
        try:
            connection = await asyncpg.connect(host, **_with_attributes(host), **options)
        except Exception as error:
            if cure_of(error) is None or number == len(hosts):
                raise
        else:
            _keep_alive(connection)
            return connection
    raise AssertionError("unreachable")


def _with_attributes(dsn: str) -> dict[str, SessionAttribute]:
    return {} if "target_session_attrs=" in dsn else {"target_session_attrs": SessionAttribute.read_write}


def _each_host(dsn: str) -> list[str]:
    """A connection string for each host of one that names several."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return [dsn]  # connecting says what is wrong with it
    login, at, hosts = parts.netloc.rpartition("@")
    if hosts:
        return [parts._replace(netloc=f"{login}{at}{host}").geturl() for host in hosts.split(",")]
    queries = _each_query(parts.query)
    return [dsn] if len(queries) == 1 else [parts._replace(query=query).geturl() for query in queries]


def _each_query(query: str) -> list[str]:
    """For hosts that are named behind the question mark, with a port for each or one for all."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    hosts, ports = options.get("host", "").split(","), options.get("port", "").split(",")
    if len(hosts) < 2 or len(ports) not in (1, len(hosts)):
        return [query]
    ports = ports if len(ports) == len(hosts) else ports * len(hosts)
    return [
        urlencode({**options, "host": host} | ({"port": port} if port else {}))
        for host, port in zip(hosts, ports, strict=True)
    ]


def _keep_alive(connection: asyncpg.Connection) -> None:
    """Have the system ask a silent server whether it is there, and give up what it does not confirm."""
    ours = connection._transport.get_extra_info("socket")
    if ours is None or ours.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with socket.socket(fileno=os.dup(ours.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _SOCKET_OPTIONS.items():
            if hasattr(socket, name):
                same.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@asynccontextmanager
async def _refusals(dsn: str) -> AsyncIterator[None]:
    """At a start, a server that does not let us in, or cannot be named, is for a person to mend."""
    try:
        yield
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise CannotStart(
            f"Postgres at {where(dsn)} refuses us: {_said(error)}. Check postgres.dsn or TIDINGS_POSTGRES"
        ) from error
    except ValueError as error:
        if cure_of(error):  # a certificate that is not to be trusted is a ValueError as well
            raise _away(dsn, error) from error
        raise CannotStart(
            "postgres.dsn cannot be read: it is like postgresql://user:password@host:5432/database, or"
            " names hosts as in host-1:5432,host-2:5432; special characters of a password are written as in %40 for @"
        ) from None
    except Exception as error:
        if cure_of(error) is None:
            raise
        raise _away(dsn, error) from error


def _away(dsn: str, error: BaseException) -> TryLater:
    return TryLater(f"Postgres at {where(dsn)} does not answer ({_said(error)})", what=_WHAT)


def _said(error: BaseException) -> str:
    """The kind of an error and its first line; what may follow quotes rows."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "no host can be written to: each is a standby, or is set to read only"
    return f"{type(error).__name__} {str(error).partition(chr(10))[0]}".strip()


def where(dsn: str) -> str:
    """Hosts, ports and database of a connection string, without user and password."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.netloc.rpartition('@')[2] or 'a local socket'}{parts.path}"


def storable(text: str) -> str:
    """A text of others, as a column takes it: neither U+0000 nor half a character, which it refuses."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
