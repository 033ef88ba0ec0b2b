"""The suppression list in Postgres: nothing on it is ever shortened, and each project has its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from console.control import suppressions as control
from console.control.files.suppression_file import SuppressionFile
from schemas.errors import DefinitionInvalid, TidingsError
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


async def test_an_exported_list_comes_back_as_it_was(pool: asyncpg.Pool, tmp_path: Path) -> None:
    listed, file = Suppressions(pool), tmp_path / "list.csv"
    await listed.add(
        [new("b@shop.example", expires_at=LATER, channel="email", source='a, "b"'), new(), new("*.x.example")]
    )
    before = [one async for one in listed.all("shop")]
    file.write_text("".join([line async for line in control.export(listed, "shop")]))
    assert await control.import_entries(listed, opened(file)) == control.Imported(3, 0)
    await pool.execute("truncate suppressions")
    assert await control.import_entries(listed, opened(file)) == control.Imported(3, 3)
    assert [one async for one in listed.all("shop")] == before


async def test_a_file_with_a_wrong_line_changes_nothing(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("key\na@b.example\nnobody\n")
    with pytest.raises(DefinitionInvalid):
        await control.import_entries(Suppressions(pool), opened(file))
    assert [one async for one in Suppressions(pool).all("shop")] == []


async def test_use_cases_say_what_covers_an_address(pool: asyncpg.Pool) -> None:
    listed = Suppressions(pool)
    added = await control.add(listed, new("", lasts=timedelta(days=1)), ["*.Shop.example", "a.shop.example"])
    assert added == 2
    for written in ("Ann@A.shop.example", "a.shop.example"):
        found = await control.covering(listed, "shop", written)
        assert [one.key for one in found] == ["*.shop.example", "a.shop.example"]
    with pytest.raises(TidingsError, match=r"ann@a.shop.example is not suppressed. What covers it: \*.shop.example"):
        await control.remove(listed, "shop", "ann@a.shop.example", None)
    assert await control.remove(listed, "shop", "a.shop.example", None) == 1
    with pytest.raises(TidingsError, match="single label"):
        await control.add(listed, new(), ["com"])


def opened(file: Path) -> SuppressionFile:
    return SuppressionFile(file, project_id="shop", reason="other", actor="ann")
