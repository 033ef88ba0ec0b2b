"""Imports of codes over HTTP: hand in a file, see how far it is, cancel it."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.route import ById, Call, CsvBody, Cursor, Instant, Nothing, Paged, Reply, Route, Writing
from console.control import imports
from console.control.files.code_file import COLUMNS
from console.control.imports import Upload
from store.codes.staged import ImportRow, ImportState


class _After(NamedTuple):
    """The last import that was shown."""

    created_at: Instant
    import_id: str


class HandingIn(Writing, frozen=True, kw_only=True):
    """The parameters of a file. A dry run keeps nothing, and looks at no line of it."""

    as_written: Annotated[bool, Meta(description="Codes that look as a spreadsheet makes them are meant so.")] = False


class CodeImport(msgspec.Struct, frozen=True, kw_only=True):
    """A file of codes: its lines are checked all, and where none is wrong added, batch by batch.

    Of `rows`, `rows_read` are done: `added`, or left as they are, since they were in the project before
    (`there_already`) or stand above in the file (`doubled`). `problems` names the first lines that are wrong: then it
    is refused, and nothing was added. What was added before it failed or was canceled stays; the same file again adds
    what is missing. `alike` are like another code but for capitals, or zeros in front; `expired` have ended already.
    """

    id: str
    campaign: str
    state: ImportState
    bytes: int
    bytes_read: int
    rows: int
    rows_read: int
    added: int
    there_already: int
    doubled: int
    alike: int
    expired: int
    may_lack_zeros: bool
    problems: list[str]
    why: str
    created_by: str
    canceled_by: str | None
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None


class ImportPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some imports, newest first."""

    items: list[CodeImport]
    next: Cursor | None = None


class ChangedImport(msgspec.Struct, frozen=True, kw_only=True):
    """An import after what was done, or would be by a dry run, of which nothing is kept."""

    import_: CodeImport = msgspec.field(name="import")
    dry_run: bool


async def post_import(call: Call[ById, HandingIn, Upload]) -> Reply:
    """Hand in a file, which is added afterwards."""
    query = call.query
    made = await imports.begin(
        call.pool, call.project_id, call.path.id, call.body,
        as_written=query.as_written, actor=call.actor, dry_run=query.dry_run,
    )  # fmt: skip
    reply = ChangedImport(import_=_import(made), dry_run=query.dry_run)
    return Reply(reply, 200) if query.dry_run else Reply(reply, 202, {"location": f"/api/v1/imports/{made.import_id}"})


async def list_imports(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    after, limit = read_cursor(call.query.cursor, _After), call.query.limit
    found = await imports.listed(call.pool, call.project_id, limit + 1, after)
    rows, following = next_cursor(found, limit, lambda one: (one.created_at, one.import_id))
    return Reply(ImportPage(items=list(map(_import, rows)), next=following))


async def get_import(call: Call[ById, Nothing, None]) -> Reply:
    """One of them."""
    return Reply(_import(await imports.find(call.pool, call.project_id, call.path.id)))


async def cancel_import(call: Call[ById, Writing, None]) -> Reply:
    """Have no more of it added."""
    dry_run = call.query.dry_run
    after = await imports.cancel(call.pool, call.project_id, call.path.id, actor=call.actor, dry_run=dry_run)
    return Reply(ChangedImport(import_=_import(after), dry_run=dry_run))


def _import(row: ImportRow) -> CodeImport:
    return CodeImport(
        id=row.import_id, campaign=row.campaign_id, state=row.state, bytes=row.bytes, bytes_read=row.bytes_read,
        rows=row.rows, rows_read=row.rows_read, added=row.added, there_already=row.in_project, doubled=row.in_file,
        alike=row.alike, expired=row.expired, may_lack_zeros=row.may_lack_zeros, problems=list(row.problems),
        why=row.why, created_by=row.created_by, canceled_by=row.cancel_by, created_at=row.created_at,
        started_at=row.started_at, ended_at=row.ended_at,
    )  # fmt: skip


_ID = {"id": "import_1"}

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/campaigns/{id}/imports", "campaigns:write",
        "Hand in a file of codes, which is checked and added afterwards: /imports/{id} says how far it is", post_import,
        {200: ChangedImport, 202: ChangedImport}, path_type=ById, query_type=HandingIn,
        body=CsvBody(f"{COLUMNS.known}; as many bytes as `api.import_max_bytes` allows.", is_large=True),
        path_example={"id": "spring"}, body_example="code\nSPRING-7K3F\n", seconds=600.0,
    ),
    Route(
        "GET", "/imports", "campaigns:read", "List imports of codes, newest first", list_imports, {200: ImportPage},
        query_type=Paged,
    ),
    Route(
        "GET", "/imports/{id}", "campaigns:read", "See how far an import of codes is", get_import, {200: CodeImport},
        path_type=ById, path_example=_ID,
    ),
    Route(
        "POST", "/imports/{id}/cancel", "campaigns:write", "Have no more of it added; what was added stays",
        cancel_import, {200: ChangedImport}, path_type=ById, query_type=Writing, path_example=_ID,
    ),
)  # fmt: skip
