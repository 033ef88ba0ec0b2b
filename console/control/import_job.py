"""One import that this process works on: the means of whoever looks through its file and adds what is in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from agents.wiring import Wiring
from console.control.leased import NotOurs
from schemas.errors import Problem
from store.imports import ImportProblem, ImportRow, LookedThrough, StagedImports
from streams.values.wording import parts_of

NAME = "line"
"""Stands where the name of a file does, as in line:17."""
_LINE = re.compile(rf"{NAME}:(\d+)")


@dataclass(slots=True)
class ImportJob:
    """An import, as it was claimed by `owner` for as long as a `lease`. `is_stopping` is to leave it to another."""

    one: ImportRow
    pool: asyncpg.Pool
    wiring: Wiring
    owner: str
    lease: timedelta
    clock: Callable[[], datetime]
    is_stopping: Callable[[], bool]
    batch_size: int
    bytes_read: int = 0

    def see(self, bytes_read: int) -> None:
        """So much of it was looked through."""
        self.bytes_read = bytes_read

    async def checked(self, found: LookedThrough) -> None:
        """It may be added. Raises NotOurs."""
        if not await StagedImports(self.pool).checked(self.one, self.owner, found):
            raise NotOurs


def problem_of(problem: Problem) -> ImportProblem:
    """A problem of a file, by its line."""
    line = _LINE.fullmatch(problem.path)
    return problem_at(int(line[1]) if line else None, "", problem.message)


def problem_at(line: int | None, field: str, said: str) -> ImportProblem:
    """A problem of a line and a field of it."""
    given, allowed, _ = parts_of(said)
    return ImportProblem(line=line, field=field, given=given, allowed=allowed, detail=said)
