"""A file of codes, looked through as the command does, and added to its campaign batch by batch."""

from __future__ import annotations

from itertools import islice

import asyncpg

from console.control.context import ProjectContext, stored_project
from console.control.files.code_check import FileCheck, folded
from console.control.files.code_file import CodeFile
from console.control.files.code_row import RowReader
from console.control.files.csv_file import OpenFile
from console.control.import_job import ImportJob, problem_of
from console.control.leased import NotOurs
from schemas.errors import DefinitionInvalid
from store.codes.imports import Also, CodeImport, Merged
from store.codes.names import alike_codes
from store.imports import Batch, LookedThrough, advanced


def code_file(file: OpenFile, project: ProjectContext, *, as_written: bool) -> CodeFile:
    """A file of codes, read with the zone of its project."""
    return CodeFile(file, RowReader(project.zone, as_written=as_written))


async def look_through(pool: asyncpg.Pool, project_id: str, check: FileCheck) -> tuple[LookedThrough, bool]:
    """The figures of a file, and whether its codes may be added. Raises TryLater."""
    try:
        alike = await alike_codes(pool, project_id, check.names(), folded, name=0)
        found = check.result()
    except DefinitionInvalid as error:
        problems = tuple(map(problem_of, error.problems))
        return LookedThrough(rows=check.rows, wrong=max(check.wrong, 1), problems=problems), False
    lacks = found.digits.may_lack_zeros
    return LookedThrough(rows=found.rows, alike=alike.total, expired=found.expired, may_lack_zeros=lacks), True


async def import_codes(job: ImportJob, opened: OpenFile) -> LookedThrough | None:
    """Look through it, then add what is not in yet; what is wrong, where it is refused. Raises NotOurs."""
    one = job.one
    project = await stored_project(job.pool, job.wiring.settings, one.project_id)
    file = code_file(opened, project, as_written=one.as_written)
    found, is_right = await look_through(job.pool, one.project_id, FileCheck(file, job.clock(), job.see))
    if not is_right:
        return found
    await job.checked(found)
    importing = CodeImport(job.pool, one.project_id, one.campaign_id or "", by=one.created_by, first=one.first_position)
    codes, at = islice(file.codes(), one.rows_read, None), one.rows_read
    while chunk := list(islice(codes, job.batch_size)):
        await importing.merge(chunk, job.clock(), also=_advance(job, at, len(chunk)))
        at += len(chunk)
    return None


def _advance(job: ImportJob, at: int, count: int) -> Also:
    async def advance(connection: asyncpg.Connection, first: int, merged: Merged) -> None:
        added, in_file, in_project, _ = merged
        batch = Batch(at=at, rows=count, added=added, in_file=in_file, in_project=in_project, first_position=first)
        if job.is_stopping() or not await advanced(connection, job.one, job.owner, batch, job.lease):
            raise NotOurs

    return advance
