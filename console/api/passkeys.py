"""Passkeys of users of the key's project over the API: list, and remove. One is added by its owner, in a browser."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from console.api.pages import page_of
from console.api.route import ById, Call, Cursor, Instant, Name, Paged, Reply, Route, Writing
from console.control.passkeys import own
from schemas.access import Permission
from schemas.formats.cursors import ticks
from store.passkeys import Passkey, Passkeys
from store.users import Users


class OnePasskey(ById, frozen=True, kw_only=True):
    """The parameters of a path that names a passkey of a user."""

    passkey: Name


class UserPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey by which a user may sign in: `passkey_id` proves nothing, and no device knows it."""

    passkey_id: str
    name: Annotated[str, Meta(description="As its owner calls it.")]
    is_synced: Annotated[bool, Meta(description="It may be on several devices of an account.")]
    added_at: Instant
    used_at: Annotated[Instant | None, Meta(description="When somebody last signed in by it.")]


class PasskeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some passkeys, the oldest first."""

    items: list[UserPasskey]
    next: Cursor | None = None


class RemovedPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey by which nobody signs in any more, or would. Sessions that began by it go on."""

    passkey_id: str
    dry_run: bool


async def list_passkeys(call: Call[ById, Paged, None]) -> Reply:
    """A page of them."""
    found = await own.of_user(Users(call.pool), Passkeys(call.pool), call.project_id, call.path.id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, _place, tuple[int, str])
    return Reply(PasskeyPage(items=msgspec.convert(rows, list[UserPasskey], from_attributes=True), next=following))


async def remove_passkey(call: Call[OnePasskey, Writing, None]) -> Reply:
    """Have one be worth nothing."""
    users, passkeys, named, dry_run = Users(call.pool), Passkeys(call.pool), call.path, call.query.dry_run
    await own.remove(users, passkeys, call.project_id, named.id, named.passkey, actor=call.actor, dry_run=dry_run)
    return Reply(RemovedPasskey(passkey_id=named.passkey, dry_run=dry_run))


def _place(one: Passkey) -> tuple[int, str]:
    return ticks(one.added_at), one.passkey_id


_ONE = {"id": "usr_0123456789abcdef"}
_MANAGE: Permission = "users:manage"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/users/{id}/passkeys", _MANAGE, "List the passkeys of a user of this project alone", list_passkeys,
        {200: PasskeyPage}, path_type=ById, query_type=Paged, path_example=_ONE,
    ),
    Route(
        "DELETE", "/users/{id}/passkeys/{passkey}", _MANAGE,
        "Remove a passkey of a user of this project alone; sessions go on", remove_passkey, {200: RemovedPasskey},
        path_type=OnePasskey, query_type=Writing, path_example={**_ONE, "passkey": "pky_0123456789abcdef"},
    ),
)  # fmt: skip
