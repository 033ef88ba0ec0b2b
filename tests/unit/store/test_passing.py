"""Errors of Postgres: which are waited out, over which connection, and which are defects."""

from __future__ import annotations

import socket
import ssl

import asyncpg
import pytest

from agents.waiting import Waits, retry_until_available
from schemas.errors import CannotStart, TryLater
from store.passing import cure_of
from store.postgres import _each_host, connect, passing_errors

STATES = {
    "reconnect": [
        "08000", "08003", "08006", "08P01", "25006", "25P03", "26000", "28000", "28P01", "3D000", "53300", "57P01",
        "57P02", "57P03", "57P05", "58030", "XX000",
    ],
    "again": ["40001", "40P01", "53100", "53200", "53400", "55006", "55P03", "57014"],
    None: ["22021", "22P02", "23505", "23503", "25P02", "40002", "42601", "42P01", "42703", "0A000", "XX001"],
}  # fmt: skip


def said_by_server(state: str) -> asyncpg.PostgresError:
    error: asyncpg.PostgresError = asyncpg.PostgresError.new({"S": "ERROR", "C": state, "M": "so\nDETAIL: a row"})
    return error


@pytest.mark.parametrize(("cure", "state"), [(cure, state) for cure, states in STATES.items() for state in states])
def test_the_server_says_by_its_codes_what_passes(cure: str | None, state: str) -> None:
    assert cure_of(said_by_server(state)) == cure


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(), ConnectionResetError(), BrokenPipeError(), TimeoutError(), socket.gaierror(),
        ssl.SSLCertVerificationError(), EOFError(), asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError(), asyncpg.TargetServerAttributeNotMatched(),
        asyncpg.InvalidCachedStatementError(),
    ],
)  # fmt: skip
def test_a_connection_that_is_lost_is_made_again(error: Exception) -> None:
    assert cure_of(error) == "reconnect"


@pytest.mark.parametrize("error", [ValueError(), KeyError(), asyncpg.DataError("not a number")])
def test_what_was_handed_over_wrongly_does_not_pass(error: Exception) -> None:
    assert cure_of(error) is None


async def test_what_is_said_of_it_quotes_no_rows() -> None:
    with pytest.raises(TryLater, match="so$"):
        async with passing_errors():
            raise said_by_server("40001")


async def test_whoever_waits_for_more_than_one_server_says_that_it_is_this_one() -> None:
    waits, looked = Waits(), list[str]()

    async def work() -> None:
        looked.extend(waits.what())
        if not looked:
            async with passing_errors():
                raise ConnectionResetError

    await retry_until_available(work, what="Postgres or Kafka", waits=waits)
    assert looked == ["Postgres"]


@pytest.mark.parametrize(
    "dsn", ["localhost/x", "postgresql://u:hush#1@h/x", "postgresql://u:hush@h:port/x", "http://h"]
)
async def test_an_address_that_cannot_be_read_is_said_without_it(dsn: str) -> None:
    with pytest.raises(CannotStart, match=r"postgres\.dsn") as caught:
        await connect(dsn)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://u:p%40@h/x", ["postgresql://u:p%40@h/x"]),
        ("postgresql://u:p@a:1,b:2/x?y=z", ["postgresql://u:p@a:1/x?y=z", "postgresql://u:p@b:2/x?y=z"]),
        ("postgresql://a,b/x", ["postgresql://a/x", "postgresql://b/x"]),
        ("postgresql:///x?host=a,b&port=1,2", ["postgresql:/x?host=a&port=1", "postgresql:/x?host=b&port=2"]),
        ("postgresql:///x?host=a,b&port=1", ["postgresql:/x?host=a&port=1", "postgresql:/x?host=b&port=1"]),
        ("postgresql://u:p@/x?host=a,b", ["postgresql://u:p@/x?host=a", "postgresql://u:p@/x?host=b"]),
        ("postgresql:///x?host=/var/run", ["postgresql:///x?host=/var/run"]),
    ],
)  # fmt: skip
def test_each_host_of_an_address_is_tried_by_itself(dsn: str, hosts: list[str]) -> None:
    assert _each_host(dsn) == hosts
