"""A CSV file of suppressions: `key`, `channel`, `reason`, `source`, `expires_at`, `added_at` and `added_by`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from console.control.files.csv_file import Columns, CsvFile, from_cell, to_cell
from schemas.closed import CHANNELS, ChannelName
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.days import read_moment
from schemas.names import ROUGHLY_LIKE, did_you_mean
from schemas.suppression import (
    LONGEST_SOURCE,
    REASON_TEXTS,
    NewSuppression,
    Suppression,
    SuppressionReason,
    suppression_key,
)

COLUMNS = ("key", "channel", "reason", "source", "expires_at", "added_at", "added_by")

_NAMED = 10
"""Of the problems of a file, how many are named."""
_PROGRESS_EVERY = 1000

Fields = Mapping[str, str]


class SuppressionFile:
    """One file, to be read more than once. Without a reason in a row it is `reason`, without a source the file's name.

    A day as an end holds through that day in UTC. Raises DefinitionInvalid for what ends the reading.
    """

    def __init__(self, file: Path, *, project_id: str, reason: str, actor: str) -> None:
        self._csv = CsvFile(file, Columns(COLUMNS, required="key"))
        self._project_id, self._reason, self._actor = project_id, reason_of(reason), actor

    @property
    def offset(self) -> int:
        """The bytes read."""
        return self._csv.offset

    def check(self, on_progress: Callable[[int], None] = lambda _: None) -> int:
        """Read the whole file; how many rows it has. Raises DefinitionInvalid with the first problems."""
        problems, wrong, number = [], 0, 0
        for number, (line, fields, miscounted) in enumerate(self._csv.rows(), 1):
            if number % _PROGRESS_EVERY == 0:
                on_progress(self.offset)
            try:
                self._read(fields, miscounted)
            except ValueError as error:
                wrong += 1
                if wrong <= _NAMED:
                    problems.append(Problem(f"{self._csv.file}:{line}", str(error)))
        if wrong > _NAMED:
            problems.append(Problem(str(self._csv.file), f"{wrong - _NAMED:,} more lines are wrong"))
        if problems:
            raise DefinitionInvalid(tuple(problems))
        return number

    def entries(self) -> Iterator[NewSuppression]:
        """Every row, after a check found nothing."""
        for line, fields, miscounted in self._csv.rows():
            try:
                yield self._read(fields, miscounted)
            except ValueError as error:
                raise self._csv.refused(line, f"{error} (the file has changed)") from None

    def _read(self, fields: Fields, miscounted: str) -> NewSuppression:
        if miscounted:
            raise ValueError(miscounted)
        fields = {name: from_cell(cell) for name, cell in fields.items()}
        try:
            key = suppression_key(fields["key"])
        except ValueError as error:
            raise ValueError(f"key: {error}") from None
        source = fields.get("source") or self._csv.file.name
        if len(source) > LONGEST_SOURCE:
            raise ValueError(f"source has {len(source)} characters; at most {LONGEST_SOURCE} are allowed")
        reason = fields.get("reason")
        return NewSuppression(
            project_id=self._project_id,
            key=key,
            channel=channel_of(fields.get("channel", "")),
            reason=reason_of(reason) if reason else self._reason,
            source=source,
            expires_at=_moment(fields, "expires_at", is_end=True),
            added_at=_moment(fields, "added_at"),
            added_by=fields.get("added_by") or self._actor,
        )


def channel_of(written: str) -> ChannelName | None:
    """The channel of a name; None, every one, where it is empty. Raises ValueError."""
    found = next((one for one in CHANNELS if one == written.strip().lower()), None)
    if written and found is None:
        hint = did_you_mean(written, CHANNELS, ROUGHLY_LIKE)
        raise ValueError(
            f'channel: "{written[:40]}" is not valid: must be one of {", ".join(CHANNELS)}, or empty.{hint}'
        )
    return found


def reason_of(written: str) -> SuppressionReason:
    """The reason of a name. Raises ValueError."""
    found = next((one for one in REASON_TEXTS if one == written.strip().lower()), None)
    if found is None:
        hint = did_you_mean(written, REASON_TEXTS, ROUGHLY_LIKE)
        raise ValueError(f'reason: "{written[:40]}" is not valid: must be one of {", ".join(REASON_TEXTS)}.{hint}')
    return found


def moment_of(written: str, *, is_end: bool = False) -> datetime:
    """A day, which as an end holds through it, or a moment. Raises ValueError."""
    found = read_moment(written, UTC, is_end=is_end)
    if found is None:
        raise ValueError(f'"{written[:40]}" is not valid: must be a date or a moment, as in 2026-12-24 or {_EXAMPLE}')
    return found


def csv_line(columns: Iterable[str]) -> str:
    """A line of a CSV file, with its end."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(to_cell, columns))
    return text.getvalue()


def columns_of(one: Suppression) -> tuple[str, ...]:
    """An entry as a row of the file."""
    expires = one.expires_at.isoformat() if one.expires_at else ""
    return one.key, one.channel or "", one.reason, one.source, expires, one.added_at.isoformat(), one.added_by


_EXAMPLE = "2026-12-24T18:00:00Z"


def _moment(fields: Fields, name: str, *, is_end: bool = False) -> datetime | None:
    written = fields.get(name)
    try:
        return moment_of(written, is_end=is_end) if written else None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
