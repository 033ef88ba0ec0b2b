"""`/p/<project>/replay`: dead-letters that a filter takes, counted first, and then put back where they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from console.control import dead_letters as control
from console.control.dead_letters import Replayed
from console.control.own_dead_letters import MOST_AT_ONCE, PutBack
from console.web.dead_letters import FIELDS, own_letters, wanted_by
from console.web.lists import Asked, Found, Listing
from console.web.pages import FieldProblem, see
from console.web.project_operations import ReplayPage, ReplayRow
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import count_of
from schemas.dead_letter import DeadLetter
from schemas.errors import TidingsError


async def _find(asked: Asked) -> Found[ReplayRow]:
    """Those that a filter takes, counted: nothing is written. Raises BadQuestion, TryLater."""
    found = await own_letters(asked.mine).put_back(wanted_by(asked), None, dry_run=True)
    ready = sum(not one.why_not for _, one in found.letters)
    return Found(_rows(found.letters), None, {"ready": ready, "seen": _written(found)})


async def put_back(mine: ProjectVisit) -> web.Response:
    """Put back what was counted; what was refused later is left alone. Raises BadQuestion, TryLater."""
    form, given = await mine.visit.form(), {one.name: mine.text(one.name).strip() for one in FIELDS}
    seen = _read(form.get("seen", ""))
    if seen is None:
        why = "this form does not say which were counted: count them again, nothing was done"
        return await LIST.respond(mine, [FieldProblem("main", why)])
    done = await own_letters(mine).put_back(wanted_by(Asked(mine, given, None)), seen, dry_run=False)
    places = [one.place for _, one in done.letters if one.now_at]
    await control.note_replay(mine.pool, mine.project_id, places, mine.actor)
    said = {"done": str(len(places)), "of": str(len(done.letters))}
    return see(address(base_of(mine.project_id) + LIST.path, {**given, **said}))


def _rows(letters: Iterable[tuple[DeadLetter, Replayed]]) -> list[ReplayRow]:
    """Counts by what they are and why they are not put back, the most frequent first."""
    found = Counter((facts.kind, facts.topic, facts.role, one.why_not) for facts, one in letters)
    return [ReplayRow(*of, number) for of, number in sorted(found.items(), key=lambda one: (-one[1], one[0]))]


def _written(found: PutBack) -> str:
    return " ".join(f"{partition}:{end}" for partition, end in sorted(found.ends.items()))


def _read(text: str) -> dict[int, int] | None:
    """The ends of partitions that a form says; None where it says none."""
    try:
        return {one.partition: one.offset for one in map(control.place_of, text.split())} or None
    except (TidingsError, ValueError):
        return None


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    return {"newest": MOST_AT_ONCE, "note": _note(mine)}


def _note(mine: ProjectVisit) -> str:
    done, of = (whole_number(mine.query.get(name, "")) for name in ("done", "of"))
    if done is None or of is None:
        return ""
    others = "" if done == of else f" {count_of(of - done, 'other')} could not be: why, stands below."
    put = count_of(done, "record")
    return f"Put back: {put}. Their readers take them up; the dead-letters stay here.{others}"


LIST = Listing(
    path="/replay", permission="dead_letters:operate", row=ReplayRow, find=_find, page=ReplayPage, fields=FIELDS,
    more=_more,
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (*LIST.routes, ProjectRoute(LIST.path, "dead_letters:operate", put_back, "POST"))
