"""A CSV file read in constant memory: its rows, each with its line.

UTF-8, with or without a byte order mark, lines ended by LF or CRLF, quoted as in RFC 4180. The first line names the
columns.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from schemas.errors import DefinitionInvalid, Problem
from schemas.names import nearest

_NAMED = 10
"""Of the problems of a first line, how many are named."""
_LONGEST_LINE = 1 << 20
_LONGEST_ROW = 1 << 22
_WIDE = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
"""Encodings that we do not read, by their first bytes; the longer comes first."""
_PACKED = {b"\x1f\x8b": "compressed by gzip", b"PK\x03\x04": "a workbook or another zip file"}
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


_FORMULA = re.compile(r"[=@\t\r\n-]|\+(?![0-9]+$)")
"""The beginning of what spreadsheets would work out; a phone number is a number to them."""


def to_cell(text: str) -> str:
    """A text as a field that no spreadsheet takes for a formula: with an apostrophe before it, where it would be."""
    return f"'{text}" if _FORMULA.match(text.lstrip("'")) else text


def from_cell(cell: str) -> str:
    """The text of a field that `to_cell` wrote; any other as it is."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell.lstrip("'")) else cell


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a kind of file may have: those by name, the one that it must have, and a prefix of free ones."""

    names: tuple[str, ...]
    required: str
    prefix: str = ""

    def has(self, name: str) -> bool:
        """True for one that may stand there."""
        return name in self.names or bool(self.prefix and name.startswith(self.prefix) and name != self.prefix)

    @property
    def known(self) -> str:
        """A sentence that names them."""
        free = f" and {self.prefix}<name>" if self.prefix else ""
        return f"The columns are: {', '.join(self.names)}{free}, separated by commas"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is open, and may have no path. `name` stands where that would, before the line of a problem.

    It is read from its start each time, by one reader at once, which does not close it.
    """

    name: str
    file: BinaryIO

    def __str__(self) -> str:
        return self.name

    def open(self, mode: str) -> BinaryIO:
        """The file, at its start."""
        self.file.flush()
        del mode
        opened = os.fdopen(os.dup(self.file.fileno()), "rb")
        opened.seek(0)
        return opened


class CsvFile:
    """One file, to be read more than once; `offset` is how far. Raises DefinitionInvalid for what ends the reading."""

    def __init__(self, file: Path | OpenFile, columns: Columns) -> None:
        self.file = file
        self.offset = 0
        self._known = columns
        self._row_at = 0
        self._first_line = ""
        self._columns: list[str] = []

    def rows(self) -> Iterator[tuple[int, dict[str, str], str]]:
        """The rows below the header: the line on which each starts, its fields, and what is wrong with their number."""
        for line, row in self._rows():
            if len(row) != len(self._columns):
                yield line, {}, f"has {len(row)} fields where the first line names {len(self._columns)}"
                continue
            yield line, dict(zip(self._columns, row, strict=True)), ""

    def _cells(self, row: list[str]) -> list[str]:
        """A row without the empty cells behind the last column, which spreadsheets write; empty where all are."""
        width = len(self._columns)
        if row != [""] and not any(cell.strip() for cell in row):
            return []
        return row if any(cell.strip() for cell in row[width:]) else row[:width]

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        self.offset = self._row_at = 0
        with self.file.open("rb") as handle:
            reader = csv.reader(self._lines(handle.readline), strict=True)
            line = 1
            try:
                self._columns = self._header(next(reader, []))
                line = reader.line_num + 1
                for row in reader:
                    if cells := self._cells(row):  # not so for an empty line
                        yield line, cells
                    line, self._row_at = reader.line_num + 1, self.offset
            except csv.Error as error:
                other = _other_separator(self._first_line, self._known.required) if line == 1 else ""
                reason = f"cannot be read as CSV: {error}; a quote inside of quotes is doubled"
                raise self.refused(line, other or reason) from error

    def _lines(self, readline: Callable[[int], bytes]) -> Iterator[str]:
        number = 0
        while raw := readline(_LONGEST_LINE + 1):
            number += 1
            if number == 1:
                raw = self._without_mark(raw)
            if b"\0" in raw:
                at = self.offset + raw.index(0)
                reason = "it looks like UTF-16 without a mark" if number == 1 else "a text has none"
                raise self.refused(number, f"byte {at} is zero: {reason}. Save the file as UTF-8")
            if len(raw) > _LONGEST_LINE:
                raise self.refused(number, "is longer than a megabyte; lines end with LF or CRLF")
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                at = self.offset + error.start
                reason = f"byte {at} (0x{raw[error.start]:02X}) is not UTF-8; it may be latin-1 or Windows-1252"
                raise self.refused(number, f"{reason}. Save the file as UTF-8") from error
            if number == 1:
                self._first_line = text
            self.offset += len(raw)
            if self.offset - self._row_at > _LONGEST_ROW:
                raise self.refused(number, "is still of a row above it, which is too long; a quote is not closed")
            yield text

    def _without_mark(self, raw: bytes) -> bytes:
        for mark, name in _PACKED.items():
            if raw.startswith(mark):
                raise self.refused(1, f"is {name}. Unpack it, or save it as CSV UTF-8")
        for mark, name in _WIDE.items():
            if raw.startswith(mark):
                raise self.refused(1, f"is {name}, as the mark at byte 0 says. Save the file as UTF-8")
        if raw.startswith(codecs.BOM_UTF8):
            self.offset = len(codecs.BOM_UTF8)
            return raw[self.offset :]
        return raw

    def _header(self, row: list[str]) -> list[str]:
        columns = [name.strip() for name in row]
        while columns and not columns[-1]:  # a separator at the end of each line
            columns.pop()
        required, known = self._known.required, self._known.known
        problems = [
            f'"{name}" is not a column.{self._meant(name)} {known}' for name in columns if not self._known.has(name)
        ]
        problems += [
            f'the column "{name}" stands there twice' for name in dict.fromkeys(columns) if columns.count(name) > 1
        ]
        if required not in columns:
            problems.insert(0, f'the first line names the columns, and "{required}" is not among them. {known}')
        other = _other_separator(self._first_line, required)
        if problems and other:
            problems = [other]
        if problems:
            raise DefinitionInvalid(tuple(Problem(f"{self.file}:1", one) for one in problems[:_NAMED]))
        return columns

    def _meant(self, name: str) -> str:
        found = nearest(name.lower(), self._known.names)
        return f' Did you mean "{found}"?' if found else ""

    def refused(self, line: int, reason: str) -> DefinitionInvalid:
        """The end of the reading at a line."""
        return DefinitionInvalid((Problem(f"{self.file}:{line}", reason),))


def _other_separator(first_line: str, required: str) -> str:
    """The problem of a first line whose fields are separated otherwise; empty where they are not."""
    if "\r" in first_line.rstrip("\r\n"):
        return "ends with CR alone, as old Macintosh files do; lines end with LF or CRLF. Save the file as CSV UTF-8"
    if first_line.lower().startswith("sep="):
        return "is a note for spreadsheets; take it out, the first line names the columns"
    for separator, name in _OTHER_SEPARATORS.items():
        parts = [part.strip().strip('"').lower() for part in first_line.split(separator)]
        if len(parts) > 1 and required in parts:
            return f"separates the fields by {name}; they are separated by commas. Save the file as CSV with commas"
    return ""
