"""`/p/<project>/imports/codes` and `/imports/customers`: a file is handed in, once its first lines were looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aiohttp import web

from console.control import campaigns, imports
from console.control.campaigns import has_codes
from console.control.files.code_file import COLUMNS
from console.control.files.customer_file import COLUMNS as CUSTOMER_COLUMNS
from console.control.not_found import NotFound
from console.web.imports import LIST, problem_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_campaigns import NewImportPage, import_form
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address
from console.web.words import count_of, inert
from schemas.errors import TidingsError, TryLater
from store.imports import LookedThrough

MOST_BYTES = 32 * 1024 * 1024
"""Of a file in a form; commands and the API take larger ones."""
_CODES, _CUSTOMERS = f"{LIST.path}/codes", f"{LIST.path}/customers"
_OFFERED, _SHOWN = 200, 20


async def ask_codes(mine: ProjectVisit) -> web.Response:
    """The form of a file of codes, with the campaign that the address names. Raises TryLater."""
    return await _page(mine, "codes", {**import_form(), "campaign": mine.text("campaign")})


async def ask_customers(mine: ProjectVisit) -> web.Response:
    """The form of a file of customers."""
    return await _page(mine, "customers", import_form())


async def take_codes(mine: ProjectVisit) -> web.Response:
    """Look at the first lines, and hand it in where they are right. Raises TryLater."""
    async with mine.visit.upload(MOST_BYTES) as (fields, upload):
        given = {name: fields.get(name, "").strip() for name in import_form()}
        campaign, as_written = given["campaign"], given["as_written"] == "yes"
        if not campaign or "\0" in campaign:
            return await _page(mine, "codes", given, [_NO_CAMPAIGN])
        if upload is None:
            return await _page(mine, "codes", given, [_NO_FILE])
        of = (mine.project_id, campaign, upload)
        try:
            found, is_right = await imports.try_codes(mine.pool, mine.wiring, *of, as_written=as_written, now=mine.now)
            if not is_right:
                return await _page(mine, "codes", given, list(_wrong(found)))
            made = await imports.begin_codes(mine.pool, *of, as_written=as_written, actor=mine.actor)
        except TryLater:
            raise
        except NotFound as error:
            return await _page(mine, "codes", given, [FieldProblem("campaign", f"Campaign: {inert(error)}")])
        except TidingsError as error:
            return await _page(mine, "codes", given, [FieldProblem("file", f"File: {inert(error)}")])
    return _handed_in(mine, made.import_id)


async def take_customers(mine: ProjectVisit) -> web.Response:
    """Look at the first lines, and hand it in where they are right, or may be skipped. Raises TryLater."""
    async with mine.visit.upload(MOST_BYTES) as (fields, upload):
        given = {name: fields.get(name, "").strip() for name in import_form()}
        if upload is None:
            return await _page(mine, "customers", given, [_NO_FILE])
        skips, of = given["skip_wrong"] == "yes", (mine.project_id, upload)
        try:
            found, is_right = await imports.try_customers(mine.wiring, *of, skip_wrong=skips, now=mine.now)
            if not is_right:
                return await _page(mine, "customers", given, list(_wrong(found)))
            made = await imports.begin_customers(mine.pool, *of, skip_wrong=skips, actor=mine.actor)
        except TryLater:
            raise
        except TidingsError as error:
            return await _page(mine, "customers", given, [FieldProblem("file", f"File: {inert(error)}")])
    return _handed_in(mine, made.import_id)


def _handed_in(mine: ProjectVisit, import_id: str) -> web.Response:
    return see(address(base_of(mine.project_id) + LIST.path, {"began": import_id}))


def _wrong(found: LookedThrough) -> Iterator[FieldProblem]:
    """The first lines that are wrong, at the field of the file, and how many there are besides."""
    for one in map(problem_of, found.problems[:_SHOWN]):
        line = f"line {one.line}: " if one.line is not None else ""
        yield FieldProblem("file", f"File, {line}{inert(one.text)}")
    if found.wrong > len(found.problems[:_SHOWN]):
        yield FieldProblem("file", f"{count_of(found.wrong, 'line')} of the first {found.rows:,} are wrong in all")


async def _page(
    mine: ProjectVisit, kind: str, given: Mapping[str, str], problems: Sequence[FieldProblem] = ()
) -> web.Response:
    is_codes, offered = kind == "codes", list[tuple[str, str]]()
    if is_codes:
        every = await campaigns.listed(mine.pool, mine.project_id, mine.now)
        offered = [(one.campaign.id, one.campaign.name) for one in every if has_codes(one.campaign)][:_OFFERED]
    base = base_of(mine.project_id)
    page = NewImportPage(
        title=f"Hand in a file of {kind}",
        here=base + LIST.path,
        path=base + (_CODES if is_codes else _CUSTOMERS),
        problems=problems,
        kind=kind,
        columns=(COLUMNS if is_codes else CUSTOMER_COLUMNS).known,
        campaigns=offered,
        most=MOST_BYTES // 1024 // 1024,
        given=given,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


_NO_CAMPAIGN = FieldProblem("campaign", "Campaign: choose whose codes they are")
_NO_FILE = FieldProblem("file", "File: choose one; a browser does not keep one that was chosen before")
ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute(_CODES, "campaigns:write", ask_codes),
    ProjectRoute(_CODES, "campaigns:write", take_codes, "POST"),
    ProjectRoute(_CUSTOMERS, "customers:write", ask_customers),
    ProjectRoute(_CUSTOMERS, "customers:write", take_customers, "POST"),
)
