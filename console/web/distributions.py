"""`/p/<project>/distributions`: the list, as a page and as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from aiohttp import web

from console.control import distributions
from console.control.statistics import numbers_of
from console.web.pages import FieldProblem, respond
from console.web.project_pages import DistributionRow, DistributionsPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path
from console.web.summary import trigger_words
from console.web.tables import address, csv_file, json_file
from schemas.closed import DistributionStatus, members
from schemas.distribution import Distribution
from schemas.formats.cursors import parse_cursor, write_cursor
from schemas.names import ROUGHLY_LIKE, did_you_mean

_ON_A_PAGE, _AT_ONCE = 50, 500
_LONGEST_TEXT = 200
_PERIOD = timedelta(hours=24)
_STATUSES = members(DistributionStatus)
_COLUMNS = ("id", "name", "status", "trigger", "channels", "sent", "held", "skipped", "failed", "changed_at")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The parameters of the list."""

    text: str | None
    status: DistributionStatus | None
    after: str
    problems: tuple[FieldProblem, ...]


async def show_list(mine: ProjectVisit) -> web.Response:
    """A page of them."""
    asked = _read(mine)
    rows, following = ((), None) if asked.problems else await _rows(mine, asked, _ON_A_PAGE)
    path, chosen = f"{base_of(mine.project_id)}/distributions", {"q": asked.text, "status": asked.status}
    page = DistributionsPage(
        here=path,
        problems=asked.problems,
        rows=rows,
        text=asked.text or "",
        status=asked.status or "",
        statuses=_STATUSES,
        is_first=not asked.after,
        next=address(path, {**chosen, "cursor": following}) if following else None,
        table_json=address(f"{path}.json", {**chosen, "cursor": mine.query.get("cursor")}),
        table_csv=address(f"{path}.csv", chosen),
        missing=await mine.lag.in_words(mine.pool, mine.now) if rows else None,
        **mine.frame,
    )
    return respond(page, 422 if asked.problems else 200)


async def list_as_json(mine: ProjectVisit) -> web.Response:
    """The page's rows for programs."""
    asked = _read(mine)
    if asked.problems:
        return _refused(asked)
    rows, following = await _rows(mine, asked, _ON_A_PAGE)
    return json_file([_cells(row) for row in rows], following)


async def list_as_csv(mine: ProjectVisit) -> web.Response:
    """All rows that the filter chooses, from the first on."""
    asked = _read(mine)
    if asked.problems:
        return _refused(asked)
    cells = [_cells(row) | {"channels": ", ".join(row.channels)} async for row in _all(mine, asked)]
    return csv_file("distributions", _COLUMNS, ([row[name] for name in _COLUMNS] for row in cells))


def _read(mine: ProjectVisit) -> _Asked:
    """The parameters, and what is wrong with them."""
    text, status, problems = mine.query.get("q", "").strip(), mine.query.get("status", ""), list[FieldProblem]()
    if len(text) > _LONGEST_TEXT:
        problems.append(FieldProblem("q", f"Text: must have at most {_LONGEST_TEXT} characters"))
    if "\0" in text:
        problems.append(FieldProblem("q", "Text: must not contain U+0000"))
    if status and status not in _STATUSES:
        hint = did_you_mean(status, _STATUSES, ROUGHLY_LIKE)
        problems.append(FieldProblem("status", f"State: must be one of {', '.join(_STATUSES)}.{hint}"))
    after = ""
    try:
        after = parse_cursor(mine.query["cursor"], str) if mine.query.get("cursor") else ""
    except ValueError:
        problems.append(FieldProblem("q", "This page's address was changed: begin with the first page"))
    known = cast(DistributionStatus, status) if status in _STATUSES else None
    return _Asked(text[:_LONGEST_TEXT] or None, known, after, tuple(problems))


async def _rows(mine: ProjectVisit, asked: _Asked, limit: int) -> tuple[list[DistributionRow], str | None]:
    """Those behind a place, with their numbers, and the cursor of the next page."""
    found = await distributions.page(
        mine.pool, mine.project_id, asked.after, limit + 1, status=asked.status, text=asked.text
    )
    page = found[:limit]
    following = write_cursor(page[-1].id) if len(found) > limit else None
    return await _counted(mine, page), following


async def _all(mine: ProjectVisit, asked: _Asked) -> AsyncIterator[DistributionRow]:
    after = ""
    while True:
        behind = _Asked(asked.text, asked.status, after, ())
        rows, following = await _rows(mine, behind, _AT_ONCE)
        for row in rows:
            yield row
        if following is None:
            return
        after = rows[-1].id


async def _counted(mine: ProjectVisit, page: Sequence[Distribution]) -> list[DistributionRow]:
    if not page:
        return []
    ids = [one.id for one in page]
    decided, ended = await numbers_of(mine.pool, mine.project_id, ids, mine.now - _PERIOD, mine.now)
    numbers: Counter[tuple[str | None, str]] = Counter()
    for one in (*decided, *ended):
        numbers[one.distribution, one.outcome] += one.records
    return [
        DistributionRow(
            id=one.id, name=one.name, status=one.status, trigger=trigger_words(one.trigger),
            channels=list(dict.fromkeys(plan.channel for _, plan in one.plans())),
            sent=numbers[one.id, "sent"] + numbers[one.id, "recovered"], held=numbers[one.id, "deferred"],
            skipped=numbers[one.id, "skipped"], failed=numbers[one.id, "failed"], changed_at=one.updated_at,
            path=distribution_path(mine.project_id, one.id),
        )
        for one in page
    ]  # fmt: skip


def _cells(row: DistributionRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in _COLUMNS} | {"changed_at": row.changed_at.isoformat()}


def _refused(asked: _Asked) -> web.Response:
    said = "\n".join(one.message for one in asked.problems)
    return web.Response(status=422, text=said)


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/distributions", "distributions:read", show_list),
    ProjectRoute("/distributions.json", "distributions:read", list_as_json),
    ProjectRoute("/distributions.csv", "distributions:read", list_as_csv),
)
