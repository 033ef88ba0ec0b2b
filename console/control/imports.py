"""Imports of files that are handed in whole: hand one in, look, cancel; and the work on them, one by one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from tempfile import TemporaryFile
from typing import BinaryIO

import asyncpg
import structlog

from agents.wiring import Wiring
from console.control.codes import with_codes
from console.control.context import stored_project
from console.control.events import Reading
from console.control.files.code_check import FileCheck
from console.control.files.csv_file import OpenFile
from console.control.import_job import NAME, ImportJob
from console.control.import_of_codes import code_file, import_codes, look_through
from console.control.import_of_customers import CustomersLook, import_customers
from console.control.leased import BEAT_SECONDS, LEASE, LOOK_SECONDS, NotOurs, until_over, while_ours
from console.control.not_found import not_found
from schemas.errors import TidingsError, TryLater
from store.imports import ImportForm, ImportKind, ImportPlace, ImportRow, LookedThrough, NewImport, StagedImports

log = structlog.get_logger()

BATCH_SIZE = 5000
"""Rows of a transaction; claims of a campaign, and erasures of customers, wait for so long."""
MOST_TRIED = 10_000
"""Rows that a dry run looks at."""
_PART_BYTES = 1 << 20


class ImportOver(TidingsError):
    """An import that has ended already."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came whole: open, of so many bytes, and of a form."""

    file: BinaryIO
    size: int
    form: ImportForm = "csv"

    async def parts(self) -> AsyncIterator[bytes]:
        """Its content, in parts."""
        await asyncio.to_thread(self.file.seek, 0)
        while part := await asyncio.to_thread(self.file.read, _PART_BYTES):
            yield part


async def begin_codes(
    pool: asyncpg.Pool, project_id: str, campaign: str, upload: Upload, *, as_written: bool, actor: str
) -> ImportRow:
    """Hand in a file of codes, to be looked through and added afterwards. Raises NotFound, TidingsError, TryLater."""
    await with_codes(pool, project_id, campaign)
    new = NewImport(kind="codes", campaign_id=campaign, as_written=as_written, size=upload.size)
    return await _begin(pool, project_id, new, upload, actor)


async def begin_customers(
    pool: asyncpg.Pool, project_id: str, upload: Upload, *, skip_wrong: bool, actor: str
) -> ImportRow:
    """Hand in a file of customers, to be looked through and written afterwards. Raises TidingsError, TryLater."""
    new = NewImport(kind="customers", form=upload.form, skip_wrong=skip_wrong, size=upload.size)
    return await _begin(pool, project_id, new, upload, actor)


async def _begin(pool: asyncpg.Pool, project_id: str, new: NewImport, upload: Upload, actor: str) -> ImportRow:
    import_id = f"import_{secrets.token_hex(12)}"
    return await StagedImports(pool).add(project_id, import_id, new, upload.parts(), by=actor)


async def try_codes(
    pool: asyncpg.Pool,
    wiring: Wiring,
    project_id: str,
    campaign: str,
    upload: Upload,
    *,
    as_written: bool,
    now: datetime,
) -> tuple[LookedThrough, bool]:
    """Look at the first rows of a file of codes, and say whether they would be added. Raises as `begin_codes`."""
    await with_codes(pool, project_id, campaign)
    project = await stored_project(pool, wiring.settings, project_id)
    file = code_file(OpenFile(NAME, upload.file), project, as_written=as_written)
    return await look_through(pool, project_id, FileCheck(file, now, most=MOST_TRIED))


async def try_customers(
    wiring: Wiring, project_id: str, upload: Upload, *, skip_wrong: bool, now: datetime, most: int | None = MOST_TRIED
) -> tuple[LookedThrough, bool]:
    """Look at the first rows of a file of customers, or all, and say whether they would be written."""
    reading = Reading.by(wiring.settings.matcher, project_id, now, customers=True)

    def look() -> tuple[LookedThrough, bool]:
        file = OpenFile(NAME, upload.file)
        with closing(CustomersLook(wiring, file, upload.form, reading)) as looking:
            for _ in looking.look(most):
                pass
            return looking.found(), looking.is_taken(skip_wrong=skip_wrong)

    return await asyncio.to_thread(look)


