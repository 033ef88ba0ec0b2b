"""Accounts of one channel as senders have them at this moment, for whoever sends something at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.accounts import account_keys, usable
from agents.channels import shared_accounts
from agents.renewals import Renewals
from channels.accounts import AccountBook, HeldAccount, Place
from deploy.settings.settings import Settings
from schemas.channels.webhook import SIGNING
from schemas.closed import ChannelName
from store.accounts import Accounts, StoredAccount
from store.encryption import Keys


@dataclass(frozen=True, slots=True)
class AccountsNow:
    """Those of every project, and the keys that they are encrypted under."""

    stored: Mapping[Place, StoredAccount]
    keys: Keys

    @classmethod
    async def of(cls, accounts: Accounts, settings: Settings, channel: ChannelName) -> AccountsNow:
        """Read them. One that was removed is not there where another takes its place. Raises TryLater, CannotStart."""
        shared = shared_accounts(settings).get(channel, {})
        found = [one for one in await accounts.all() if one.key.channel == channel]
        kept = [one for one in found if one.state != "removed" or not _has_stand_in(one, shared)]
        places: dict[Place, StoredAccount] = {(channel, one.key.project_id, one.key.name): one for one in kept}
        return cls(places, account_keys(settings))

    def usable(self) -> dict[Place, Any | HeldAccount]:
        """In their channel's own form."""
        return {place: usable(one, self.keys) for place, one in self.stored.items()}

    async def keep_renewed(self, accounts: Accounts, book: AccountBook) -> None:
        """Keep secrets that providers gave in place of theirs. Raises TryLater."""
        if book.renewed:
            await Renewals(accounts, book).keep(self.stored, self.keys)


def _has_stand_in(removed: StoredAccount, shared: Mapping[str, Any]) -> bool:
    """True where the settings have one of its name, or the project's own signs for an endpoint."""
    key = removed.key
    return key.name in shared or (key.channel == "webhook" and key.name != SIGNING)
