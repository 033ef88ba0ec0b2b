"""One list of what is kept of customers, for erasures and exports, held against the tables that there are."""

from __future__ import annotations

import re

import asyncpg
import pytest

from schemas.customer_export import SECTIONS as TYPES
from store.customer_data import KEPT, NOTED, NOTHING_OF_CUSTOMERS, RECORDED, SECTIONS, Kept
from store.sql import queries

LISTED = [table for one in KEPT for table in one.tables]
OF_KAFKA = {"recent_sends", "dead_letters"}
"""Sections that topics are read for."""


async def tables(pool: asyncpg.Pool) -> set[str]:
    rows = await pool.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and not relispartition"
    )
    return {row["relname"] for row in rows}


async def test_every_table_is_in_the_list_or_said_to_have_nothing_of_customers(pool: asyncpg.Pool) -> None:
    named = [*LISTED, *NOTHING_OF_CUSTOMERS]
    assert len(named) == len(set(named))
    assert await tables(pool) == set(named)


async def test_a_table_with_a_column_of_customers_is_in_the_list(pool: asyncpg.Pool) -> None:
    rows = await pool.fetch(
        "select distinct table_name from information_schema.columns where table_schema = 'public'"
        " and column_name ~ 'customer|address|profile|email|phone'"
    )
    found = {row["table_name"] for row in rows} & await tables(pool)
    assert len(found) > 10
    assert found - {*LISTED} == {"api_failures", "users"}, "networks, and people who sign in"


def uses(block: str, table: str) -> bool:
    return (
        re.search(rf"\b{table}\b", "\n".join(one for one in block.splitlines() if not one.startswith("--"))) is not None
    )


@pytest.mark.parametrize("kept", KEPT, ids=lambda one: one.tables[0])
def test_what_is_listed_is_taken_away_or_said_to_stay(kept: Kept) -> None:
    named = [("erasure", name) for name in (*kept.noted, *kept.recorded)]
    named += [(file, name) for file, _, name in (one.partition(".") for one in kept.elsewhere)]
    blocks = [queries(file)[name] for file, name in named]
    assert blocks or kept.stays
    for block in blocks:
        assert any(uses(block, table) for table in kept.tables)
        assert re.search(r"\b(?:update|delete from)\b", block)


@pytest.mark.parametrize("kept", [one for one in KEPT if one.section], ids=lambda one: one.section)
async def test_what_is_exported_is_read_from_its_tables(pool: asyncpg.Pool, kept: Kept) -> None:
    block = queries("export")[kept.section]
    known = {table: ("deliveries" if table.endswith("_deliveries") else table) for table in kept.tables}
    assert all(uses(block, name) for name in known.values())
    async with pool.acquire() as connection:
        columns = {one.name for one in (await connection.prepare(block)).get_attributes()}
    made_here = {"event"} if kept.section == "holds" else set()
    assert columns | made_here == {*TYPES[kept.section].__struct_fields__}


def test_each_section_has_one_block_and_each_block_of_an_erasure_one_place() -> None:
    assert queries("export").keys() == {*SECTIONS}
    assert TYPES.keys() == {*SECTIONS} | OF_KAFKA
    run = [*NOTED, *RECORDED, *(one.partition(".")[2] for kept in KEPT for one in kept.elsewhere if "erasure." in one)]
    assert len(run) == len(set(run))
    writes = {
        name for name, block in queries("erasure").items() if re.match(r"(?:--.*\n)*(?:update|delete|with)", block)
    }
    assert writes == {*run}
