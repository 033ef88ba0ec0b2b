"""Calls of providers about messages that they took: proved by the secrets of the account, then told once each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import structlog

from agents.accounts import account_keys
from agents.channels import shared_form
from channels.registry import CHANNEL_TYPES
from channels.status_calls import OWN_CALLS, CallForm, NotProven, StatusCall
from console.control.reports import Reports, TakenReport
from deploy.settings.settings import Settings
from schemas.account import account_name
from schemas.account_fields import AccountForm
from schemas.closed import CHANNELS, ChannelName
from schemas.errors import BadRecord, CannotStart, DefinitionInvalid, TryLater
from schemas.record_key import check_parts
from store.accounts import AccountKey, Accounts
from store.encryption import CannotDecrypt

log = structlog.get_logger()

MOST_BYTES = 1024 * 1024
"""Of a call's body."""
RETRY_AFTER = timedelta(seconds=30)
"""For which a provider is asked to wait where we cannot take in what it tells."""

Database = Callable[[], Awaitable[asyncpg.Pool]]
"""Connections, once there are any. Raises TryLater until then."""


class Callbacks:
    """The calls of all projects. `database` is asked for at each, so that one may come before Postgres is there."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    def form(self, channel: str) -> CallForm:
        """The form of a channel's calls; of one that there is not, as of most."""
        return next((kind.calls for name, kind in CHANNEL_TYPES.items() if name == channel), OWN_CALLS)

    def address(self, path: str) -> str | None:
        """The address of a path as providers call it, which some of them sign; None where it is not known."""
        public_url = self._settings.console.public_url
        return f"{public_url.rstrip('/')}{path}" if public_url else None

    async def take(self, project_id: str, channel: str, account: str, call: StatusCall) -> list[TakenReport]:
        """Take in a call about an account; the same again changes nothing.

        Raises NotProven, DefinitionInvalid with every problem of the body, TryLater.
        """
        key = _key(project_id, channel, account)
        pool = await self._database()
        form = await account_form(self._settings, Accounts(pool), key)
        if form is None:
            raise NotProven
        events = CHANNEL_TYPES[key.channel].statuses(call, form)
        reports = Reports(pool, project_id, actor=f"callback {key}", now=call.received_at)
        return await reports.take_events(events, key.channel, key.name)


async def account_form(settings: Settings, accounts: Accounts, key: AccountKey) -> AccountForm | None:
    """The account; one that is paused, too, since it has sent before. Raises TryLater where it cannot be read."""
    stored = await accounts.get(key)
    if stored is None or stored.state == "removed":
        return shared_form(settings, key.channel, key.name)
    try:
        return stored.read(account_keys(settings))
    except (CannotDecrypt, CannotStart) as error:
        log.error("callback_account_unreadable", account=str(key), why=str(error))
        raise TryLater(f"account {key}: {error}", what="account keys") from None


def _key(project_id: str, channel: str, account: str) -> AccountKey:
    found: ChannelName | None = next((one for one in CHANNELS if one == channel), None)
    if found is None:
        raise NotProven
    try:
        check_parts("", project_id)
        return AccountKey(project_id, found, account_name(found, account))
    except (BadRecord, DefinitionInvalid):
        raise NotProven from None
