"""Named SQL: blocks of `store/sql/*.sql`, each headed by `-- name:` and a comment that says what it is for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from schemas.errors import BadRecord
from schemas.record_key import SEPARATOR

FOLDER = Path(__file__).parent / "sql"

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PARAMETER = re.compile(r"\$(\d+)\b")
_NAME = re.compile(r"(?<!:):([a-z_]+)\b")


@cache
def queries(file: str) -> dict[str, str]:
    """The blocks of `store/sql/<file>.sql` by name. `:name` in a block stands for the block of that name."""
    _, *parts = _HEAD.split((FOLDER / f"{file}.sql").read_text())
    blocks = dict(zip(parts[::2], (body.strip() for body in parts[1::2]), strict=True))
    return {name: with_parts(block, blocks) for name, block in blocks.items()}


def with_parts(sql: str, parts: Mapping[str, str]) -> str:
    """The statement with parts in place of their names, each without its comment. Other names stay."""

    def part(found: re.Match[str]) -> str:
        name = found[1]
        return with_parts(_bare(parts[name]), parts) if name in parts else found[0]

    return _NAME.sub(part, sql)


def together(statements: Sequence[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    """One statement that does what several do, and its arguments. Each sees what was there before all of them."""
    parts, arguments = list[str](), list[Any]()
    for number, (sql, own) in enumerate(statements):
        parts.append(f"did_{number} as (\n{_PARAMETER.sub(partial(_moved, len(arguments)), sql.rstrip(';'))}\n)")
        arguments += own
    return f"with {', '.join(parts)} select", arguments


def joined(texts: Iterable[str]) -> str:
    """Texts as one that `(string_to_array(…, chr(31)))[2:]` takes apart: each has that character, of no id, in front.

    Of an array asyncpg asks each text whether it is one itself, which takes longer than all else about it.

    Raises BadRecord where a text holds the character.
    """
    parts = ["", *texts]
    text = SEPARATOR.join(parts)
    if text.count(SEPARATOR) != len(parts) - 1:
        raise BadRecord("an id holds the character U+001F")
    return text


def listed(values: Iterable[bool | int]) -> str:
    """Numbers, or yes and no, as a text that is cast to an array; see `joined`."""
    return f"{{{','.join(map(str, values))}}}"


def moments(values: Iterable[datetime | None]) -> str:
    """Moments, or none, as a text that is cast to an array of timestamptz; see `joined`."""
    written: list[str] = []
    last: datetime | None = None
    text = "NULL"
    for value in values:  # the same one after the other, mostly
        if value is not last:
            last, text = value, "NULL" if value is None else value.isoformat()
        written.append(text)
    return f"{{{','.join(written)}}}"


def _moved(by: int, parameter: re.Match[str]) -> str:
    return f"${int(parameter[1]) + by}"


def _bare(block: str) -> str:
    return "\n".join(line for line in block.splitlines() if not line.startswith("--"))
