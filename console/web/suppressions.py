"""`/p/<project>/suppressions`: what nothing is sent to, what covers an address, and what is added to it or removed.

An address stands in forms alone, never in a page's address, which proxies and browsers write down.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from console.control import suppressions as control
from console.control.files.suppression_file import channel_of
from console.web.lists import Asked, Field, Found, Listing, page_of
from console.web.pages import FieldProblem, see
from console.web.project_lists import Covering, SuppressedRow, SuppressionsPage, suppression_form
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address
from console.web.words import inert
from schemas.access import may
from schemas.closed import CHANNELS
from schemas.errors import DefinitionInvalid
from schemas.suppression import REASON_TEXTS, Suppression
from store.sending.suppressions import Place, Suppressions, place_of

_MOST_KEYS = 500
_INPUTS: Mapping[str, str] = {"channel": "on", "reason": "why"}
"""Of the names in problems, those that the form calls otherwise: its filters have them."""


async def _find(asked: Asked) -> Found[SuppressedRow]:
    """A page of the list. Raises BadQuestion, TryLater."""
    mine = asked.mine
    found = await control.page(
        Suppressions(mine.pool),
        mine.project_id,
        channel=asked.get("channel"),  # type: ignore[arg-type]
        reason=asked.get("reason"),  # type: ignore[arg-type]
        after=asked.place(Place),
        limit=asked.limit + 1,
    )
    rows, following = page_of(found, asked.limit, place_of)
    return Found(list(map(_row, rows)), following)


async def find(mine: ProjectVisit) -> web.Response:
    """Everything that covers an address."""
    key = (await mine.visit.form()).get("key", "").strip()
    try:
        covering = await _covering(mine, key)
    except DefinitionInvalid as error:
        return await LIST.respond(mine, _problems(error))
    return await LIST.respond(mine, covering=covering)


async def add(mine: ProjectVisit) -> web.Response:
    """Send nothing to some keys any more."""
    form = await mine.visit.form()
    given = {name: form.get(name, "").strip() for name in suppression_form()}
    keys = [one for line in given["keys"].splitlines() if (one := line.strip())]
    try:
        if not 0 < len(keys) <= _MOST_KEYS:
            problem = FieldProblem("keys", f"Addresses: give from 1 to {_MOST_KEYS}, one a line")
            return await LIST.respond(mine, [problem], given=given)
        wording = control.Wording(given["why"] or "requested", given["source"] or "by hand", given["on"],
                                  given["until"] or None)  # fmt: skip
        entry = control.read_entry(mine.project_id, mine.actor, wording)
        added = await control.add(Suppressions(mine.pool), entry, keys)
    except DefinitionInvalid as error:
        return await LIST.respond(mine, _problems(error), given=given)
    return see(address(_path(mine), {"added": str(added), "of": str(len(keys))}))


async def remove(mine: ProjectVisit) -> web.Response:
    """Send to a key again: on one channel, or wherever it has an entry of its own."""
    form = await mine.visit.form()
    key = form.get("key", "").strip()
    try:
        channel = channel_of(form.get("channel", ""))
        removed = await control.remove(Suppressions(mine.pool), mine.project_id, key, channel, actor=mine.actor)
    except DefinitionInvalid as error:
        return await LIST.respond(mine, _problems(error))
    except (ValueError, control.NotSuppressed) as error:
        return await LIST.respond(mine, [FieldProblem("key", inert(error))])
    return see(address(_path(mine), {"removed": str(removed)}))


async def _covering(mine: ProjectVisit, written: str) -> Covering:
    found = await control.covering(Suppressions(mine.pool), mine.project_id, written)
    key = control.key_of(written)
    own = [one.channel for one in found if one.key == key and one.channel]
    return Covering(key, list(map(_row, found)), any(one.key == key for one in found), own)


def _problems(error: DefinitionInvalid) -> list[FieldProblem]:
    """Each at its field; of `keys[3]` the line is said."""
    found = []
    for one in error.problems:
        name, _, number = one.path.partition("[")
        line = f" in line {int(number.rstrip(']')) + 1}" if number else ""
        field = _INPUTS.get(name, name)
        found.append(FieldProblem(field, f"{_LABELS[field]}{line}: {one.message}"))
    return found


def _note(mine: ProjectVisit) -> str:
    """The sentence about what a form did: its numbers stand in the address."""
    numbers = {name: mine.query.get(name, "") for name in ("added", "of", "removed")}
    said = {name: int(text) for name, text in numbers.items() if re.fullmatch(r"\d{1,6}", text, re.ASCII)}
    if "removed" in said:
        return f"Taken off the list: {_entries(said['removed'])}."
    if "added" in said and "of" in said:
        others = " The others are on the list for as long already." if said["added"] < said["of"] else ""
        return f"Added, or made to last longer: {said['added']} of {said['of']}.{others}"
    return ""


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _row(one: Suppression) -> SuppressedRow:
    return SuppressedRow(
        one.key, one.channel or "", one.reason, one.source, one.expires_at, one.added_at, one.added_by
    )  # fmt: skip


def _path(mine: ProjectVisit) -> str:
    return base_of(mine.project_id) + LIST.path


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    return {
        "may_write": may(mine.role, "suppressions:write"), "channels": [(one, one) for one in CHANNELS],
        "reasons": list(REASON_TEXTS.items()), "note": _note(mine),
    }  # fmt: skip


_LABELS: Mapping[str, str] = {
    "key": "Address", "keys": "Addresses", "on": "On", "why": "Why", "source": "Where it comes from", "until": "Until",
}  # fmt: skip
LIST = Listing(
    path="/suppressions",
    permission="suppressions:read",
    row=SuppressedRow,
    find=_find,
    page=SuppressionsPage,
    fields=(Field("channel", "On", {one: one for one in CHANNELS}, "whichever"), Field("reason", "Why", REASON_TEXTS)),
    more=_more,
)
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    ProjectRoute("/suppressions/find", "suppressions:read", find, "POST"),
    ProjectRoute("/suppressions", "suppressions:write", add, "POST"),
    ProjectRoute("/suppressions/remove", "suppressions:write", remove, "POST"),
)
