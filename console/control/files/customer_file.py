"""A CSV file of customers: its first line names paths of the profile, each further one is the whole profile of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from console.control.files.csv_file import Columns, from_cell
from console.control.files.spreadsheet import damaged
from schemas.record import JsonObject
from streams.values.wording import invalid_kind

TEXTS = ("id", "source_id", "name", "email", "phone", "locale", "timezone", "birthday")
"""Fields of a profile that are texts."""
_CONSENTS, _FREE = "consents", ("metadata", "address")
_IDS = ("id", "source_id", "phone", "email")
"""Texts by which customers are found and reached, which a spreadsheet may take for numbers."""
_KINDS = ("number", "truth")
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class CustomerColumns(Columns):
    """The columns of customers: `consents.marketing`, and paths of metadata and address, which are texts.

    `metadata.points:number` and `metadata.is_staff:truth` are of another kind.
    """

    def has(self, name: str) -> bool:
        """True for one that may stand there."""
        if name in self.names:
            return True
        head, _, path = name.partition(".")
        path, colon, kind = path.partition(":") if head in _FREE else (path, "", "")
        return head in (_CONSENTS, *_FREE) and all(path.split(".")) and (not colon or kind in _KINDS)

    @property
    def known(self) -> str:
        """A sentence that names them."""
        free = "consents.<category>, metadata.<path> and address.<path> (with :number or :truth behind a path of these)"
        return f"The columns are: {', '.join(self.names)}, {free}, separated by commas"


COLUMNS = CustomerColumns(TEXTS, "id")


def profile_of(fields: Mapping[str, str]) -> tuple[JsonObject, list[str]]:
    """A row as a profile, and what is wrong with it. What is empty is not there."""
    profile: JsonObject = {}
    problems: list[str] = []
    for column, cell in fields.items():
        text = from_cell(cell.strip())
        if not text:
            continue
        path, _, kind = column.partition(":")
        try:
            _put(profile, [path] if path in TEXTS else _steps(path), _value(text, path, kind))
        except ValueError as error:
            problems.append(f"{column}: {error}")
    return profile, problems


def _steps(path: str) -> list[str]:
    """Of a consent its category, which may have dots in it; of all else each part of the path."""
    head, _, rest = path.partition(".")
    return [head, rest] if head == _CONSENTS else path.split(".")


def _value(text: str, path: str, kind: str) -> Any:
    if path in _IDS and (form := damaged(text)):
        raise ValueError(f"{form}; format the column as text in the spreadsheet, and fill it in again")
    if path == "birthday" and not _is_day(text):
        raise ValueError(invalid_kind(text, "a day, as in 1990-11-20"))
    if path.startswith(f"{_CONSENTS}.") or kind == "truth":
        found = _TRUTHS.get(text.lower())
        if found is None:
            raise ValueError(invalid_kind(text, "true or false"))
        return found
    return _number(text) if kind == "number" else text


def _is_day(text: str) -> bool:
    """True for a day as profiles have it, whatever stands behind it."""
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return text[4:5] == "-" and not text[10:11].isdigit()


def _number(text: str) -> int | float:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and -(2**63) < value < 2**63:  # NaN is not
        number: int | float = value
        return number
    raise ValueError(invalid_kind(text, "a number, as in 12 or 1.5"))


def _put(profile: JsonObject, steps: list[str], value: Any) -> None:
    place = profile
    for step in steps[:-1]:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise ValueError("another column has a value at the beginning of this path")
    if isinstance(place.get(steps[-1]), dict):
        raise ValueError("another column has a path that goes on from this one")
    place[steps[-1]] = value
