"""Refresh tokens that came in place of those of accounts, kept in the database: the old ones end after a while.

Microsoft gives another one with each access token, and each lasts for 90 days.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import structlog

from channels.accounts import AccountBook, Place
from schemas.account_fields import AccountForm
from schemas.channels.email import EmailAccountForm
from store.accounts import AccountKey, Accounts, StoredAccount
from store.encryption import CannotDecrypt, Keys

log = structlog.get_logger()

_EVERY_SECONDS = 86_400.0
"""Kept at once, and then once a day: a token lasts for much longer."""


class Renewals:
    """Those of a process. Nobody else hears of one that is kept: the account is what it was, for another while."""

    def __init__(self, accounts: Accounts, book: AccountBook, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts, self._book, self._clock = accounts, book, clock
        self._kept_at: dict[AccountKey, float] = {}

    async def keep(self, stored: Mapping[Place, StoredAccount], keys: Keys) -> None:
        """Keep what has come; of an account that somebody has changed meanwhile nothing. Raises TryLater."""
        for grant, token in list(self._book.renewed.items()):
            users = [one for place, one in stored.items() if self._has(place, grant)]
            due = [one for one in users if self._is_due(one.key)]
            for one in due:
                await self._keep(one, token, keys)
            if len(due) == len(users):
                self._book.renewed.pop(grant, None)

    def _has(self, place: Place, grant: object) -> bool:
        return getattr(self._book.find(*place), "grant", None) == grant

    def _is_due(self, key: AccountKey) -> bool:
        at = self._kept_at.get(key)
        return at is None or self._clock() - at >= _EVERY_SECONDS

    async def _keep(self, stored: StoredAccount, token: str, keys: Keys) -> None:
        try:
            is_kept = await self._accounts.renew(stored, partial(_with_token, token), keys)
        except CannotDecrypt as error:  # the next look at accounts says so
            log.warning("refresh_token_not_kept", account=str(stored.key), why=str(error))
            return
        self._kept_at[stored.key] = self._clock()
        if is_kept:
            log.info("refresh_token_kept", project=stored.key.project_id, account=str(stored.key))


def _with_token(token: str, form: AccountForm) -> AccountForm:
    return replace(form, refresh_token=token) if isinstance(form, EmailAccountForm) else form
