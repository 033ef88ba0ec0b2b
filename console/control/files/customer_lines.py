"""A file of customers, a line each or a row of CSV, read in constant memory: the profiles, each with its line."""

from __future__ import annotations

import codecs
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from console.control.files.csv_file import CsvFile, OpenFile
from console.control.files.customer_file import COLUMNS, profile_of
from schemas.errors import BadRecord, DefinitionInvalid, Problem
from schemas.wire.json_text import decode_unambiguous

_LONGEST_LINE = 1 << 22
"""Longer than a profile that is kept."""


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """One customer of a file: the line on which it starts, the profile, and what cannot be read of it, by field."""

    line: int
    profile: Any
    wrong: tuple[tuple[str, str], ...] = ()


class CustomerLines(Protocol):
    """Customers of a file, to be read more than once. Raises DefinitionInvalid for what ends the reading."""

    @property
    def offset(self) -> int:
        """The bytes read."""

    def rows(self) -> Iterator[CustomerLine]:
        """Every customer."""


class CsvCustomers:
    """Customers in rows of CSV."""

    def __init__(self, file: OpenFile) -> None:
        self._csv = CsvFile(file, COLUMNS)

    @property
    def offset(self) -> int:
        """The bytes read."""
        return self._csv.offset

    def rows(self) -> Iterator[CustomerLine]:
        """Every row below the header."""
        for line, fields, wrong in self._csv.rows():
            profile, found = ({}, [wrong]) if wrong else profile_of(fields)
            yield CustomerLine(line, profile, tuple(map(_by_field, found)))


class JsonCustomers:
    """Customers as JSON, one in a line; empty lines are passed over."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self.offset = 0

    def rows(self) -> Iterator[CustomerLine]:
        """Every line that is not empty."""
        self.offset = number = 0
        with self._file.open("rb") as lines:
            while raw := lines.readline(_LONGEST_LINE + 1):
                number += 1
                if len(raw) > _LONGEST_LINE:
                    said = f"is longer than {_LONGEST_LINE:,} bytes; lines end with LF or CRLF"
                    raise DefinitionInvalid((Problem(f"{self._file}:{number}", said),))
                self.offset += len(raw)
                text = (raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw).strip()
                if text:
                    yield _json_line(number, text)


class FirstLines:
    """The first line of each id, kept on disk in a file without a name: there may be millions."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("create table ids (id text primary key, line integer not null) without rowid")
        self._database.execute("begin")

    def first(self, identity: str, line: int) -> int:
        """The first line that named an id: this one, where none did before."""
        added = self._database.execute("insert into ids values (?, ?) on conflict do nothing", (identity, line))
        if added.rowcount:
            return line
        (found,) = self._database.execute("select line from ids where id = ?", (identity,)).fetchone()
        return int(found)

    def close(self) -> None:
        """Forget them."""
        self._database.close()


def _json_line(number: int, text: bytes) -> CustomerLine:
    try:
        return CustomerLine(number, decode_unambiguous(text))
    except BadRecord as error:
        return CustomerLine(number, None, (("", str(error)),))


def _by_field(said: str) -> tuple[str, str]:
    field, colon, rest = said.partition(": ")
    return (field, rest) if colon and COLUMNS.has(field) else ("", said)
