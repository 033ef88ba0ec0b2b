"""`/p/<project>/keys`: keys of the API, without the keys themselves; one is made, and ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from console.control import api_keys
from console.control.api_keys import NewKey
from console.web.lists import Asked, Found, Listing, slice_of
from console.web.pages import FieldProblem
from console.web.project_settings import KeyRow, KeysPage, key_form
from console.web.projects import ProjectRoute, ProjectVisit
from console.web.words import inert
from schemas.access import ACCESS_ROLES
from schemas.api_key import RANDOM_BYTES, KeyKind
from schemas.errors import DefinitionInvalid, Problem, TidingsError, TryLater
from schemas.formats.cursors import ticks
from schemas.formats.durations import parse_duration
from store.api_keys import ApiKey, ApiKeys
from streams.values.wording import unknown


async def _find(asked: Asked) -> Found[KeyRow]:
    """A page of them, the newest first, those that are over as well. Raises BadQuestion, TryLater."""
    found = await api_keys.listed(ApiKeys(asked.mine.pool), asked.mine.project_id)
    rows, following = slice_of(found, asked, _place, tuple[int, str])
    return Found([_row(one) for one in rows], following)


def _place(one: ApiKey) -> tuple[int, str]:
    return -ticks(one.created_at), one.key_id


def _row(one: ApiKey) -> KeyRow:
    return KeyRow(
        one.key_id, one.name, one.role, one.kind, one.state, one.created_by, one.created_at, one.expires_at,
        one.last_used_at, one.revoked_by,
    )  # fmt: skip


async def make(mine: ProjectVisit) -> web.Response:
    """Make one, and show it: in this answer alone. Raises TryLater."""
    form = await mine.visit.form()
    given = {name: form.get(name, "").strip() for name in key_form()}
    try:
        new = _read(mine.project_id, given)
        key, _ = await api_keys.create(ApiKeys(mine.pool), new, mine.visit.random(RANDOM_BYTES), actor=mine.actor)
    except DefinitionInvalid as error:
        problems = [FieldProblem(one.path, f"{_LABELS[one.path]}: {one.message}") for one in error.problems]
        return await LIST.respond(mine, problems, given=given)
    except TryLater:
        raise
    except TidingsError as error:
        return await LIST.respond(mine, [FieldProblem("name", inert(error))], given=given)
    return await LIST.respond(mine, made=key)


def _read(project_id: str, given: Mapping[str, str]) -> NewKey:
    """A key as the form asks for it. Raises DefinitionInvalid with all that is wrong."""
    problems, lasts = list[Problem](), None
    kind = next((one for one in _KINDS if one == given["kind"]), None)
    if kind is None:
        problems.append(Problem("kind", unknown(given["kind"], tuple(_KINDS))))
    try:
        lasts = parse_duration(given["expires"]) if given["expires"] else None
    except ValueError as error:
        problems.append(Problem("expires", str(error)))
    new = NewKey(project_id, given["name"], given["role"], kind or "live", lasts)
    if problems:
        raise DefinitionInvalid((*new.problems(), *problems))
    return new


async def revoke(mine: ProjectVisit) -> web.Response:
    """End one at once. Raises NotFound, TryLater."""
    form = await mine.visit.form()
    named = form.get("key", "").strip()
    if not api_keys.is_id(named):
        return await LIST.respond(mine, [FieldProblem("main", "Choose the key to revoke")])
    await api_keys.revoke(ApiKeys(mine.pool), mine.project_id, named, actor=mine.actor)
    return LIST.back(mine, form)


_KINDS: Mapping[KeyKind, str] = {"live": "live", "test": "test: it looks and dry-runs, and changes nothing"}
_LABELS: Mapping[str, str] = {"name": "Name", "role": "Role", "kind": "Kind", "expires": "Ends after"}
_MORE: Mapping[str, Any] = {"roles": [(one, one) for one in ACCESS_ROLES], "kinds": list(_KINDS.items())}
LIST = Listing(
    path="/keys", permission="keys:manage", row=KeyRow, find=_find, page=KeysPage, more=lambda _: _MORE,
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    ProjectRoute("/keys", "keys:manage", make, "POST"),
    ProjectRoute("/keys/revoke", "keys:manage", revoke, "POST"),
)
