"""Files of customers as spreadsheets and other programs write them: what is read all the same, and what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any

import pytest

from console.control.files.csv_file import OpenFile
from console.control.files.customer_lines import CsvCustomers, CustomerLine
from schemas.errors import DefinitionInvalid

ANN = {"id": "c1", "name": "Ann"}


def lines(raw: bytes) -> Iterator[CustomerLine]:
    with TemporaryFile() as file:
        file.write(raw)
        yield from CsvCustomers(OpenFile("line", file)).rows()


@pytest.mark.parametrize(
    "raw",
    [
        b"id,name\nc1,Ann\n", b"\xef\xbb\xbfid,name\r\nc1,Ann\r\n", b" id , name \nc1, Ann\n", b"id,name\nc1,Ann",
        b"id,name\r\nc1,Ann\n\r\n\n", b"id,name\nc1,Ann\n   \n", b"id,name\nc1,Ann\n,\n,\n , \n",
        b"id,name,\nc1,Ann,\n", b"id,name,,,\nc1,Ann,,,\n,,,,\n", b"id,name\nc1,Ann,,\n", b"id,name\r\r\nc1,Ann\r\r\n",
    ],
)  # fmt: skip
def test_what_programs_leave_around_a_table_is_no_customer_and_no_fault(raw: bytes) -> None:
    assert [(one.profile, one.wrong) for one in lines(raw)] == [(ANN, ())]


def test_a_line_break_in_quotes_is_of_its_field_and_lines_are_counted_with_it() -> None:
    found = list(lines(b'id,name\nc1,"Ann\nB"\n,,x\nc2,C\n'))
    assert [(one.line, one.profile) for one in found] == [
        (2, {"id": "c1", "name": "Ann\nB"}), (4, {}), (5, {"id": "c2", "name": "C"}),
    ]  # fmt: skip
    assert "has 3 fields" in found[1].wrong[0][1]


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("id", "4.85E+10", "its digits are lost"), ("phone", '"4,85012E+11"', "its digits are lost"),
        ("source_id", "12345.0", "with decimals"), ("email", "#N/A", "an error of a spreadsheet"),
        ("birthday", "03/04/1990", "a day, as in 1990-11-20"), ("birthday", "3.4.1990", "a day, as in 1990-11-20"),
        ("birthday", "1990-02-30", "a day, as in"), ("consents.news", "PRAWDA", "true or false"),
        ("metadata.n:number", '"1,5"', "a number, as in 12 or 1.5"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_has_made_of_a_value_is_wrong_at_its_field(column: str, cell: str, said: str) -> None:
    raw = f"id,{column}\nc1,{cell}\n" if column != "id" else f"id\n{cell}\n"
    ((field, reason),) = next(lines(raw.encode())).wrong
    assert (field, said in reason) == (column, True), reason
    assert cell.strip('"') not in reason


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("id", "10E5"), ("id", "00123"), ("id", "v1.0"), ("phone", "+48501234567"), ("phone", "48501234567"),
        ("phone", "501-234-567"), ("birthday", "1990-04-03"), ("birthday", "1990-04-03T00:00:00Z"),
    ],
)  # fmt: skip
def test_what_is_meant_so_is_kept_as_it_is_written(column: str, cell: str) -> None:
    raw = f"id,{column}\nc1,{cell}\n" if column != "id" else f"id\n{cell}\n"
    found: Any = next(lines(raw.encode()))
    assert (found.profile[column], found.wrong) == (cell, ())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (gzip.compress(b"id\nc1\n", mtime=0), "compressed by gzip"), (b"PK\x03\x04\x14\x00\x00\x00", "a workbook"),
        ("id\nc1\n".encode("utf-16"), "UTF-16"), ("id,name\nc1,José\n".encode("latin-1"), "not UTF-8"),
        (b"id;name\nc1;Ann\n", "by semicolons"), (b"id\tname\nc1\tAnn\n", "by tabs"), (b"sep=,\nid\nc1\n", "a note"),
        (b"id,name,name\nc1,A,B\n", "stands there twice"), (b"id,,name\nc1,,Ann\n", '"" is not a column'),
        (b"id\rc1\r", "ends with CR alone"), (b",,\n", "names the columns"), (b"ID\nc1\n", 'Did you mean "id"'),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused_with_what_it_is(raw: bytes, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        list(lines(raw))
    assert any(said in one.message for one in refused.value.problems), refused.value.problems
