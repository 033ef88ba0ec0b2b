"""`/p/<project>/dead-letters/<place>/mend`: a record's value in a form, corrected, checked and put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from aiohttp import web

from console.control import documents, mending
from console.control.dead_letters import Replayed
from console.control.mending import FieldChange
from console.control.not_found import NotFound
from console.web.dead_letters import LIST, own_letters, path_of, place_in, row_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_operations import MendPage, ShownFieldChange
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address
from console.web.words import inert
from schemas.errors import BadQuestion, BadRecord, DefinitionInvalid, Problem, TidingsError, TryLater

_MOST_BYTES = 8 * 1024 * 1024
_VALUE = "value"
_LONGEST = 300


async def ask(mine: ProjectVisit) -> web.Response:
    """The form, with the value as it was. Raises NotFound, BadQuestion, TryLater."""
    own, place = own_letters(mine), place_in(mine)
    letter = await own.reading(lambda reader: own.find(reader, place))
    if not mending.can_be_mended(letter):
        raise BadQuestion(f"{letter.facts.topic} is written by Tidings itself: it is put back as it was", "id")
    return await _page(mine, mending.text_to_mend(mine.wiring, letter))


async def mend(mine: ProjectVisit) -> web.Response:
    """Check what is written, or put it where the record was. Raises NotFound, BadQuestion, TryLater."""
    form, place = (await mine.visit.posted(_MOST_BYTES)).fields, place_in(mine)
    text, force, is_check = form.get(_VALUE, ""), form.get("force") == "yes", form.get("step") != "put"
    try:
        letter, end, changes = await mending.mend(
            own_letters(mine), place, mending.read_value(text), mine.now, force=force, dry_run=is_check
        )
    except BadRecord as error:
        return await _page(mine, text, [_problem(text, Problem(error.path, str(error)))], force=force)
    except DefinitionInvalid as error:
        return await _page(mine, text, [_problem(text, one) for one in error.problems], force=force)
    except (NotFound, TryLater):
        raise
    except TidingsError as error:
        raise BadQuestion(str(error), "id") from None
    if end.why_not:
        return await _page(mine, text, [_in_the_way(end)], force=force, changes=changes)
    if is_check:
        return await _page(mine, text, force=force, changes=changes)
    await mending.note(mine.pool, mine.project_id, letter, changes, mine.actor)
    return see(address(path_of(mine, place), {"mended": "1"}))


def _in_the_way(end: Replayed) -> FieldProblem:
    return FieldProblem("force", f"Not put back: {inert(end.why_not)}")


def _problem(text: str, problem: Problem) -> FieldProblem:
    """A problem as the command line prints it, with the line of the form that it is about."""
    at = problem.path.replace("/", ".").lstrip(".")
    line = _line(text, at)
    said = f"{at}: {problem.message}" if at else problem.message
    return FieldProblem(_VALUE, inert(f"{f'Line {line}: ' if line else ''}{said}"))


def _line(text: str, path: str) -> int | None:
    """The line on which a path stands; None where it does not, or where the text cannot be read."""
    if not path:
        return None
    try:
        document = next(documents.parse_documents(text, ""), None)
    except (TidingsError, ValueError):
        return None
    return document.line(path) if document is not None and document.says(path) else None


async def _page(
    mine: ProjectVisit,
    text: str,
    problems: Sequence[FieldProblem] = (),
    *,
    force: bool = False,
    changes: Sequence[FieldChange] | None = None,
) -> web.Response:
    own, place = own_letters(mine), place_in(mine)
    letter = await own.reading(lambda reader: own.find(reader, place))
    page = MendPage(
        title=f"Mend dead-letter {place}",
        here=base_of(mine.project_id) + LIST.path,
        problems=problems,
        letter=row_of(mine, letter),
        path=f"{path_of(mine, place)}/mend",
        text=text,
        lines=min(40, max(8, text.count("\n") + 2)),
        force=force,
        changes=None if changes is None else list(_shown(changes)),
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _shown(changes: Sequence[FieldChange]) -> Iterator[ShownFieldChange]:
    for one in changes:
        yield ShownFieldChange(".".join(one.steps) or "all of it", _side(one.before), _side(one.after))


def _side(value: object) -> str:
    if value is msgspec.UNSET:
        return ""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/dead-letters/{id}/mend", "dead_letters:operate", ask),
    ProjectRoute("/dead-letters/{id}/mend", "dead_letters:operate", mend, "POST"),
)
