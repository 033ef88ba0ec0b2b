"""Documents in requests: named as the request says, and applied beside the version that was there when it came."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from console.api.problems import in_body, refused
from console.api.route import Call
from console.control.context import stored_project
from console.control.documents import Document, json_document
from console.control.plan import Planned
from schemas.managed import ManagedKind, ManagedThing
from schemas.record import JsonObject
from store.distributions import VersionConflict
from store.managed import LOCKED, Locked, Managed
from streams.values.wording import invalid


def must_be_named(body: JsonObject, kind: str, identity: str, place: Literal["path", "key"] = "path") -> None:
    """Name a document that names itself not, and refuse one of another name. Raises Refused."""
    named = body.setdefault(kind, identity)
    if named != identity:
        raise refused("invalid", "", in_body(f"/{kind}", invalid(named, f'"{identity}", as in the {place}')))


def document_of(body: JsonObject) -> Document:
    """A body as a document; its source is the JSON of it."""
    return json_document(body, msgspec.json.encode(body).decode())


async def keep_of(call: Call[Any, Any, Any], kind: ManagedKind, *identities: str) -> Locked:
    """The lock on what is managed from Git. A dry run, which writes nothing, meets it here. Raises ManagedFromGit."""
    project = await stored_project(call.pool, call.wiring.settings, call.project_id)
    keep = Locked(call.query.override, is_off=not project.git_lock)
    if call.query.dry_run:
        await Managed(call.pool).check(keep, *(ManagedThing(call.project_id, kind, one) for one in identities))
    return keep


async def keep_of_planned(call: Call[Any, Any, Any], kind: ManagedKind, planned: Planned[Any]) -> Locked:
    """The same for a plan, which changes nothing where it is the same. Raises ManagedFromGit."""
    if planned.what == "unchanged":
        return LOCKED
    return await keep_of(call, kind, planned.identity)


async def managed_from(call: Call[Any, Any, Any], kind: ManagedKind, identity: str) -> str | None:
    """The place in Git that a thing is managed from; None where it is managed here. Raises TryLater."""
    thing = ManagedThing(call.project_id, kind, identity)
    source = (await Managed(call.pool).sources([thing])).get(thing)
    return None if source is None else str(source)


def must_be_beside(planned: Planned[Any], version: int) -> None:
    """Refuse a plan that was made beside another version than the request met. Raises VersionConflict."""
    if planned.beside != version:
        raise VersionConflict(f"{planned.identity} was applied by somebody else meanwhile; read it and apply again")
