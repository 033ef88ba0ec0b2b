"""`/p/<project>/dead-letters`: records that could not be processed; one of them, and putting it back where it was."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from aiohttp import web

from agents.broker.reader import TopicReader
from console.control import dead_letters as control
from console.control.dead_letters import Filter, Letter, Place, Replay, Replayed
from console.control.own_dead_letters import NEWEST, OwnLetters, text_of
from console.web.lists import Asked, Field, Found, Listing, page_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_operations import DeadLetterPage, DeadLetterRow, DeadLettersPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.words import inert
from schemas.access import may
from schemas.errors import BadQuestion, TidingsError


async def _find(asked: Asked) -> Found[DeadLetterRow]:
    """A page of them, by partition and offset. Raises BadQuestion, TryLater."""
    wanted = Filter(asked.get("kind"), asked.get("topic"), asked.get("role"), None, asked.moment("since"))
    found = await _own(asked.mine).page(wanted, asked.place(Place), asked.limit + 1)
    rows, following = page_of(found, asked.limit, lambda one: control.place_of(one.place))
    return Found([_row(asked.mine, one) for one in rows], following)


async def show_one(mine: ProjectVisit) -> web.Response:
    """One of them. Raises NotFound, BadQuestion, TryLater."""
    return await _page(mine)


async def replay(mine: ProjectVisit) -> web.Response:
    """Put it back where it came from, as it was. Raises NotFound, BadQuestion, TryLater."""
    place, own = _place(mine), _own(mine)

    def put_back(reader: TopicReader) -> Replayed:
        (end,) = Replay(mine.wiring).run([own.find(reader, place)])
        return end

    end = await own.reading(put_back)
    if not end.now_at:
        return await _page(mine, [FieldProblem("main", f"Not put back: {inert(end.why_not)}")])
    await control.note_replay(mine.pool, mine.project_id, [place], mine.actor)
    return see(f"{_path(mine, place)}?replayed=1")


async def _page(mine: ProjectVisit, problems: Sequence[FieldProblem] = ()) -> web.Response:
    place, own = _place(mine), _own(mine)
    letter = await own.reading(lambda reader: own.find(reader, place))
    raw = letter.value or b""
    page = DeadLetterPage(
        title=f"Dead-letter {place}",
        here=base_of(mine.project_id) + LIST.path,
        problems=problems,
        letter=_row(mine, letter),
        key=text_of(letter.message.key()),
        headers=[(name, text_of(value)) for name, value in letter.own_headers()],
        value=text_of(raw) or "",
        size=len(raw),
        cut=letter.facts.cut,
        may_replay=may(mine.role, "dead_letters:operate") and letter.is_whole,
        note="It was put back: its readers take it up again." if mine.query.get("replayed") == "1" else "",
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _place(mine: ProjectVisit) -> str:
    """The place in the address, in one way of writing. Raises BadQuestion."""
    try:
        found = control.place_of(mine.text("id"))
    except TidingsError as error:
        raise BadQuestion(str(error), "id") from None
    return f"{found.partition}:{found.offset}"


def _row(mine: ProjectVisit, one: Letter) -> DeadLetterRow:
    facts = one.facts
    return DeadLetterRow(
        one.place, facts.kind, facts.message, facts.path, facts.topic, facts.partition, facts.offset, facts.role,
        facts.failed_at, _path(mine, one.place),
    )  # fmt: skip


def _own(mine: ProjectVisit) -> OwnLetters:
    return OwnLetters(mine.wiring, mine.project_id)


def _path(mine: ProjectVisit, place: str) -> str:
    return f"{base_of(mine.project_id)}{LIST.path}/{quote(place, safe=':')}"


LIST = Listing(
    path="/dead-letters", permission="dead_letters:read", row=DeadLetterRow, find=_find, page=DeadLettersPage,
    fields=(Field("kind", "Kind"), Field("topic", "Topic"), Field("role", "Refused by"), Field("since", "Since")),
    more=lambda _: {"newest": NEWEST},
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    ProjectRoute("/dead-letters/{id}", "dead_letters:read", show_one),
    ProjectRoute("/dead-letters/{id}", "dead_letters:operate", replay, "POST"),
)
