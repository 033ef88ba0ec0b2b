"""Imports of files of codes that are handed in whole: hand one in, look, cancel; and the work on them, one by one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import asyncpg
import structlog

from console.control.codes import with_codes
from console.control.context import stored_project
from console.control.files.code_check import FileCheck, folded
from console.control.files.code_file import CodeFile
from console.control.files.code_row import RowReader
from console.control.files.csv_file import NamedFile
from console.control.not_found import not_found
from deploy.settings.settings import Settings
from schemas.errors import DefinitionInvalid, TidingsError, TryLater
from store.codes.imports import Also, CodeImport, Merged
from store.codes.names import alike_codes
from store.codes.staged import ImportPlace, ImportRow, StagedImports, advanced

log = structlog.get_logger()

BATCH_SIZE = 5000
"""Codes of a transaction; claims of the campaign wait for so long."""
_PART_BYTES = 1 << 20
_LEASE = timedelta(seconds=60)
_BEAT_SECONDS = 5.0
_NAME = "line"
"""Stands where the name of a file does, as in line:17."""


class ImportOver(TidingsError):
    """An import that has ended already."""


class _NotOurs(Exception):
    """Somebody wants its end, or another process works on it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came whole: open, of so many bytes."""

    file: BinaryIO
    size: int

    async def parts(self) -> AsyncIterator[bytes]:
        """Its content, in parts."""
        await asyncio.to_thread(self.file.seek, 0)
        while part := await asyncio.to_thread(self.file.read, _PART_BYTES):
            yield part


async def begin(
    pool: asyncpg.Pool,
    project_id: str,
    campaign: str,
    upload: Upload,
    *,
    as_written: bool,
    actor: str,
    dry_run: bool = False,
) -> ImportRow:
    """Hand in a file of codes, to be looked through and added afterwards. Raises NotFound, TidingsError, TryLater."""
    await with_codes(pool, project_id, campaign)
    import_id = f"import_{secrets.token_hex(12)}"
    return await StagedImports(pool).add(
        project_id, import_id, campaign, upload.parts(),
        size=upload.size, as_written=as_written, by=actor, dry_run=dry_run,
    )  # fmt: skip


async def find(pool: asyncpg.Pool, project_id: str, import_id: str) -> ImportRow:
    """One import. Raises NotFound, TryLater."""
    found = await StagedImports(pool).find(project_id, import_id)
    if found is None:
        raise not_found("import", import_id, await StagedImports(pool).ids(project_id))
    return found


async def listed(pool: asyncpg.Pool, project_id: str, limit: int, after: ImportPlace | None = None) -> list[ImportRow]:
    """The newest imports, behind a place. Raises TryLater."""
    return await StagedImports(pool).listed(project_id, limit, after)


async def cancel(
    pool: asyncpg.Pool, project_id: str, import_id: str, *, actor: str, dry_run: bool = False
) -> ImportRow:
    """Have no more of it added; what was added stays. Raises NotFound, ImportOver, TryLater."""
    before = await find(pool, project_id, import_id)
    after = await StagedImports(pool).cancel(project_id, import_id, actor, dry_run=dry_run)
    if after is None:
        raise ImportOver(f"{import_id} is {before.state} and cannot be canceled")
    return after


# -- the work -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ImportWork:
    """The work on imports in one process. `is_stopping` says that it is to leave what it does to another."""

    pool: asyncpg.Pool
    settings: Settings
    owner: str
    clock: Callable[[], datetime]
    is_stopping: Callable[[], bool] = lambda: False
    batch_size: int = BATCH_SIZE
    beat_seconds: float = _BEAT_SECONDS

    async def work(self) -> bool:
        """Do the oldest import that nobody works on, to its end; False where there was none. Raises TryLater.

        What ends in the middle is gone on with by whoever claims it next, behind the last batch that is in.
        """
        staged = StagedImports(self.pool)
        one = await staged.claim(self.owner, _LEASE)
        if one is None:
            return False
        try:
            await _Running(self, staged, one).run()
        except DefinitionInvalid as error:
            await staged.end(one, self.owner, "refused", [str(problem) for problem in error.problems])
        except (_NotOurs, TryLater):
            await self._leave(staged, one)
        except TidingsError as error:
            await staged.end(one, self.owner, "failed", why=str(error))
        except Exception as error:
            log.error("import_failed", project=one.project_id, campaign=one.campaign_id, error=type(error).__name__)
            await staged.end(one, self.owner, "failed", why=f"a defect of ours: {type(error).__name__}")
        else:
            await staged.end(one, self.owner, "done")
        return True

    async def _leave(self, staged: StagedImports, one: ImportRow) -> None:
        now = await staged.find(one.project_id, one.import_id)
        if now is not None and now.cancel_by is not None:
            await staged.end(one, self.owner, "canceled")
        else:
            await staged.release(one, self.owner)


class _Running:
    """One import that is ours."""

    def __init__(self, by: ImportWork, staged: StagedImports, one: ImportRow) -> None:
        self._by, self._staged, self._one = by, staged, one
        self._bytes_read = 0

    async def run(self) -> None:
        """Look through all of it, then add what is not in yet. Raises what ends it, _NotOurs."""
        work, beats = asyncio.ensure_future(self._import()), asyncio.ensure_future(self._beat())
        try:
            await asyncio.wait((work, beats), return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_done = work.done()
            for task in (work, beats):
                task.cancel()
            await asyncio.gather(work, beats, return_exceptions=True)
        await (work if is_done else beats)

    async def _beat(self) -> None:
        """Keep it ours until it is not."""
        while not self._by.is_stopping():
            if not await self._staged.beat(self._one, self._by.owner, self._bytes_read, _LEASE):
                break
            await asyncio.sleep(self._by.beat_seconds)
        raise _NotOurs

    async def _import(self) -> None:
        with TemporaryDirectory(prefix="tidings-") as folder:
            path = Path(folder, "codes.csv")
            await self._write(path)
            project = await stored_project(self._by.pool, self._by.settings, self._one.project_id)
            reader = RowReader(project.zone, as_written=self._one.as_written)
            file = CodeFile(NamedFile(_NAME, path), reader)
            await self._check(file)
            await self._add(file)

    async def _write(self, path: Path) -> None:
        number = 0
        with path.open("wb") as file:
            while (part := await self._staged.part(self._one, number)) is not None:
                await asyncio.to_thread(file.write, part)
                number += 1

    async def _check(self, file: CodeFile) -> None:
        one, by = self._one, self._by
        await self._staged.begin_check(one, by.owner)
        check = FileCheck(file, by.clock(), self._see)
        alike = await alike_codes(by.pool, one.project_id, check.names(), folded, name=0)
        found = check.result()
        is_ours = await self._staged.checked(
            one, by.owner, found.rows,
            alike=alike.total, expired=found.expired, may_lack_zeros=found.digits.may_lack_zeros,
        )  # fmt: skip
        if not is_ours:
            raise _NotOurs

    def _see(self, bytes_read: int) -> None:
        self._bytes_read = bytes_read

    async def _add(self, file: CodeFile) -> None:
        """Batch after batch, from behind those that are in."""
        one, by = self._one, self._by
        importing = CodeImport(by.pool, one.project_id, one.campaign_id, by=one.created_by, first=one.first_position)
        codes, at = islice(file.codes(), one.rows_read, None), one.rows_read
        while chunk := list(islice(codes, by.batch_size)):
            await importing.merge(chunk, by.clock(), also=self._advance(at, len(chunk)))
            at += len(chunk)

    def _advance(self, at: int, count: int) -> Also:
        async def advance(connection: asyncpg.Connection, first: int, merged: Merged) -> None:
            if self._by.is_stopping() or not await advanced(
                connection, self._one, self._by.owner, at, count, merged, first, _LEASE
            ):
                raise _NotOurs

        return advance
