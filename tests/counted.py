"""Counts of recorded rows held against the rows themselves, counted one by one."""

from __future__ import annotations

from typing import Any

import asyncpg

_KEY = "day, project_id, distribution_id, minute, send_id, outcome, reason, channel, arm"
_ROWS = """
select day, project_id, distribution_id, date_trunc('minute', coalesce(due_at, event_at), 'UTC') as minute,
       coalesce(send_id, '') as send_id, outcome, coalesce(reason, '') as reason, coalesce(channel, '') as channel,
       coalesce(arm, '') as arm
from {table}"""
_DIFFERING = """
with brute as (select {key}, count(*)::bigint as count from ({rows}) as r group by {key}),
     kept as (select {key}, sum(count)::bigint as count from {table}_by_minute group by {key} having sum(count) <> 0)
(table brute except table kept) union all (table kept except table brute)"""


async def differing(pool: asyncpg.Pool) -> list[tuple[Any, ...]]:
    """Counts that are not those of the rows, either way; empty where they are exact."""
    found: list[tuple[Any, ...]] = []
    for table in ("recorded_decisions", "recorded_statuses"):
        sql = _DIFFERING.format(key=_KEY, rows=_ROWS.format(table=table), table=table)
        found += [tuple(row) for row in await pool.fetch(sql)]
    return found
