"""One row of a file of codes: what is wrong with it, or the code that it stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

import msgspec

from console.control.files.spreadsheet import REMEDY, spreadsheet_form
from schemas.campaign import LONGEST_CODE
from schemas.formats.days import read_moment
from store.codes.imports import NewCode
from streams.values.wording import invalid

COLUMNS = ("code", "active", "start_date", "expiration_date", "value")
METADATA = "metadata."

_LARGEST_VALUE = 2**53 - 1
_WORDS = {"": True, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MOMENTS_KEPT = 1 << 12

Fields = Mapping[str, str]
ReadMoment = Callable[[str], datetime | None]


class RowReader:
    """Reads rows in a project's zone: a day as an end holds through that day. Codes are not repeated in what it says.

    `as_written`: codes that look as if a spreadsheet had changed them are meant so.
    """

    def __init__(self, zone: tzinfo = UTC, *, as_written: bool = False) -> None:
        self.as_written = as_written
        self._start: ReadMoment = lru_cache(_MOMENTS_KEPT)(lambda text: read_moment(text, zone))
        self._end: ReadMoment = lru_cache(_MOMENTS_KEPT)(lambda text: read_moment(text, zone, is_end=True))

    def wrong(self, fields: Fields) -> str:
        """The problem of a row; empty where it is right."""
        found = self._wrong_code(fields["code"])
        if found or len(fields) == 1:
            return found
        return _wrong_word(fields) or self._wrong_dates(fields) or _wrong_value(fields)

    def end(self, fields: Fields) -> datetime | None:
        """Until when a code holds, where it has an end of its own."""
        text = fields.get("expiration_date")
        return self._end(text) if text else None

    def code(self, line: int, fields: Fields) -> NewCode:
        """The code of a row that is not wrong."""
        if len(fields) == 1:
            return NewCode(line, fields["code"], True, None, None, None, "{}")
        own = {name[len(METADATA) :]: text for name, text in fields.items() if text and name.startswith(METADATA)}
        start = fields.get("start_date")
        return NewCode(
            line=line,
            code=fields["code"],
            active=_WORDS[fields.get("active", "").lower()],
            start_date=self._start(start) if start else None,
            expiration_date=self.end(fields),
            value=int(fields["value"]) if fields.get("value") else None,
            metadata=msgspec.json.encode(own).decode() if own else "{}",
        )

    def _wrong_code(self, code: str) -> str:
        if len(code) > LONGEST_CODE:
            return f"code has {len(code)} characters; at most {LONGEST_CODE} are allowed"
        stripped = code.strip()
        if not stripped:
            return "code is blank"
        if code != stripped:
            return f"code begins or ends with a space{_named(code[0] if code[0].isspace() else code[-1])}"
        if not code.isprintable():
            unseen = next(character for character in code if not character.isprintable())
            return f"code holds a character that cannot be printed{_named(unseen)}"
        form = "" if self.as_written else spreadsheet_form(code)
        return f"code {form}. {REMEDY}" if form else ""

    def _wrong_dates(self, fields: Fields) -> str:
        written = (("start_date", self._start), ("expiration_date", self._end))
        read = {name: moment(fields[name]) for name, moment in written if fields.get(name)}
        for name, moment in read.items():
            if moment is None:
                allowed = "a date, as in 2026-11-20, which holds through that day as an end, or 2026-11-20T09:00:00Z"
                return f"{name}: {invalid(fields[name][:40], allowed)}"
        start, end = read.get("start_date"), read.get("expiration_date")
        return "expiration_date is not after start_date" if start and end and end <= start else ""


def _named(character: str) -> str:
    """The character by its name, where it is not the plain space."""
    return "" if character == " " else f" (U+{ord(character):04X} {unicodedata.name(character, 'a control character')})"


def _wrong_word(fields: Fields) -> str:
    active = fields.get("active", "")
    return "" if active.lower() in _WORDS else f"active: {invalid(active[:40], 'true or false, or empty for true')}"


def _wrong_value(fields: Fields) -> str:
    value = fields.get("value", "")
    if not value or (value.isascii() and value.isdigit() and len(value) < 17 and int(value) <= _LARGEST_VALUE):
        return ""
    return f"value: {invalid(value[:40], 'a whole number from 0: the amount or points of a card')}"
