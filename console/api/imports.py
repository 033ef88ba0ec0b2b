"""Imports of codes and of customers over HTTP: hand in a file, see how far it is, cancel it."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.route import ById, Call, CsvBody, Cursor, Instant, Nothing, Paged, Reply, Route, Writing
from console.control import imports
from console.control.files.code_file import COLUMNS
from console.control.files.customer_file import COLUMNS as CUSTOMER_COLUMNS
from console.control.imports import Upload
from store.imports import ImportForm, ImportKind, ImportProblem, ImportRow, ImportState, LookedThrough


class _After(NamedTuple):
    """The last import that was shown."""

    created_at: Instant
    import_id: str


class HandingIn(Writing, frozen=True, kw_only=True):
    """The parameters of a file of codes. A dry run keeps nothing, and looks at the first lines of it."""

    as_written: Annotated[bool, Meta(description="Codes that look as a spreadsheet makes them are meant so.")] = False


class HandingInCustomers(Writing, frozen=True, kw_only=True):
    """The parameters of a file of customers. A dry run keeps nothing, and looks at the first lines of it."""

    skip_wrong: Annotated[
        bool, Meta(description="Lines that are wrong are left out, and the others written; else none is.")
    ] = False


class PagedImports(Paged, frozen=True, kw_only=True):
    """The parameters of the list."""

    kind: ImportKind | None = None


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """A file of codes or customers: its lines are checked all, and where none is wrong added, batch by batch.

    Of `rows`, `rows_read` are done: `added`, or left as they are, since they were in the project before
    (`there_already`) or stand above in the file (`doubled`); customers that were `erased` since it was handed in are
    left out. `problems` names the first lines that are `wrong`: then it is refused, and nothing was added; of customers
    such lines may be skipped (`skip_wrong`). What was added before it failed or was canceled stays; the same file again
    adds what is missing. `alike` are like another code but for capitals, or zeros in front; `expired` have ended.
    """

    id: str
    kind: ImportKind
    form: ImportForm
    campaign: str | None
    state: ImportState
    skip_wrong: bool
    bytes: int
    bytes_read: int
    rows: int
    rows_read: int
    added: int
    there_already: int
    doubled: int
    wrong: int
    erased: int
    alike: int
    expired: int
    may_lack_zeros: bool
    problems: list[ImportProblem]
    why: str
    created_by: str
    canceled_by: str | None
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None


class TriedImport(msgspec.Struct, frozen=True, kw_only=True):
    """The first rows of a file, at most 10,000, looked at: whether it `is_right` so far, and the lines that are wrong.

    `looked_at` are the rows; of those behind them nothing is said.
    """

    is_right: bool
    bytes: int
    looked_at: int
    wrong: int
    problems: list[ImportProblem]
    alike: int
    expired: int
    may_lack_zeros: bool
    dry_run: bool = True


class ImportPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some imports, newest first."""

    items: list[Import]
    next: Cursor | None = None


class ChangedImport(msgspec.Struct, frozen=True, kw_only=True):
    """An import after what was done, or would be by a dry run, of which nothing is kept."""

    import_: Import = msgspec.field(name="import")
    dry_run: bool


async def post_import(call: Call[ById, HandingIn, Upload]) -> Reply:
    """Hand in a file of codes, which is added afterwards."""
    file, as_written, campaign = call.body, call.query.as_written, (call.project_id, call.path.id)
    if call.query.dry_run:
        tried = await imports.try_codes(call.pool, call.wiring, *campaign, file, as_written=as_written, now=call.now)
        return _tried(file, *tried)
    return _begun(await imports.begin_codes(call.pool, *campaign, file, as_written=as_written, actor=call.actor))


async def post_customers(call: Call[Any, HandingInCustomers, Upload]) -> Reply:
    """Hand in a file of customers, which is written afterwards."""
    file, skip_wrong, project_id = call.body, call.query.skip_wrong, call.project_id
    if call.query.dry_run:
        tried = await imports.try_customers(call.wiring, project_id, file, skip_wrong=skip_wrong, now=call.now)
        return _tried(file, *tried)
    return _begun(await imports.begin_customers(call.pool, project_id, file, skip_wrong=skip_wrong, actor=call.actor))


def _begun(made: ImportRow) -> Reply:
    reply = ChangedImport(import_=_import(made), dry_run=False)
    return Reply(reply, 202, {"location": f"/api/v1/imports/{made.import_id}"})


def _tried(upload: Upload, found: LookedThrough, is_right: bool) -> Reply:
    tried = TriedImport(
        is_right=is_right, bytes=upload.size, looked_at=found.rows, wrong=found.wrong, problems=list(found.problems),
        alike=found.alike, expired=found.expired, may_lack_zeros=found.may_lack_zeros,
    )  # fmt: skip
    return Reply(tried)


async def list_imports(call: Call[Any, PagedImports, None]) -> Reply:
    """A page of them."""
    after, limit = read_cursor(call.query.cursor, _After), call.query.limit
    found = await imports.listed(call.pool, call.project_id, limit + 1, after, call.query.kind)
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


def _import(row: ImportRow) -> Import:
    return Import(
        id=row.import_id, kind=row.kind, form=row.form, campaign=row.campaign_id, state=row.state,
        skip_wrong=row.skip_wrong, bytes=row.bytes, bytes_read=row.bytes_read, rows=row.rows, rows_read=row.rows_read,
        added=row.added, there_already=row.in_project, doubled=row.in_file, wrong=row.wrong, erased=row.erased,
        alike=row.alike, expired=row.expired, may_lack_zeros=row.may_lack_zeros, problems=list(row.problems),
        why=row.why, created_by=row.created_by, canceled_by=row.cancel_by, created_at=row.created_at,
        started_at=row.started_at, ended_at=row.ended_at,
    )  # fmt: skip


_ID = {"id": "import_1"}

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/campaigns/{id}/imports", "campaigns:write",
        "Hand in a file of codes, which is checked and added afterwards: /imports/{id} says how far it is", post_import,
        {200: TriedImport, 202: ChangedImport}, path_type=ById, query_type=HandingIn,
        body=CsvBody(f"{COLUMNS.known}."),
        path_example={"id": "spring"}, body_example="code\nSPRING-7K3F\n", seconds=600.0,
    ),
    Route(
        "POST", "/customers/imports", "customers:write",
        "Hand in a file of customers, whose whole profiles are checked and replaced afterwards", post_customers,
        {200: TriedImport, 202: ChangedImport}, query_type=HandingInCustomers,
        body=CsvBody(f"{CUSTOMER_COLUMNS.known}; or one profile a line, as JSON.", or_json=True),
        body_example="id,email,consents.marketing,metadata.points:number\nc1,ann@shop.example,true,12\n", seconds=600.0,
    ),
    Route(
        "GET", "/imports", "imports:read", "List imports of codes and customers, newest first", list_imports,
        {200: ImportPage}, query_type=PagedImports,
    ),
    Route(
        "GET", "/imports/{id}", "imports:read", "See how far an import is", get_import, {200: Import},
        path_type=ById, path_example=_ID,
    ),
    Route(
        "POST", "/imports/{id}/cancel", "imports:cancel", "Have no more of it added; what was added stays",
        cancel_import, {200: ChangedImport}, path_type=ById, query_type=Writing, path_example=_ID,
    ),
)  # fmt: skip
