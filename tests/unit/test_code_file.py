"""A file of codes is read as it is meant, or refused with the line and what would be right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.code_file import CodeFile
from schemas.errors import DefinitionInvalid, Problem
from store.code_import import NewCode


def read(file: Path, content: bytes) -> list[NewCode]:
    file.write_bytes(content)
    codes = CodeFile(file)
    count = codes.check(lambda _: None)
    found = list(codes.codes())
    assert len(found) == count
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
        (b"code,actve\nA,true\n", 1, "Did you mean active?"),
        (b"code,metadata.\nA,x\n", 1, '"metadata." is no column'),
        (b"code,active,code\nA,,B\n", 1, "stands there twice"),
        (b"code\nA\n\"\"\n", 3, "code is blank"),
        (b"code,active\nA,true\n  ,true\n", 3, "code is blank"),
        (b"code,active\nA\n", 2, "has 1 fields where the first line names 2"),
        (b"code\nA,B\n", 2, "has 2 fields where the first line names 1"),
        (b"code\n A\n", 2, "begins or ends with a space"),
        (b"code\nA\tB\n", 2, "cannot be printed"),
        (b"code\n" + b"A" * 257, 2, "has 257 characters; at most 256"),
        (b"code,active\nA,maybe\n", 2, 'active is "maybe"; it is true or false'),
        (b"code,start_date\nA,20.11.2026\n", 2, "is a date, as in"),
        (b"code,start_date,expiration_date\nA,2026-11-20,2026-11-19\n", 2, "is not after start_date"),
        (b"code,value\nA,-5\n", 2, "is a whole number from 0"),
        (b'code\n"A"B\n', 2, "cannot be read as CSV"),
        (b'code\nA\n"B\nC\nD\n', 3, "cannot be read as CSV"),
        (b"code\rA\rB\r", 1, "cannot be read as CSV"),
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
