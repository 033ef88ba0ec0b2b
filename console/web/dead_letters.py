"""`/p/<project>/dead-letters`: records that could not be processed; one of them, and putting it back where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web

from agents.broker.reader import TopicReader
from console.control import dead_letters as control
from console.control.dead_letters import Filter, Letter, Place, Replay, Replayed
from console.control.mending import can_be_mended
from console.control.own_dead_letters import NEWEST, OwnLetters, text_of
from console.web.lists import ON_A_PAGE, Asked, Field, Found, Listing, page_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_operations import DeadLetterPage, DeadLetterRow, DeadLettersPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import count_of, inert
from schemas.access import may
from schemas.errors import BadQuestion, TidingsError

CHOSEN = "at_"
"""The beginning of the names of boxes, one a place."""
FIELDS = (Field("kind", "Kind"), Field("topic", "Topic"), Field("role", "Refused by"), Field("since", "Since"))


def wanted_by(asked: Asked) -> Filter:
    """The dead-letters that a list asks for. Raises BadQuestion."""
    return Filter(asked.get("kind"), asked.get("topic"), asked.get("role"), None, asked.moment("since"))


async def _find(asked: Asked) -> Found[DeadLetterRow]:
    """A page of them, by partition and offset. Raises BadQuestion, TryLater."""
    found = await own_letters(asked.mine).page(wanted_by(asked), asked.place(Place), asked.limit + 1)
    rows, following = page_of(found, asked.limit, lambda one: control.place_of(one.place))
    return Found([row_of(asked.mine, one) for one in rows], following)


async def show_one(mine: ProjectVisit) -> web.Response:
    """One of them. Raises NotFound, BadQuestion, TryLater."""
    return await _page(mine)


async def replay(mine: ProjectVisit) -> web.Response:
    """Put it back where it came from, as it was. Raises NotFound, BadQuestion, TryLater."""
    place, own = place_in(mine), own_letters(mine)

    def put_back(reader: TopicReader) -> Replayed:
        (end,) = Replay(mine.wiring).run([own.find(reader, place)])
        return end

    end = await own.reading(put_back)
    if not end.now_at:
        return await _page(mine, [FieldProblem("main", f"Not put back: {inert(end.why_not)}")])
    await control.note_replay(mine.pool, mine.project_id, [place], mine.actor)
    return see(f"{path_of(mine, place)}?replayed=1")


async def replay_chosen(mine: ProjectVisit) -> web.Response:
    """Put those back that are chosen in the list. Raises TryLater."""
    form = await mine.visit.form(fields=ON_A_PAGE + 1)
    try:
        chosen = list(dict.fromkeys(_place(name.removeprefix(CHOSEN)) for name in form if name.startswith(CHOSEN)))
    except TidingsError as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(error))])
    if not chosen:
        return await LIST.respond(mine, [FieldProblem("main", "None is chosen: nothing was done")])
    done = await own_letters(mine).put_back_at(chosen)
    places = [one.place for one in done if one.now_at]
    await control.note_replay(mine.pool, mine.project_id, places, mine.actor)
    if len(places) == len(done):
        return LIST.back(mine, form, put_back=str(len(places)))
    failed = [one for one in done if not one.now_at]
    problems = [FieldProblem("main", f"{one.place} is not put back: {inert(one.why_not)}") for one in failed]
    others = [FieldProblem("main", f"Put back: {count_of(len(places), 'record')}")] if places else []
    return await LIST.respond(mine, [*problems, *others])


async def _page(mine: ProjectVisit, problems: Sequence[FieldProblem] = ()) -> web.Response:
    place, own = place_in(mine), own_letters(mine)
    letter = await own.reading(lambda reader: own.find(reader, place))
    raw = letter.value or b""
    page = DeadLetterPage(
        title=f"Dead-letter {place}",
        here=base_of(mine.project_id) + LIST.path,
        problems=problems,
        letter=row_of(mine, letter),
        key=text_of(letter.message.key()),
        headers=[(name, text_of(value)) for name, value in letter.own_headers()],
        value=text_of(raw) or "",
        size=len(raw),
        cut=letter.facts.cut,
        may_replay=may(mine.role, "dead_letters:operate") and letter.is_whole,
        mend=_mend(mine, letter),
        note=_note(mine),
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _mend(mine: ProjectVisit, letter: Letter) -> str | None:
    """The address on which it is mended; None where it cannot be, or not by whoever looks."""
    is_there = may(mine.role, "dead_letters:operate") and can_be_mended(letter)
    return f"{path_of(mine, letter.place)}/mend" if is_there else None


def _note(mine: ProjectVisit) -> str:
    if mine.query.get("mended") == "1":
        return "The corrected record was put back: its readers take it up. This dead-letter stays as it is."
    return "It was put back: its readers take it up again." if mine.query.get("replayed") == "1" else ""


def place_in(mine: ProjectVisit) -> str:
    """The place in the address, in one way of writing. Raises BadQuestion."""
    try:
        return _place(mine.text("id"))
    except TidingsError as error:
        raise BadQuestion(str(error), "id") from None


def _place(name: str) -> str:
    """A place in one way of writing. Raises TidingsError."""
    found = control.place_of(name)
    return f"{found.partition}:{found.offset}"


def row_of(mine: ProjectVisit, one: Letter) -> DeadLetterRow:
    """One as it is listed."""
    facts = one.facts
    return DeadLetterRow(
        one.place, facts.kind, facts.message, facts.path, facts.topic, facts.partition, facts.offset, facts.role,
        facts.failed_at, path_of(mine, one.place),
    )  # fmt: skip


def own_letters(mine: ProjectVisit) -> OwnLetters:
    """The dead-letters of the project."""
    return OwnLetters(mine.wiring, mine.project_id)


def path_of(mine: ProjectVisit, place: str) -> str:
    """The address of one."""
    return f"{base_of(mine.project_id)}{LIST.path}/{quote(place, safe=':')}"


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    given = {one.name: mine.query.get(one.name) for one in FIELDS}
    put = whole_number(mine.query.get("put_back", ""))
    note = (
        f"Put back: {count_of(put, 'record')}. Their readers take them up; the dead-letters stay here." if put else ""
    )
    return {"newest": NEWEST, "replay": address(f"{base_of(mine.project_id)}/replay", given), "note": note}


LIST = Listing(
    path="/dead-letters", permission="dead_letters:read", row=DeadLetterRow, find=_find, page=DeadLettersPage,
    fields=FIELDS, more=_more,
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    ProjectRoute(LIST.path, "dead_letters:operate", replay_chosen, "POST"),
    ProjectRoute("/dead-letters/{id}", "dead_letters:read", show_one),
    ProjectRoute("/dead-letters/{id}", "dead_letters:operate", replay, "POST"),
)
