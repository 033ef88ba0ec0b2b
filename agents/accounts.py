"""Accounts of a sender process: those of the settings, and over them those in the database, as they stand now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import structlog

from agents.channels import shared_accounts
from agents.renewals import Renewals
from agents.waiting import retry_until_available
from channels.accounts import AccountBook, HeldAccount, Place
from channels.registry import CHANNEL_TYPES
from deploy.settings.settings import Settings
from schemas.account_fields import AccountForm
from schemas.channels.webhook import SIGNING, endpoint_account
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.errors import CannotStart
from store.accounts import AccountKey, Accounts, StoredAccount, is_destination, why_held
from store.encryption import CannotDecrypt, Keys

log = structlog.get_logger()

_EVERY_SECONDS = 1.0
"""For so long a change may go unnoticed; to look costs one small statement."""


def account_keys(settings: Settings) -> Keys:
    """The keys that accounts are encrypted under. Raises CannotStart that says which of them cannot be used."""
    try:
        return Keys.read(settings.accounts.lines())
    except ValueError as error:
        key = "key_file" if settings.accounts.key_file else "keys"
        raise CannotStart(f"accounts.{key}: {error}") from None


def wrong_settings(settings: Settings) -> Iterator[str]:
    """All that is not right about the accounts of the settings, by the rules for those in the database."""
    for name, account in settings.email_accounts.items():
        for problem in account.problems:
            yield f"email_accounts.{name}.{problem.path} {problem.message}"


class LiveAccounts:
    """Looks for changes once a second, and has the channels of `book` use them from the next message on."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts, self._settings = accounts, settings
        self.book = AccountBook(shared_accounts(settings))
        self._renewals = Renewals(accounts, self.book)
        self._version = -1
        self._stored: dict[Place, StoredAccount] = {}
        self._changed: set[AccountKey] = set()
        self._is_whole = True
        for why in wrong_settings(settings):
            log.warning("account_setting_wrong", why=why)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await retry_until_available(self.refresh, what="Postgres")
            await retry_until_available(self.keep_renewed, what="Postgres")

    async def keep_renewed(self) -> None:
        """Keep secrets that providers gave in place of those of accounts. Raises TryLater."""
        if self.book.renewed:
            await self._renewals.keep(self._stored, self._keys())

    async def refresh(self) -> bool:
        """Take in what has changed; whether anything has. What could not be read is tried again. Raises TryLater."""
        version = await self._accounts.version()
        if version == self._version and self._is_whole:
            return False
        stored = {(one.key.channel, one.key.project_id, one.key.name): one for one in await self._accounts.all()}
        own, keys = {}, self._keys()
        for place, one in stored.items():
            if one.state != "removed" or not self._has_stand_in(one.key):
                own[place] = usable(one, keys)
        self._changed |= _changed(self._stored, stored)
        self._stored = stored  # beside the book: whoever is held by it is looked up there
        self.book.replace(own)
        await self._release_changed()
        if version != self._version:
            self._report(own)
        self._version = version
        self._is_whole = not any(
            stored[place].state == "active" for place, one in own.items() if isinstance(one, HeldAccount)
        )
        return True

    async def _release_changed(self) -> None:
        """Send again through accounts that are other ones now: whatever refused the old ones may take these.

        Whoever changed them did so already. Each process does once it has them, since until then it may have been
        refused again.
        """
        while self._changed:
            key = next(iter(self._changed))
            await self._accounts.release(key)
            self._changed.discard(key)

    def is_shared(self, destination: Destination) -> bool:
        """True for an account of the settings: every project sends through it."""
        project, channel, name = destination
        return is_destination(channel, name) and self.book.is_shared(channel, project, name)

    async def hold(self, delivery: Delivery, why: str) -> bool:
        """Pause a delivery's destination, where its account is held still; whether it is paused. Raises TryLater.

        To be called at once where a channel raised AccountHeld: what is known of the account may change at any await.
        """
        stored = self._stored[self._place(delivery)]
        return await self._accounts.hold_destination(
            stored.key, delivery.account, why, is_certain=stored.state == "active"
        )

    def changed_at(self, delivery: Delivery) -> datetime | None:
        """The moment at which the account of a delivery became what it is; None for one of the settings."""
        stored = self._stored.get(self._place(delivery))
        return stored.changed_at if stored else None

    async def release_changed_since(self, delivery: Delivery, since: datetime | None) -> None:
        """Send again through an account that was changed while a refusal of the old one was noted. Raises TryLater."""
        stored = self._stored.get(self._place(delivery))
        if stored and stored.state == "active" and stored.changed_at != since:
            await self._accounts.release(stored.key)

    def _has_stand_in(self, key: AccountKey) -> bool:
        """True where another account signs or sends once this one is removed, and its destination was resumed."""
        return key.name in self.book.shared(key.channel) or (key.channel == "webhook" and key.name != SIGNING)

    def _place(self, delivery: Delivery) -> Place:
        """The account that a delivery leaves by: an endpoint's own, where it has one."""
        if delivery.channel != "webhook":
            return delivery.channel, delivery.project_id, delivery.account
        own: Place = (delivery.channel, delivery.project_id, endpoint_account(delivery.account))
        stored = self._stored.get(own)
        return own if stored and stored.state != "removed" else (delivery.channel, delivery.project_id, SIGNING)

    def _keys(self) -> Keys:
        try:
            return account_keys(self._settings)
        except CannotStart as error:  # a file that was there at the start
            log.error("account_keys_unreadable", why=str(error))
            return Keys(())

    def _report(self, own: dict[Place, Any]) -> None:
        held = [f"{project}: {one.why}" for (_, project, _), one in own.items() if isinstance(one, HeldAccount)]
        log.info("accounts_read", accounts=len(own) - len(held), held=held)


def _changed(before: Mapping[Place, StoredAccount], now: Mapping[Place, StoredAccount]) -> set[AccountKey]:
    """The accounts in use that are other ones than before; none of those that were not known."""
    return {
        one.key
        for place, one in now.items()
        if one.state == "active" and place in before and before[place].changed_at != one.changed_at
    }


def usable(stored: StoredAccount, keys: Keys) -> Any | HeldAccount:
    """An account as channels use it; held where it is paused, was removed, or cannot be read or used here."""
    key: AccountKey = stored.key
    if stored.state != "active":
        return HeldAccount(why_held(key, stored.state))
    try:
        form = stored.read(keys)
    except CannotDecrypt as error:
        return HeldAccount(why_held(key, "active", str(error)))
    return usable_account(key, form)


def usable_account(key: AccountKey, form: AccountForm) -> Any | HeldAccount:
    """An account in its channel's own form; held where this machine cannot use it."""
    try:
        return CHANNEL_TYPES[key.channel].account(key.name, form)
    except (CannotStart, OSError, ValueError) as error:  # an ssl_cafile that is not on this machine, say
        why = str(error) if isinstance(error, CannotStart) else getattr(error, "strerror", None) or type(error).__name__
        return HeldAccount(why_held(key, "active", why))
