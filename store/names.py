"""The names of a project's things: what people look for, without what they say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import asyncpg

from store.postgres import passing_errors
from store.sql import queries

NamedKind = Literal["distribution", "segment", "template", "campaign"]
NAMED_KINDS: tuple[NamedKind, ...] = get_args(NamedKind)


@dataclass(frozen=True, slots=True)
class Named:
    """A thing with a name, which is its id where nobody gave it another; `status` is that of a distribution."""

    kind: NamedKind
    id: str
    name: str
    status: str | None = None


async def named(pool: asyncpg.Pool, project_id: str, kinds: Collection[NamedKind]) -> list[Named]:
    """All things of a project of some kinds, in the order of their ids. Raises TryLater."""
    async with passing_errors(pool):
        rows = await pool.fetch(queries("names")["named"], project_id, list(kinds))
    return [Named(row["kind"], row["id"], row["name"] or row["id"], row["status"]) for row in rows]
