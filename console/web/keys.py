"""`/p/<project>/keys`: keys of the API, without the keys themselves; each can be ended."""

from __future__ import annotations

from aiohttp import web

from console.control import api_keys
from console.web.lists import Asked, Found, Listing, slice_of
from console.web.pages import FieldProblem
from console.web.project_settings import KeyRow, KeysPage
from console.web.projects import ProjectRoute, ProjectVisit
from store.api_keys import ApiKey, ApiKeys


async def _find(asked: Asked) -> Found[KeyRow]:
    """A page of them, the newest first, those that are over as well. Raises BadQuestion, TryLater."""
    found = await api_keys.listed(ApiKeys(asked.mine.pool), asked.mine.project_id)
    rows, following = slice_of(found, asked, _place, tuple[int, str])
    return Found([_row(one) for one in rows], following)


def _place(one: ApiKey) -> tuple[int, str]:
    return -round(one.created_at.timestamp() * 1_000_000), one.key_id


def _row(one: ApiKey) -> KeyRow:
    return KeyRow(
        one.key_id, one.name, one.role, one.kind, one.state, one.created_by, one.created_at, one.expires_at,
        one.last_used_at, one.revoked_by,
    )  # fmt: skip


async def revoke(mine: ProjectVisit) -> web.Response:
    """End one at once. Raises NotFound, TryLater."""
    form = await mine.visit.form()
    named = form.get("key", "").strip()
    if not api_keys.is_id(named):
        return await LIST.respond(mine, [FieldProblem("main", "Choose the key to revoke")])
    await api_keys.revoke(ApiKeys(mine.pool), mine.project_id, named, actor=mine.actor)
    return LIST.back(mine, form)


LIST = Listing(path="/keys", permission="keys:manage", row=KeyRow, find=_find, page=KeysPage)
ROUTES: tuple[ProjectRoute, ...] = (*LIST.routes, ProjectRoute("/keys/revoke", "keys:manage", revoke, "POST"))
