"""Codes to import looked through before anything changes: every problem with its line, and what is strange about it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from console.control.files.code_file import CodeSource
from console.control.files.spreadsheet import REMEDY, DigitCodes
from schemas.errors import DefinitionInvalid, Problem
from store.codes.names import CodeName

_NAMED = 10
"""Of the problems of a file, how many are named."""
_PROGRESS_EVERY = 1000


@dataclass(slots=True)
class Checked:
    """The content of a file in figures: of its ends the first and the last, and how many have passed by the check."""

    rows: int = 0
    first_end: datetime | None = None
    last_end: datetime | None = None
    expired: int = 0
    first_expired: int = 0
    """The line of the first that has passed."""
    digits: DigitCodes = field(default_factory=DigitCodes)


class FileCheck:
    """One look through a file, or the first `most` rows of it. `on_progress` gets the bytes read from time to time."""

    def __init__(
        self,
        file: CodeSource,
        now: datetime,
        on_progress: Callable[[int], None] = lambda _: None,
        *,
        most: int | None = None,
    ) -> None:
        self._file, self._now, self._on_progress, self._most = file, now, on_progress, most
        self._wrong = 0
        self._problems: list[Problem] = []
        self._checked = Checked()

    def names(self) -> Iterator[CodeName]:
        """Every code of the file that has no problem. Raises DefinitionInvalid for what ends the reading at once."""
        checked = self._checked
        for line, fields, wrong in islice(self._file.rows(), self._most):
            checked.rows += 1
            if checked.rows % _PROGRESS_EVERY == 0:
                self._on_progress(self._file.offset)
            if wrong:
                self._note(line, wrong)
                continue
            code = fields["code"]
            if len(fields) > 1:
                self._see_end(line, self._file.reader.end(fields))
            if code.isdigit():
                checked.digits.add(line, code)
            yield CodeName(line, code)

    @property
    def wrong(self) -> int:
        """The rows that are wrong, as far as it was read."""
        return self._wrong

    @property
    def rows(self) -> int:
        """The rows that were read."""
        return self._checked.rows

    def result(self) -> Checked:
        """The figures, when all names were read. Raises DefinitionInvalid with the first problems."""
        if self._checked.digits.are_rounded and not self._file.reader.as_written:
            reason = f"code ends in zeros where a spreadsheet drops the digits behind the fifteenth. {REMEDY}"
            for line in self._checked.digits.rounded:
                self._note(line, reason)
        problems = list(self._problems)
        if self._wrong > _NAMED:
            problems.append(Problem(self._file.place(), f"{self._wrong - _NAMED:,} more lines are wrong"))
        if not self._checked.rows:
            problems.append(Problem(self._file.place(1), "has no codes below the line that names the columns"))
        if problems:
            raise DefinitionInvalid(tuple(problems))
        return self._checked

    def _note(self, line: int, wrong: str) -> None:
        self._wrong += 1
        if len(self._problems) < _NAMED:
            self._problems.append(Problem(self._file.place(line), wrong))

    def _see_end(self, line: int, end: datetime | None) -> None:
        if end is None:
            return
        checked = self._checked
        checked.first_end = min(checked.first_end or end, end)
        checked.last_end = max(checked.last_end or end, end)
        if end <= self._now:
            checked.expired += 1
            checked.first_expired = checked.first_expired or line


def folded(code: str) -> str:
    """The same for codes that people take for the same: capitals, forms of a letter, zeros in front of digits.

    For codes of ASCII the database says the same (`store/sql/code_names.sql`).
    """
    if code.isascii():
        return code.lstrip("0") if code.isdigit() else code.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", code).casefold())
