"""Codes in a CSV file, read in constant memory: each row checked, each problem with its line.

UTF-8, with or without a byte order mark, lines ended by LF or CRLF, quoted as in RFC 4180. The first line names the
columns: `code`, and as wanted `active`, `start_date`, `expiration_date`, `value` and `metadata.<name>`.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from schemas.campaign import LONGEST_CODE
from schemas.errors import DefinitionInvalid, Problem
from schemas.names import nearest
from store.code_import import NewCode
from streams.conditions.predicates import read_date

COLUMNS = ("code", "active", "start_date", "expiration_date", "value")
METADATA = "metadata."

_NAMED = 10
"""Of the problems of a file, how many are named."""
_LONGEST_LINE = 1 << 20
_LARGEST_VALUE = 2**53 - 1
_WORDS = {"": True, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WIDE = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
"""What the first bytes say of an encoding that we do not read; the longer comes first."""


class CodeFile:
    """One file. Raises DefinitionInvalid: for what ends the reading at once, or with the first problems of its rows."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.offset = 0
        self._columns: list[str] = []

    def check(self, told: Callable[[int], None]) -> int:
        """Read the whole file and keep nothing; how many rows it has. Bytes read are told from time to time."""
        count, wrong, problems = 0, 0, list[Problem]()
        for line, row in self._read():
            count += 1
            if count % 1000 == 0:
                told(self.offset)
            found = self._wrong(row)
            if found:
                wrong += 1
                if len(problems) < _NAMED:
                    problems.append(Problem(f"{self.file}:{line}", found))
        if wrong > _NAMED:
            problems.append(Problem(str(self.file), f"{wrong - _NAMED:,} more lines are wrong"))
        if not count:
            problems.append(Problem(f"{self.file}:1", "has no codes below the line that names the columns"))
        if problems:
            raise DefinitionInvalid(tuple(problems))
        return count

    def codes(self) -> Iterator[NewCode]:
        """Every row, after `check` found nothing."""
        for line, row in self._read():
            found = self._wrong(row)
            if found:
                raise DefinitionInvalid((Problem(f"{self.file}:{line}", f"{found} (the file has changed)"),))
            yield self._code(line, row)

    # -- from bytes to rows -------------------------------------------------------------------------------------

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        """The rows below the header, each with the line on which it starts."""
        self.offset = 0
        with self.file.open("rb") as handle:
            reader = csv.reader(self._lines(handle.readline), strict=True)
            line = 1
            try:
                self._columns = self._header(next(reader, []))
                line = reader.line_num + 1
                for row in reader:
                    if row:  # not so for an empty line
                        yield line, row
                    line = reader.line_num + 1
            except csv.Error as error:
                raise self._refused(
                    line, f"cannot be read as CSV: {error}; a quote inside of quotes is doubled"
                ) from error

    def _lines(self, readline: Callable[[int], bytes]) -> Iterator[str]:
        number = 0
        while raw := readline(_LONGEST_LINE + 1):
            number += 1
            if number == 1:
                raw = self._without_mark(raw)
            if b"\0" in raw:
                at = self.offset + raw.index(0)
                said = "it looks like UTF-16 without a mark" if number == 1 else "a text has none"
                raise self._refused(number, f"byte {at} is zero: {said}. Save the file as UTF-8")
            if len(raw) > _LONGEST_LINE:
                raise self._refused(number, "is longer than a megabyte; lines end with LF or CRLF")
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                at = self.offset + error.start
                said = f"byte {at} (0x{raw[error.start]:02X}) is not UTF-8; it may be latin-1 or Windows-1252"
                raise self._refused(number, f"{said}. Save the file as UTF-8") from error
            self.offset += len(raw)
            yield text

    def _without_mark(self, raw: bytes) -> bytes:
        for mark, name in _WIDE.items():
            if raw.startswith(mark):
                raise self._refused(1, f"is {name}, as the mark at byte 0 says. Save the file as UTF-8")
        if raw.startswith(codecs.BOM_UTF8):
            self.offset = len(codecs.BOM_UTF8)
            return raw[self.offset :]
        return raw

    def _header(self, row: list[str]) -> list[str]:
        columns = [name.strip() for name in row]
        there = f"The columns are: {', '.join(COLUMNS)} and {METADATA}<name>, separated by commas"
        problems = [
            f'"{name}" is no column.{_meant(name)} {there}'
            for name in columns
            if name not in COLUMNS and not (name.startswith(METADATA) and name != METADATA)
        ]
        problems += [
            f'the column "{name}" stands there twice' for name in dict.fromkeys(columns) if columns.count(name) > 1
        ]
        if "code" not in columns:
            problems.insert(0, f'the first line names the columns, and "code" is not among them. {there}')
        if problems:
            raise DefinitionInvalid(tuple(Problem(f"{self.file}:1", one) for one in problems[:_NAMED]))
        return columns

    def _refused(self, line: int, said: str) -> DefinitionInvalid:
        return DefinitionInvalid((Problem(f"{self.file}:{line}", said),))

    # -- from rows to codes -------------------------------------------------------------------------------------

    def _wrong(self, row: list[str]) -> str:
        """What is wrong with a row; empty where nothing is. Codes are not repeated."""
        if len(row) != len(self._columns):
            return f"has {len(row)} fields where the first line names {len(self._columns)}"
        fields = dict(zip(self._columns, row, strict=True))
        return _wrong_code(fields["code"]) or _wrong_word(fields) or _wrong_dates(fields) or _wrong_value(fields)

    def _code(self, line: int, row: list[str]) -> NewCode:
        fields = dict(zip(self._columns, row, strict=True))
        own = {name[len(METADATA) :]: text for name, text in fields.items() if text and name.startswith(METADATA)}
        return NewCode(
            line=line,
            code=fields["code"],
            active=_WORDS[fields.get("active", "").lower()],
            start_date=_moment(fields.get("start_date")),
            expiration_date=_moment(fields.get("expiration_date")),
            value=int(fields["value"]) if fields.get("value") else None,
            metadata=msgspec.json.encode(own).decode() if own else "{}",
        )


def _wrong_code(code: str) -> str:
    if not code.strip():
        return "code is blank"
    if len(code) > LONGEST_CODE:
        return f"code has {len(code)} characters; at most {LONGEST_CODE} are allowed"
    if code != code.strip():
        return "code begins or ends with a space"
    return "" if code.isprintable() else "code holds a character that cannot be printed"


def _wrong_word(fields: dict[str, str]) -> str:
    active = fields.get("active", "")
    return "" if active.lower() in _WORDS else f'active is "{active[:40]}"; it is true or false, or empty for true'


def _wrong_dates(fields: dict[str, str]) -> str:
    for name in ("start_date", "expiration_date"):
        if fields.get(name) and _moment(fields[name]) is None:
            return f'{name} is "{fields[name][:40]}"; it is a date, as in 2026-11-20T09:00:00Z'
    start, end = _moment(fields.get("start_date")), _moment(fields.get("expiration_date"))
    return "expiration_date is not after start_date" if start and end and end <= start else ""


def _wrong_value(fields: dict[str, str]) -> str:
    value = fields.get("value", "")
    if not value or (value.isascii() and value.isdigit() and len(value) < 17 and int(value) <= _LARGEST_VALUE):
        return ""
    return f'value is "{value[:40]}"; it is a whole number from 0: the amount or points of a card'


def _moment(text: str | None) -> datetime | None:
    return read_date(text) if text else None


def _meant(name: str) -> str:
    found = nearest(name.lower(), COLUMNS)
    return f" Did you mean {found}?" if found else ""
