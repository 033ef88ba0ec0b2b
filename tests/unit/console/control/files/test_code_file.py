"""A file of codes is read as it is meant, or refused with the line and what would be right."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from console.control.files.code_check import Checked, FileCheck, folded
from console.control.files.code_file import CodeFile
from console.control.files.code_row import RowReader
from schemas.errors import DefinitionInvalid, Problem
from store.codes.imports import NewCode

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def check(file: Path, content: bytes, *, zone: str = "UTC", as_written: bool = False) -> Checked:
    file.write_bytes(content)
    reader = RowReader(ZoneInfo(zone), as_written=as_written)
    looking = FileCheck(CodeFile(file, reader), NOW)
    for _ in looking.names():
        pass
    return looking.result()


def read(file: Path, content: bytes, *, zone: str = "UTC") -> list[NewCode]:
    checked = check(file, content, zone=zone)
    found = list(CodeFile(file, RowReader(ZoneInfo(zone))).codes())
    assert len(found) == checked.rows
    return found


def problems(file: Path, content: bytes) -> tuple[Problem, ...]:
    with pytest.raises(DefinitionInvalid) as refused:
        read(file, content)
    return refused.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "codes.csv"


def test_every_column_is_read(file: Path) -> None:
    text = (
        "code,active,start_date,expiration_date,value,metadata.region,metadata.note\n"
        'A-1,false,2026-11-20,2026-12-20T09:00:00+01:00,500,PL,"one, ""two""\nthree"\n'
        "ß-2,,,,,,\n"
    )
    first, second = read(file, text.encode())
    start, end = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 12, 20, 8, tzinfo=UTC)
    own = '{"region":"PL","note":"one, \\"two\\"\\nthree"}'
    assert first == NewCode(2, "A-1", False, start, end, 500, own)
    assert second == NewCode(4, "ß-2", True, None, None, None, "{}")


@pytest.mark.parametrize(
    "content",
    [
        b"code\nA\nB\n",
        b"code\r\nA\r\nB\r\n",
        b"\xef\xbb\xbfcode\nA\nB",
        b'"code"\n"A"\n\n"B"\n',
        b" active , code \nyes,A\n1,B\n",
    ],
)
def test_a_mark_line_ends_quotes_and_empty_lines_make_no_difference(file: Path, content: bytes) -> None:
    assert [one.code for one in read(file, content)] == ["A", "B"]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, '"code" is not among them'),
        (b"code\n", 1, "has no codes below"),
        (b"A\nB\n", 1, '"code" is not among them'),
        (b"code;active\nA;true\n", 1, "separated by commas"),
        (b"cod,active\nA,true\n", 1, '"code" is not among them'),
        (b"code,actve\nA,true\n", 1, "Did you mean \"active\"?"),
        (b"code,metadata.\nA,x\n", 1, '"metadata." is not a column'),
        (b"code,active,code\nA,,B\n", 1, "stands there twice"),
        (b"code\nA\n\"\"\n", 3, "code is blank"),
        (b"code,active\nA,true\n  ,true\n", 3, "code is blank"),
        (b"code,active\nA\n", 2, "has 1 fields where the first line names 2"),
        (b"code\nA,B\n", 2, "has 2 fields where the first line names 1"),
        (b"code\n A\n", 2, "begins or ends with a space"),
        (b"code\nA\tB\n", 2, "cannot be printed"),
        (b"code\n" + b"A" * 257, 2, "has 257 characters; at most 256"),
        (b"code,active\nA,maybe\n", 2, 'active: "maybe" is not valid: must be true or false'),
        (b"code,start_date\nA,20.11.2026\n", 2, "must be a date, as in"),
        (b"code,expiration_date\nA,46387\n", 2, "must be a date, as in"),
        (b"code,expiration_date\r\nA1,2026-12-31\r\nA2 ,31.12.2026\r\n", 3, "ends with a space"),
        (b"code,value\nA,\"1,000\"\n", 2, "must be a whole number from 0"),
        (b"code,value\nA,5.00\n", 2, "must be a whole number from 0"),
        ("code\nA\u00a0\n".encode(), 2, "ends with a space (U+00A0 NO-BREAK SPACE)"),
        ("code\nA\u00a0B\n".encode(), 2, "cannot be printed (U+00A0 NO-BREAK SPACE)"),
        ("code\nA\u200bB\n".encode(), 2, "(U+200B ZERO WIDTH SPACE)"),
        ("\ufeffcode;expiration_date\r\nA1;2026-12-31\r\n".encode(), 1, "by semicolons; they are separated by comma"),
        (b"code\texpiration_date\nA1\t2026-12-31\n", 1, "by tabs; they are separated by commas"),
        (b"code|value\nA1|5\n", 1, "by bars; they are separated by commas"),
        (b"sep=;\ncode;value\nA1;5\n", 1, "is a note for spreadsheets"),
        (b"code\nA1;2026-12-31\n", 2, "holds a semicolon"),
        (b'code,value\n"A\n' + b'\n",1,"' * 1_000_000, 699052, "a quote is not closed"),
        (b"code,start_date,expiration_date\nA,2026-11-20,2026-11-19\n", 2, "is not after start_date"),
        (b"code,value\nA,-5\n", 2, "must be a whole number from 0"),
        (b'code\n"A"B\n', 2, "cannot be read as CSV"),
        (b'code\nA\n"B\nC\nD\n', 3, "cannot be read as CSV"),
        (b"code\rA\rB\r", 1, "ends with CR alone"),
        (b'"code";"value"\n"A";"1"\n', 1, "by semicolons"),
        (b"Code;Value\nA;1\n", 1, "by semicolons"),
        (b"CODE\tactive\nA\ttrue\n", 1, "by tabs"),
        (b"code\n" + b"A" * (2 << 20), 2, "longer than a megabyte"),
        ("code\nA\n".encode("utf-16"), 1, "is UTF-16, as the mark at byte 0 says"),
        ("\ufeffcode\nA\n".encode("utf-16-be"), 1, "is UTF-16, as the mark"),
        ("code\nA\n".encode("utf-32"), 1, "is UTF-32, as the mark"),
        ("code\nA\n".encode("utf-16-le"), 1, "byte 1 is zero: it looks like UTF-16"),
        ("code\nA\nÉ\n".encode("latin-1"), 3, "byte 7 (0xC9) is not UTF-8; it may be latin-1"),
        (b"\xef\xbb\xbfcode\nA\xe9\n", 2, "byte 9 (0xE9)"),
        (b"code\nA\0B\n", 2, "byte 6 is zero"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(file: Path, content: bytes, line: int, said: str) -> None:
    found = problems(file, content)
    assert found[0].path == f"{file}:{line}"
    assert said in found[0].message


def test_the_first_ten_wrong_lines_are_named_and_the_others_counted(file: Path) -> None:
    found = problems(file, b"code,active\n" + b"A,perhaps\n" * 1234)
    assert [one.path for one in found] == [*(f"{file}:{line}" for line in range(2, 12)), str(file)]
    assert found[-1].message == "1,224 more lines are wrong"


def test_a_complaint_does_not_repeat_the_code(file: Path) -> None:
    found = problems(file, b"code,active\nHUSH-1,perhaps\n HUSH-2,\n" + b"HUSH-3" * 50 + b",\n")
    assert len(found) == 3
    assert "HUSH" not in str(found)


@pytest.mark.parametrize(
    "code",
    [
        "1.23457E+11", "4.02E+12", "1,23457E+11", "1.23457e+11", "1E+15", "-1.5E-07", "1.2E12",
        "12345.0", "12345,00", "1,234,567", "1.234.567", "1 234 567", "1\u00a0234\u00a0567", "1'234'567", "12,34,567",
        "10-Mar", "Mar-10", "10-Mar-26", "10. M\u00e4r", "10-pa\u017a", "12/31/2026", "31.12.2026", "2026-12-31",
        "2026-12-31 00:00:00", "1/2/26", "#N/A", "#REF!", "########", "nan", "NaN", "NULL", "None",
        '="00123"', "'00123", "\u201cA1\u201d", '"A1"',
    ],
)  # fmt: skip
def test_what_a_spreadsheet_makes_of_a_code_is_refused_unless_it_is_meant(file: Path, code: str) -> None:
    quoted = code.replace('"', '""')
    content = f'code,value\nA-1,5\n"{quoted}",5\n'.encode()
    if "\u00a0" not in code:
        assert check(file, content, as_written=True).rows == 2
    (found,) = problems(file, content)
    assert found.path == f"{file}:3"
    assert code not in found.message


@pytest.mark.parametrize(
    "code",
    ["1E5", "7E12", "E+11", "00123", "0.5", "1-2", "10-12", "40-50-60", "DEC-25", "MAY-10", "A.B", "1234-5678",
     "NULL-1", "#1", "NAN", "2026", "12-345", "A1,B2", "\u00c4PFEL-1"],
)  # fmt: skip
def test_a_code_that_no_spreadsheet_makes_is_taken(file: Path, code: str) -> None:
    assert check(file, f'code\n"{code}"\n'.encode()).rows == 1


@pytest.mark.parametrize(
    ("codes", "lines"),
    [
        (["1234567890123450", "9876543210987650", "5555555555555550"], [2, 3, 4]),
        (["12345678901234500000"], [2]),
        (["1234567890123450"], []),
        (["1234567890123450", "9876543210987650", "5555555555555551", "1111111111111110"], []),
        (["123456789012000", "123456789013000"], []),
    ],
)
def test_long_numbers_that_have_lost_their_last_digits_are_refused(
    file: Path, codes: list[str], lines: list[int]
) -> None:
    content = "\n".join(["code", *codes]).encode()
    if lines:
        assert [one.path for one in problems(file, content)] == [f"{file}:{line}" for line in lines]
    assert check(file, content, as_written=bool(lines)).rows == len(codes)


@pytest.mark.parametrize(
    ("codes", "short_line"),
    [(["12345", "123", "54321"], 3), (["00123", "123"], 0), (["12345", "A1", "54321"], 0), (["A", "AB"], 0)],
)
def test_digits_that_may_have_lost_zeros_in_front_are_noticed(file: Path, codes: list[str], short_line: int) -> None:
    digits = check(file, "\n".join(["code", *codes]).encode()).digits
    assert (digits.may_lack_zeros, digits.first_short if digits.may_lack_zeros else 0) == (bool(short_line), short_line)


def test_a_day_as_an_end_holds_through_it_in_the_zone_of_the_project(file: Path) -> None:
    content = b"code,start_date,expiration_date\nA,2026-11-27,2026-11-27\nB,,2026-11-26\nC,,2026-11-27T09:00:00\nD,,\n"
    first, *_ = read(file, content, zone="America/New_York")
    assert first.start_date == datetime(2026, 11, 27, 5, tzinfo=UTC)
    assert first.expiration_date == datetime(2026, 11, 28, 4, 59, 59, 999_000, tzinfo=UTC)
    checked = check(file, content, zone="America/New_York")
    assert (checked.expired, checked.first_expired) == (1, 3)
    assert (checked.first_end, checked.last_end) == (
        datetime(2026, 11, 27, 4, 59, 59, 999_000, tzinfo=UTC), first.expiration_date,
    )  # fmt: skip
    checked = check(file, content, zone="Europe/Warsaw")
    assert (checked.expired, checked.first_expired) == (2, 3)


def test_memory_is_bounded_whatever_the_length_of_a_file(file: Path) -> None:
    row = "A-%07d,2027-12-31,5,north\n"
    file.write_text("code,expiration_date,value,metadata.region\n" + "".join(row % n for n in range(8_000)))
    reading = CodeFile(file, RowReader())
    looking = FileCheck(reading, NOW, lambda _: None)
    tracemalloc.start()
    try:
        names = sum(1 for _ in looking.names())
        rows = sum(1 for _ in reading.codes())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (names, rows, looking.result().rows) == (8_000, 8_000, 8_000)
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        ("SAVE10", "save10", True),
        ("00123", "123", True),
        ("0123A", "123A", False),
        ("\u00c4PFEL", "\u00e4pfel", True),
        ("STRASSE", "stra\u00dfe", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("\u0414\u041e\u041c", "\u0434\u043e\u043c", True),
        ("SAVE10", "SAVE11", False),
    ],
)
def test_codes_that_people_take_for_the_same_fold_to_the_same(one: str, other: str, are_alike: bool) -> None:
    assert (folded(one) == folded(other)) is are_alike
