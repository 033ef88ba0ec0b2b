"""Accounts at providers over HTTP: list, add, change, try, pause, remove. What is secret is only ever written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from console.api.pages import page_of
from console.api.problems import in_body, in_parameter, refused
from console.api.route import AccountBody, Call, Cursor, Instant, Name, Paged, Reply, Route, Writing
from console.control import accounts as control
from schemas.closed import ChannelName
from schemas.errors import BadQuestion, DefinitionInvalid
from schemas.record import JsonObject
from store.accounts import AccountKey, Accounts, AccountState


class AccountPath(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a path that names an account."""

    channel: ChannelName
    name: Name


class AccountShown(msgspec.Struct, frozen=True, kw_only=True):
    """An account that the project's messages may leave through, without anything secret.

    `kept_in` is database or settings; those of the settings are every project's, and no one changes them here. `key_id`
    names the key that it is encrypted under.
    """

    account: str
    kept_in: str
    state: str
    key_id: str
    changed_at: Instant | None
    changed_by: str


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some accounts, in the order of their names."""

    items: list[AccountShown]
    next: Cursor | None = None


class AccountToTry(msgspec.Struct, frozen=True, kw_only=True):
    """The account to log in with."""

    account: Annotated[Name, Meta(description="CHANNEL/NAME, as in email/main.")]


class TriedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a provider to a login without a message, and where it is not well, what would mend it.

    `fields` are the names that a message may fill in there, null where there is no such list, or it cannot be read.
    """

    account: str
    is_well: bool
    said: str
    fields: list[str] | None


class AppliedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that was added or changed: the fields that were written, without their values.

    `servers` are those that its address has by itself, `advice` is a warning about what is right and yet of little use.
    """

    account: str
    plan: Literal["new", "changed"]
    fields: list[str]
    servers: str
    advice: str
    dry_run: bool


class AccountStanding(msgspec.Struct, frozen=True, kw_only=True):
    """An account with its state after a change. What is for one that is paused or removed waits; nothing is lost."""

    account: str
    state: AccountState
    dry_run: bool


async def list_accounts(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    found = await control.shown(Accounts(call.pool), call.wiring.settings, call.project_id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, lambda one: one.account, str)
    items = [
        AccountShown(
            account=one.account, kept_in=one.kept_in, state=one.state, key_id=one.key, changed_at=one.changed_at,
            changed_by=one.changed_by,
        )
        for one in rows
    ]  # fmt: skip
    return Reply(AccountPage(items=items, next=following))


async def check_account(call: Call[Any, Any, AccountToTry]) -> Reply:
    """Log in with one."""
    try:
        key = control.account_key(call.project_id, call.body.account)
    except BadQuestion as error:
        raise refused("invalid", "", in_body("/account", error.message)) from None
    except DefinitionInvalid as error:
        raise refused("invalid", "", *(in_body("/account", one.message) for one in error.problems)) from None
    found = await control.check(Accounts(call.pool), call.wiring.settings, key)
    fields = None if found.fields is None else list(found.fields)
    return Reply(TriedAccount(account=str(key), is_well=found.is_well, said=found.said, fields=fields))


async def put_account(call: Call[AccountPath, Writing, JsonObject]) -> Reply:
    """Add one, or change what is written of it and keep the rest."""
    key, stored, settings = _key(call), Accounts(call.pool), call.wiring.settings
    if call.query.dry_run:
        done = await control.foresee(stored, settings, key, call.body)
    else:
        done = await control.put(stored, settings, key, call.body, actor=call.actor)
    applied = AppliedAccount(
        account=str(key), plan="new" if done.is_new else "changed", fields=sorted(call.body), servers=done.servers,
        advice=done.advice, dry_run=call.query.dry_run,
    )  # fmt: skip
    return Reply(applied, 201 if done.is_new and not call.query.dry_run else 200)


async def pause_account(call: Call[AccountPath, Writing, None]) -> Reply:
    """Hold what is for it."""
    return await _changed(call, control.pause, "paused")


async def resume_account(call: Call[AccountPath, Writing, None]) -> Reply:
    """Send what waits for it."""
    return await _changed(call, control.resume, "active")


async def remove_account(call: Call[AccountPath, Writing, None]) -> Reply:
    """Forget what it holds."""
    return await _changed(call, control.remove, "removed")


async def _changed(
    call: Call[AccountPath, Writing, None], change: Callable[..., Awaitable[None]], state: AccountState
) -> Reply:
    key, stored = _key(call), Accounts(call.pool)
    if call.query.dry_run:
        await control.must_be_there(stored, key)
    else:
        await change(stored, key, actor=call.actor)
    return Reply(AccountStanding(account=str(key), state=state, dry_run=call.query.dry_run))


def _key(call: Call[AccountPath, Any, Any]) -> AccountKey:
    try:
        return control.account_key(call.project_id, f"{call.path.channel}/{call.path.name}")
    except DefinitionInvalid as error:
        raise refused("invalid", "", *(in_parameter("name", one.message) for one in error.problems)) from None


_ID: dict[str, Any] = {"path_type": AccountPath, "path_example": {"channel": "email", "name": "main"}}
_CHANGE: dict[str, Any] = {**_ID, "query_type": Writing}
_AT = "/accounts/{channel}/{name}"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/accounts", "accounts:read", "List the accounts that messages may leave through", list_accounts,
        {200: AccountPage}, query_type=Paged,
    ),
    Route(
        "POST", "/accounts/check", "accounts:write", "Log in at the provider without sending anything", check_account,
        {200: TriedAccount}, body=AccountToTry, body_example={"account": "email/main"}, is_safe=True,
    ),
    Route(
        "PUT", _AT, "accounts:write", "Add an account, or change what is written of it and keep the rest", put_account,
        {200: AppliedAccount, 201: AppliedAccount}, body=AccountBody(),
        body_example={"host": "mail.shop.example", "sender": "news@shop.example", "sender_name": "Shop"}, **_CHANGE,
    ),
    Route(
        "POST", f"{_AT}/pause", "accounts:write", "Hold what is for an account", pause_account,
        {200: AccountStanding}, **_CHANGE,
    ),
    Route(
        "POST", f"{_AT}/resume", "accounts:write", "Send what waits for an account, whatever it was paused for",
        resume_account, {200: AccountStanding}, **_CHANGE,
    ),
    Route(
        "DELETE", _AT, "accounts:write", "Forget what an account holds; what is for it waits", remove_account,
        {200: AccountStanding}, **_CHANGE,
    ),
)  # fmt: skip
