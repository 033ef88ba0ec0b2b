"""A CSV file of codes: `code`, `active`, `start_date`, `expiration_date`, `value` and `metadata.<name>`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from console.control.files.code_row import COLUMNS, METADATA, RowReader
from console.control.files.csv_file import Columns, CsvFile
from store.codes.imports import NewCode

_COLUMNS = Columns(COLUMNS, required="code", prefix=METADATA)


class CodeFile:
    """One file, to be read more than once. Raises DefinitionInvalid for what ends the reading."""

    def __init__(self, file: Path, reader: RowReader) -> None:
        self.file = file
        self.reader = reader
        self._csv = CsvFile(file, _COLUMNS)

    @property
    def offset(self) -> int:
        """The bytes read."""
        return self._csv.offset

    def codes(self) -> Iterator[NewCode]:
        """Every row, after a check found nothing."""
        for line, fields, wrong in self.rows():
            if wrong:
                raise self._csv.refused(line, f"{wrong} (the file has changed)")
            yield self.reader.code(line, fields)

    def rows(self) -> Iterator[tuple[int, dict[str, str], str]]:
        """The rows below the header: the line on which each starts, its fields, and what is wrong with it."""
        for line, fields, wrong in self._csv.rows():
            yield line, fields, wrong or self.reader.wrong(fields)
