"""The names of a project's things: what people look for, without what they say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import asyncpg

from schemas.formats.search_keys import folded
from store.postgres import passing_errors
from store.sql import queries

NamedKind = Literal["distribution", "segment", "template", "campaign"]
NAMED_KINDS: tuple[NamedKind, ...] = get_args(NamedKind)
_LITERAL = str.maketrans({letter: f"\\{letter}" for letter in "\\%_"})
"""Letters that mean something in a pattern, as themselves."""


@dataclass(frozen=True, slots=True)
class Named:
    """A thing with a name, which is its id where nobody gave it another; `status` is that of a distribution."""

    kind: NamedKind
    id: str
    name: str
    status: str | None = None


@dataclass(frozen=True, slots=True)
class NamesFound:
    """The first of those of a kind, and how many there are."""

    first: Sequence[Named]
    number: int


async def find_names(
    pool: asyncpg.Pool, project_id: str, kinds: Collection[NamedKind], sought: Sequence[str], most: int
) -> Mapping[NamedKind, NamesFound]:
    """Things of some kinds in whose names or ids all folded words are, at most so many of a kind. Raises TryLater.

    The order is that of `console.control.search.rank_of`, then of their ids. Of a kind that is not there none fits.
    """
    words = [one.translate(_LITERAL) for one in sought]
    within, begun = [f"%{one}%" for one in words], [f"% {one}%" for one in words]
    sql = queries("names")
    async with passing_errors(pool):
        await _make_keys(pool, project_id)
        rows = await pool.fetch(sql["find_names"], project_id, list(kinds), " ".join(sought), within, begun, most)
    found: dict[NamedKind, NamesFound] = {}
    for kind in NAMED_KINDS:
        mine = [row for row in rows if row["kind"] == kind]
        if mine:
            named = [Named(kind, row["id"], row["name"], row["status"]) for row in mine]
            found[kind] = NamesFound(named, mine[0]["number"])
    return found


async def _make_keys(pool: asyncpg.Pool, project_id: str) -> None:
    """Make the keys of things that came, or got another name, since somebody searched last."""
    sql = queries("names")
    if not await pool.fetchval(sql["lacks_name_keys"], project_id):
        return
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(sql["make_name_keys_alone"], project_id)
        rows = await connection.fetch(sql["names_without_keys"], project_id)
        kinds, ids = ([row[column] for row in rows] for column in ("kind", "id"))
        keys = [[folded(row[column]) or "" for row in rows] for column in ("name", "id")]
        await connection.execute(sql["keep_name_keys"], project_id, kinds, ids, *keys)
