"""Keys of the API, over the API: list, make, revoke. A key is shown in one reply alone."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import page_of
from console.api.problems import in_body, in_parameter, refused
from console.api.route import ById, Call, Cursor, Instant, Paged, Reply, Route, Writing
from console.control import api_keys
from console.control.api_keys import NewKey
from schemas.access import AccessRole
from schemas.api_key import RANDOM_BYTES, KeyKind
from schemas.formats.cursors import ticks
from schemas.formats.durations import parse_duration
from store.api_keys import ApiKey, ApiKeys, KeyState
from streams.values.wording import invalid

_NOT_KEPT = {"cache-control": "no-store"}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key without the key itself: what it may do, who made it, when it ends and was last used, to the minute."""

    key_id: str
    name: str
    role: AccessRole
    kind: KeyKind
    state: KeyState
    created_by: str
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked_by: str | None
    revoked_at: Instant | None


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some keys, the newest first, those that are over as well."""

    items: list[Key]
    next: Cursor | None = None


class AskedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be made, in the project of the key that asks for it."""

    name: Annotated[str, Meta(max_length=64, description="What it is for, as in ci. One key at a time has a name.")]
    role: AccessRole
    kind: Annotated[KeyKind, Meta(description="`test`: it looks and dry-runs, and changes nothing.")] = "live"
    expires: Annotated[str, Meta(max_length=16, description="Ends after a span, as in 90d.")] | None = None


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was made. `key` is the key itself in the reply to the request that made it, and null in any other.

    So it is where the same is asked again with its Idempotency-Key: a reply that was lost is mended by revoking
    `key_id` and making another. A dry run makes none, so that both are null.
    """

    key: str | None
    key_id: str | None
    name: str
    role: AccessRole
    kind: KeyKind
    expires_at: Instant | None
    dry_run: bool


class RevokedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is over: no request is answered to it any more."""

    key_id: str
    dry_run: bool


async def list_keys(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    found = await api_keys.listed(ApiKeys(call.pool), call.project_id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, _place, tuple[int, str])
    return Reply(KeyPage(items=msgspec.convert(rows, list[Key], from_attributes=True), next=following))


async def make_key(call: Call[Any, Writing, AskedKey]) -> Reply:
    """Make one, and show it."""
    asked, keys = call.body, ApiKeys(call.pool)
    ends_at = await api_keys.ends_at(keys, call.project_id, call.holder.key_id)
    lasts, left = _lasts(asked.expires), None if ends_at is None else ends_at - call.now
    new = NewKey(call.project_id, asked.name, asked.role, asked.kind, lasts, left)
    if call.query.dry_run:
        await api_keys.foresee(keys, new)
        expires_at = None if lasts is None else call.now + lasts
        return Reply(_made(asked, key_id=None, expires_at=expires_at, dry_run=True))
    key, kept = await api_keys.create(keys, new, secrets.token_bytes(RANDOM_BYTES), actor=call.actor)
    made = _made(asked, key_id=kept.key_id, expires_at=kept.expires_at, dry_run=False)
    return Reply(made, 201, _NOT_KEPT, shown_once=msgspec.structs.replace(made, key=key))


async def revoke_key(call: Call[ById, Writing, None]) -> Reply:
    """End one at once: it may be the one that asks."""
    named = call.path.id
    if not api_keys.is_id(named):
        right = "the id of a key, as in key_0123456789abcdef: a name may be another key's by now"
        raise refused("invalid", "", in_parameter("id", invalid(named, right)))
    dry_run = call.query.dry_run
    await api_keys.revoke(ApiKeys(call.pool), call.project_id, named, actor=call.actor, dry_run=dry_run)
    return Reply(RevokedKey(key_id=named, dry_run=dry_run))


def _lasts(span: str | None) -> timedelta | None:
    try:
        return None if span is None else parse_duration(span)
    except ValueError as error:
        raise refused("invalid", "", in_body("/expires", str(error))) from None


def _made(asked: AskedKey, **facts: Any) -> MadeKey:
    return MadeKey(key=None, name=asked.name, role=asked.role, kind=asked.kind, **facts)


def _place(one: ApiKey) -> tuple[int, str]:
    return -ticks(one.created_at), one.key_id


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/keys", "keys:manage", "List the keys of the project, without the keys themselves", list_keys,
        {200: KeyPage}, query_type=Paged,
    ),
    Route(
        "POST", "/keys", "keys:manage", "Make a key of the project: this reply alone shows it", make_key,
        {200: MadeKey, 201: MadeKey}, query_type=Writing, body=AskedKey,
        body_example={"name": "ci", "role": "viewer", "expires": "90d"},
    ),
    Route(
        "DELETE", "/keys/{id}", "keys:manage", "Revoke a key at once", revoke_key, {200: RevokedKey}, path_type=ById,
        query_type=Writing, path_example={"id": "key_0123456789abcdef"},
    ),
)  # fmt: skip
