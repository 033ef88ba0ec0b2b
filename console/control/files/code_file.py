"""Codes to import, from a CSV file or as they were given: `code`, `active`, `start_date`, `expiration_date`, `value`
and `metadata.<name>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from console.control.files.code_row import COLUMNS as NAMES
from console.control.files.code_row import METADATA, Fields, RowReader
from console.control.files.csv_file import Columns, CsvFile, OpenFile
from store.codes.imports import NewCode

COLUMNS = Columns(NAMES, required="code", prefix=METADATA)


class CodeSource(Protocol):
    """Rows of codes, to be read more than once."""

    reader: RowReader

    @property
    def offset(self) -> int:
        """How far it was read."""

    def place(self, line: int | None = None) -> str:
        """A row, or all of them, as a problem names it."""

    def codes(self) -> Iterator[NewCode]:
        """Every row, after a check found nothing."""

    def rows(self) -> Iterator[tuple[int, Fields, str]]:
        """The rows: their lines, fields, and what is wrong with each."""


class GivenCodes:
    """Codes that came in a request; a line is a place in its list, counted from 0."""

    def __init__(self, given: Sequence[Fields], reader: RowReader) -> None:
        self.reader = reader
        self._given = given

    @property
    def offset(self) -> int:
        """All of it is there."""
        return len(self._given)

    def place(self, line: int | None = None) -> str:
        """A place of the body."""
        return "codes" if line is None else f"codes[{line}]"

    def codes(self) -> Iterator[NewCode]:
        """Every code, after a check found nothing."""
        return (self.reader.code(line, fields) for line, fields in enumerate(self._given))

    def rows(self) -> Iterator[tuple[int, Fields, str]]:
        """Every code with its place, and what is wrong with it."""
        return ((line, fields, self.reader.wrong(fields)) for line, fields in enumerate(self._given))


class CodeFile:
    """One file, to be read more than once. Raises DefinitionInvalid for what ends the reading."""

    def __init__(self, file: Path | OpenFile, reader: RowReader) -> None:
        self.file = file
        self.reader = reader
        self._csv = CsvFile(file, COLUMNS)

    @property
    def offset(self) -> int:
        """The bytes read."""
        return self._csv.offset

    def place(self, line: int | None = None) -> str:
        """The file, and the line that it is on."""
        return str(self.file) if line is None else f"{self.file}:{line}"

    def codes(self) -> Iterator[NewCode]:
        """Every row, after a check found nothing."""
        for line, fields, wrong in self.rows():
            if wrong:
                raise self._csv.refused(line, f"{wrong} (the file has changed)")
            yield self.reader.code(line, fields)

    def rows(self) -> Iterator[tuple[int, Fields, str]]:
        """The rows below the header: the line on which each starts, its fields, and what is wrong with it."""
        for line, fields, wrong in self._csv.rows():
            yield line, fields, wrong or self.reader.wrong(fields)
