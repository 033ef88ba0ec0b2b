"""A file of suppressions is read as it is meant, or refused with the line and what would be right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.control.files.csv_file import from_cell, to_cell
from console.control.files.suppression_file import COLUMNS, SuppressionFile, columns_of, csv_line
from schemas.errors import DefinitionInvalid
from schemas.suppression import NewSuppression, Suppression

AT = datetime(2026, 11, 20, 8, 0, 0, 5, tzinfo=UTC)


def opened(file: Path, content: bytes) -> SuppressionFile:
    file.write_bytes(content)
    return SuppressionFile(file, project_id="shop", reason="other", actor="ann")


def read(file: Path, content: bytes) -> list[NewSuppression]:
    looking = opened(file, content)
    assert looking.check() == len(list(looking.entries()))
    return list(looking.entries())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "left.csv"


@pytest.mark.parametrize(
    "content",
    [
        b"key\nAnn@Shop.example\n*.spam.example\n",
        b"key\r\nAnn@Shop.example\r\n*.spam.example\r\n",
        b"\xef\xbb\xbfkey\n\nAnn@Shop.example\n*.spam.example",
        b'"key"\n"Ann@Shop.example"\n"*.spam.example"\n',
        b"source,key\n,Ann@Shop.example \n,*.spam.example\n",
    ],
)
def test_a_file_is_read_however_it_was_saved(file: Path, content: bytes) -> None:
    found = read(file, content)
    assert [one.key for one in found] == ["ann@shop.example", "*.spam.example"]
    assert {(one.reason, one.source, one.channel, one.expires_at, one.added_by) for one in found} == {
        ("other", "left.csv", None, None, "ann")
    }


def test_every_column_is_read_and_written_again(file: Path) -> None:
    entry = Suppression("ann@shop.example", "email", "complained", 'a, "b"\nc', AT, AT, "bob")
    (found,) = read(file, (csv_line(COLUMNS) + csv_line(columns_of(entry))).encode())
    assert (found.key, found.channel, found.reason, found.source) == (entry.key, "email", "complained", entry.source)
    assert (found.expires_at, found.added_at, found.added_by) == (AT, AT, "bob")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-1+1", "'-1+1"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("\tx", "'\tx"),
        ("'=1", "''=1"),
        ("+48600100200", "+48600100200"),
        ("o'neil", "o'neil"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_a_field_is_no_formula_and_comes_back_as_it_was(text: str, cell: str) -> None:
    assert (to_cell(text), from_cell(cell)) == (cell, text)


def test_what_a_spreadsheet_would_work_out_is_written_as_text(file: Path) -> None:
    entry = Suppression("=1+1@shop.example", "email", "other", "=HYPERLINK(1)", None, AT, "@bob")
    line = csv_line(columns_of(entry))
    assert line.startswith("'=1+1@shop.example,email,other,'=HYPERLINK(1),")
    (found,) = read(file, (csv_line(COLUMNS) + line).encode())
    assert (found.key, found.source, found.added_by) == (entry.key, entry.source, entry.added_by)


def test_a_day_holds_through_it(file: Path) -> None:
    (found,) = read(file, b"key,expires_at\na@b.example,2026-12-24\n")
    assert found.expires_at == datetime(2026, 12, 24, 23, 59, 59, 999_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"email\na@b.example\n", ':1: the first line names the columns, and "key" is not among them'),
        (b"key;channel\na@b.example;email\n", ":1: separates the fields by semicolons"),
        (b"key,chanel\n", 'Did you mean "channel"?'),
        (b"key\na@b.example\nnobody\n", ':3: key: "nobody" is not valid: a single label'),
        (b"key,channel\na@b.example,emial\n", ':2: channel: "emial" is not valid: must be one of webhook, email'),
        (b"key,channel\na@b.example,emial\n", 'Did you mean "email"?'),
        (b"key,reason\na@b.example,bounce\n", 'Did you mean "bounced"?'),
        (b"key,expires_at\na@b.example,soon\n", ':2: expires_at: "soon" is not valid: must be a date or a moment'),
        (b"key,channel\na@b.example\n", ":2: has 1 fields where the first line names 2"),
        (b"key\n\xff@b.example\n", ":2: byte 4 (0xFF) is not UTF-8"),
        (b"key\n" + b"nobody\n" * 30, "20 more lines are wrong"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(file: Path, content: bytes, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        read(file, content)
    assert said in str(refused.value)
