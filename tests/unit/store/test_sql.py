"""Statements that are put together of named parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from schemas.errors import BadRecord
from store import sql


def test_a_name_stands_for_the_block_of_that_name_without_its_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.sql").write_text(
        "-- name: part\n-- For both.\na = :inner\n\n-- name: inner\n-- One.\n$1::text\n"
        "\n-- name: whole\n-- All.\nselect :part, :other, b::part\n"
    )
    monkeypatch.setattr(sql, "FOLDER", tmp_path)
    sql.queries.cache_clear()
    whole = sql.queries("x")["whole"]
    sql.queries.cache_clear()
    assert whole == "-- All.\nselect a = $1::text, :other, b::part"
    assert sql.with_parts(whole, {"other": "-- Said later.\nc"}).endswith("select a = $1::text, c, b::part")


@pytest.mark.parametrize("file", sorted(one.stem for one in sql.FOLDER.glob("*.sql")))
def test_no_statement_names_a_part_that_is_not_there(file: str) -> None:
    for name, block in sql.queries(file).items():
        bare = "\n".join(line for line in block.splitlines() if not line.startswith("--"))
        left = set(sql._NAME.findall(bare)) - {"within", "in_the_way", "suppression", "choice", "found_by"}
        assert not left, f"{file}.{name}"


def test_no_two_migrations_have_one_number() -> None:
    numbers = [file.name.partition("_")[0] for file in (sql.FOLDER.parent / "migrations").glob("*.sql")]
    assert sorted(numbers) == sorted(set(numbers))


def test_statements_go_together_each_with_its_own_arguments() -> None:
    add, move = "insert into a values ($1, $2)", "update b set x = $2, y = $1 where z = $10;"
    statement, arguments = sql.together([(add, (1, 2)), (move, tuple("abcdefghij"))])
    assert statement == (
        "with did_0 as (\ninsert into a values ($1, $2)\n), "
        "did_1 as (\nupdate b set x = $4, y = $3 where z = $12\n) select"
    )
    assert arguments == [1, 2, *"abcdefghij"]


def test_texts_go_as_one_which_none_of_them_can_take_apart_elsewhere() -> None:
    assert sql.joined(["c1", "ż, {}", ""]) == "\x1fc1\x1fż, {}\x1f"
    assert sql.joined([""]) == "\x1f"
    assert sql.joined([]) == "", "of which string_to_array makes an empty array"
    for texts in (["a\x1fb"], ["a", "b\x1f"], ["", "\x1f"]):
        with pytest.raises(BadRecord, match="U\\+001F"):
            sql.joined(texts)


def test_numbers_and_yes_and_no_go_as_the_text_of_an_array() -> None:
    assert sql.listed([1, -2, 2**63 - 1]) == "{1,-2,9223372036854775807}"
    assert sql.listed([True, False]) == "{True,False}"
    assert sql.listed([]) == "{}"


def test_moments_go_as_the_text_of_an_array() -> None:
    noon = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
    there = noon.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert sql.moments([noon, noon, None, None, there]) == (
        "{2026-03-01T12:00:00.000005+00:00,2026-03-01T12:00:00.000005+00:00,NULL,NULL,2026-03-01T17:45:00.000005+05:45}"
    )
    assert sql.moments([None, noon.replace(microsecond=0)]) == "{NULL,2026-03-01T12:00:00+00:00}"
    assert sql.moments([]) == "{}"
