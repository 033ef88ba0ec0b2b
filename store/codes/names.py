"""Codes that people take for one another: the same but for capitals, forms of a letter, or zeros in front.

They stand in a temporary table for the length of one transaction, so that the memory of a client is bounded however
many there are, and are compared with each other and with the codes of the project there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import asyncpg

from store.postgres import passing_errors
from store.sql import queries

_CHUNK_SIZE = 20_000
_SECONDS = 3600.0
"""For one comparison: it reads all codes of the project."""

Fold = Callable[[str], str]
"""The same text for codes that are alike."""


class CodeName(NamedTuple):
    """One code of a file by its line."""

    line: int
    code: str


class Alike(NamedTuple):
    """A code that is like another one: above it in the file, or in a campaign."""

    line: int
    code: str
    other: str
    campaign_id: str | None


class AlikeCodes(NamedTuple):
    """The number of doubles, and the first of them."""

    total: int
    first: tuple[Alike, ...]


async def alike_codes(
    pool: asyncpg.Pool, project_id: str, names: Iterable[CodeName], fold: Fold, *, name: int
) -> AlikeCodes:
    """Compare codes with each other and with the project's; at most `name` are named. Raises TryLater.

    `fold` takes ASCII as the statement `alike` does.
    """
    sql = queries("code_names")
    async with passing_errors(), pool.acquire() as connection, connection.transaction():
        await connection.execute(sql["make_names"])
        await connection.execute(sql["make_other_names"])
        is_ascii = True
        for chunk in _chunks(names):
            is_ascii = is_ascii and all(one.code.isascii() for one in chunk)
            records = [(line, code, fold(code)) for line, code in chunk]
            await connection.copy_records_to_table("code_names", records=records, timeout=_SECONDS)
        if not is_ascii:
            await _add_others(connection, project_id, fold)
        await connection.execute(sql["analyze_names"])
        rows = await connection.fetch(sql["alike"], project_id, name, timeout=_SECONDS)
    first = tuple(Alike(row["line"], row["code"], row["other"], row["campaign_id"]) for row in rows)
    return AlikeCodes(rows[0]["total"] if rows else 0, first)


async def _add_others(connection: asyncpg.Connection, project_id: str, fold: Fold) -> None:
    cursor = await connection.cursor(queries("code_names")["other_codes"], project_id)
    while rows := await cursor.fetch(_CHUNK_SIZE, timeout=_SECONDS):
        records = [(row["campaign_key"], row["code"], fold(row["code"])) for row in rows]
        await connection.copy_records_to_table("other_names", records=records, timeout=_SECONDS)


def _chunks(names: Iterable[CodeName]) -> Iterator[list[CodeName]]:
    left = iter(names)
    while chunk := list(islice(left, _CHUNK_SIZE)):
        yield chunk