async def find(pool: asyncpg.Pool, project_id: str, import_id: str) -> ImportRow:
    """One import. Raises NotFound, TryLater."""
    found = await StagedImports(pool).find(project_id, import_id)
    if found is None:
        raise not_found("import", import_id, await StagedImports(pool).ids(project_id))
    return found


async def listed(
    pool: asyncpg.Pool,
    project_id: str,
    limit: int,
    after: ImportPlace | None = None,
    kind: ImportKind | None = None,
    campaign: str | None = None,
) -> list[ImportRow]:
    """The newest imports, or those of one kind, or for one campaign, behind a place. Raises TryLater."""
    return await StagedImports(pool).listed(project_id, limit, after, kind, campaign)


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
    wiring: Wiring
    owner: str
    clock: Callable[[], datetime]
    is_stopping: Callable[[], bool] = lambda: False
    batch_size: int = BATCH_SIZE
    beat_seconds: float = BEAT_SECONDS

    async def work(self, until: ImportRow | None = None) -> bool:
        """Do the oldest import that nobody works on, to its end; False where there was none. Raises TryLater.

        `until`: it, or one of its kind that its project was handed before, since the later is to have the last word.
        What ends in the middle is gone on with by whoever claims it next, behind the last batch that is in.
        """
        staged = StagedImports(self.pool)
        one = await staged.claim(self.owner, LEASE, until)
        if one is None:
            return False
        try:
            refused = await _Running(self, staged, one).run()
        except NotOurs:
            await self._leave(staged, one)
        except TryLater:
            await self._leave(staged, one)
            raise
        except TidingsError as error:
            await staged.end(one, self.owner, "failed", why=str(error))
        except Exception as error:
            log.error("import_failed", project=one.project_id, kind=one.kind, error=type(error).__name__)
            await staged.end(one, self.owner, "failed", why=f"a defect of ours: {type(error).__name__}")
        else:
            await staged.end(one, self.owner, "refused" if refused else "done", refused)
        return True

    async def see_through(self, one: ImportRow, on_progress: Callable[[ImportRow], None]) -> ImportRow:
        """Have an import done, by us or by who has it already. Where that ends early, it is canceled. Raises TryLater.

        `on_progress` gets it as it stands, again and again.
        """
        try:
            return await until_over(lambda: self.work(one), self._watch(one, on_progress))
        except BaseException:
            with suppress(TidingsError):
                await StagedImports(self.pool).release(one, self.owner)
                await cancel(self.pool, one.project_id, one.import_id, actor=one.created_by)
            raise

    async def _watch(self, one: ImportRow, on_progress: Callable[[ImportRow], None]) -> ImportRow:
        while (now := await find(self.pool, one.project_id, one.import_id)).ended_at is None:
            on_progress(now)
            await asyncio.sleep(LOOK_SECONDS)
        return now

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
        self._job = ImportJob(one, by.pool, by.wiring, by.owner, LEASE, by.clock, by.is_stopping, by.batch_size)

    async def run(self) -> LookedThrough | None:
        """Look through all of it, then add what is not in yet; what is wrong, where nothing is added for that.

        Raises what ends it, NotOurs.
        """
        return await while_ours(self._import(), self._beat, self._by.is_stopping, self._by.beat_seconds)

    async def _beat(self) -> bool:
        """Keep it ours; False where it is not."""
        return await self._staged.beat(self._one, self._by.owner, self._job.bytes_read, LEASE)

    async def _import(self) -> LookedThrough | None:
        with TemporaryFile() as file:  # without a name: nothing of it stays where the process ends
            await self._copy_to(file)
            await self._staged.begin_check(self._one, self._by.owner)
            work = import_codes if self._one.kind == "codes" else import_customers
            return await work(self._job, OpenFile(NAME, file))

    async def _copy_to(self, file: BinaryIO) -> None:
        number = 0
        while (part := await self._staged.part(self._one, number)) is not None:
            await asyncio.to_thread(file.write, part)
            number += 1
