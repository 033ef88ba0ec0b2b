"""The document as its YAML, with what is wrong with it at the very lines, as commands print them."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from console.control import drafts
from console.control.drafts import ChangedMeanwhile, DraftProblem, DraftWrong, PlannedDraft
from console.web.builder.asked import Asked
from console.web.builder.records import BuilderTextPage, ShownMeanwhile, WrongLine
from console.web.pages import FieldProblem, respond
from console.web.words import inert

FIELD = "yaml"
_LONGEST_LINE = 200
CONFLICT, UNPROCESSABLE = 409, 422


def show(asked: Asked, note: str = "") -> web.Response:
    """The text as it is."""
    return respond(BuilderTextPage(**asked.frame(note=note)))


async def check(asked: Asked) -> web.Response:
    """The text, with all that is wrong with it, or with what applying it would do. Raises TryLater."""
    try:
        planned = await asked.plan(asks_providers=True)
    except DraftWrong as error:
        return wrong(asked, error)
    except ChangedMeanwhile as error:
        return await meanwhile(asked, error)
    page = BuilderTextPage(
        **asked.frame(note="Nothing is wrong with it."), plan=plan_lines(planned), warnings=planned.warnings
    )
    return respond(page)


def plan_lines(planned: PlannedDraft) -> tuple[str, ...]:
    """The lines of a plan; one that says so where it changes nothing."""
    return planned.plan.lines or ("It is the same as the version that is there.",)


def wrong(asked: Asked, error: DraftWrong) -> web.Response:
    """The text, with what is wrong with it."""
    problems = tuple(FieldProblem(FIELD, said(one)) for one in error.problems)
    found = wrong_lines(asked.draft.text, error.problems)
    return respond(BuilderTextPage(**asked.frame(problems), wrong=found), UNPROCESSABLE)


def wrong_lines(text: str, problems: Sequence[DraftProblem]) -> tuple[WrongLine, ...]:
    """Problems of a text, each with its line as it is written."""
    lines = text.splitlines()
    return tuple(WrongLine(one.where, one.path, one.message, _line(lines, one)) for one in problems)


def refused(asked: Asked, why: str, *, is_managed: bool = False) -> web.Response:
    """The text, with a reason why it is not saved that is not in it."""
    page = BuilderTextPage(**asked.frame((FieldProblem(FIELD, inert(why)),)), is_managed=is_managed)
    return respond(page, UNPROCESSABLE)


async def meanwhile(asked: Asked, error: ChangedMeanwhile) -> web.Response:
    """The text beside what somebody else has applied meanwhile. Raises NotFound, TryLater."""
    found = await drafts.meanwhile(asked.mine.pool, error.newest, asked.draft)
    newest = found.newest
    shown = ShownMeanwhile(newest.version, newest.applied_by, newest.applied_at, found.changes, found.lines)
    said = f"Somebody else has changed it: it is in version {newest.version} by now. Nothing of yours is lost"
    return respond(BuilderTextPage(**asked.frame((FieldProblem(FIELD, said),), meanwhile=shown)), CONFLICT)


def said(one: DraftProblem) -> str:
    """A problem in one line."""
    place = f"{one.where}, {one.path}" if one.path else one.where
    return f"{place}: {one.message}"


def _line(lines: list[str], one: DraftProblem) -> str:
    """The line that a problem is about; empty where it is not of this text."""
    number = one.where.removeprefix("line ")
    if number == one.where or not 0 < int(number) <= len(lines):
        return ""
    return lines[int(number) - 1].strip()[:_LONGEST_LINE]
