"""Everything that a project's first message needs, as far as it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class FirstThings:
    """One of each, or not; `has_tested` of the distribution that was named."""

    has_account: bool
    has_template: bool
    has_customer: bool
    has_tested: bool
    has_message: bool


async def first_things(pool: asyncpg.Pool, project_id: str, distribution: str | None) -> FirstThings:
    """Those of a project. Raises TryLater while Postgres is away."""
    async with passing_errors(pool):
        row = await pool.fetchrow(queries("first_steps")["first_steps"], project_id, distribution)
    return FirstThings(**row)


async def new_projects(pool: asyncpg.Pool, project_ids: Sequence[str]) -> set[str]:
    """Of some projects those that have sent nothing yet, and have built something this week or never.

    Raises TryLater while Postgres is away.
    """
    async with passing_errors(pool):
        rows = await pool.fetch(queries("first_steps")["new_projects"], list(project_ids))
    return {row["project_id"] for row in rows}
