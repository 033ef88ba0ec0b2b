"""The suppression list in Postgres: nothing on it is ever shortened, and each project has its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from schemas.suppression import NewSuppression, key_hash
from store.sending.suppressions import Suppressions

LATER = datetime(2999, 1, 1, tzinfo=UTC)
LATER_STILL = datetime(3000, 1, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def new(key: str = "ann@shop.example", **fields: Any) -> NewSuppression:
    return NewSuppression(
        **{"project_id": "shop", "key": key, "reason": "bounced", "source": "s", "added_by": "ann"} | fields
    )


@pytest.mark.parametrize(
    ("there", "added", "changes", "kept"),
    [
        (None, None, False, None),
        (None, LATER, False, None),
        (LATER, None, True, None),
        (LATER, LATER, False, LATER),
        (LATER, PAST, False, LATER),
        (LATER, LATER_STILL, True, LATER_STILL),
        (PAST, LATER, True, LATER),
    ],
)
async def test_an_entry_gives_way_only_to_what_lasts_longer(
    pool: asyncpg.Pool, there: datetime | None, added: datetime | None, changes: bool, kept: datetime | None
) -> None:
    listed = Suppressions(pool)
    assert await listed.add([new(expires_at=there)]) == 1
    assert await listed.add([new(expires_at=added, reason="complained")]) == int(changes)
    (found,) = await listed.find("shop", ["ann@shop.example"])
    assert (found.expires_at, found.reason) == (kept, "complained" if changes else "bounced")


async def test_an_entry_is_of_its_project_and_its_channel(pool: asyncpg.Pool) -> None:
    listed = Suppressions(pool)
    entries = [new(), new(channel="email"), new(project_id="outlet"), new("*.shop.example", lasts=timedelta(days=30))]
    assert await listed.add([*entries, *entries]) == 4
    assert await listed.add([]) == 0
    found = [(one.key, one.channel) async for one in listed.all("shop")]
    assert found == [("*.shop.example", None), ("ann@shop.example", None), ("ann@shop.example", "email")]
    assert await listed.remove("shop", "ann@shop.example", "webhook") == 0
    assert await listed.remove("shop", "ann@shop.example", "email") == 1
    assert await listed.remove("shop", "ann@shop.example") == 1
    assert [one.key async for one in listed.all("outlet")] == ["ann@shop.example"]


async def test_the_database_hashes_as_we_do(pool: asyncpg.Pool) -> None:
    said = await pool.fetchval("select encode(substr(sha256(convert_to($1, 'UTF8')), 1, 16), 'hex')", "a@b.example")
    assert said == key_hash("a@b.example")
