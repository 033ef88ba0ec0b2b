"""Signing secrets of webhooks: made for whoever brings none, and rotated so that receivers have time to follow."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.accounts import account_keys
from agents.channels import shared_accounts
from deploy.settings.settings import Settings
from schemas.account import changed_account
from schemas.account_fields import SECRET_PREFIX, AccountForm
from schemas.channels.webhook import WebhookAccountForm
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.formats.durations import parse_duration
from store.accounts import AccountKey, Accounts

GRACE = "24h"
"""For so long a replaced secret goes on to sign, where nobody says otherwise."""
LONGEST_GRACE = timedelta(days=30)
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class RotatedSecret:
    """The end of a rotation: how many secrets sign beside the new one, and until when.

    `secret` is the new one where it was made here, to be shown once. `ended`: so many, which were to sign for a while
    since the rotation before, sign no more.
    """

    secret: str = field(repr=False)
    retiring: int
    until: datetime | None
    ended: int


def new_secret() -> str:
    """A signing secret of 32 random bytes, as Standard Webhooks writes it."""
    return SECRET_PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def with_secret(key: AccountKey, written: Mapping[str, object]) -> tuple[Mapping[str, object], str]:
    """The fields of a new account, and the secret that was made where it needs one and names none."""
    if key.channel != "webhook" or "secrets" in written or "legacy_secret" in written:
        return written, ""
    made = new_secret()
    return {**written, "secrets": [made]}, made


async def rotate_secret(
    accounts: Accounts, settings: Settings, key: AccountKey, written: Mapping[str, object], grace: str, *, actor: str
) -> RotatedSecret:
    """Sign by a new secret, and for `grace` by what signed until now as well, the new one first.

    `written` is empty, or has the new one as `secrets`. Raises DefinitionInvalid, TidingsError for an account that has
    none to rotate, CannotDecrypt.
    """
    span = _grace(grace)
    if key.channel != "webhook":
        raise TidingsError(f"{key} signs nothing: its secrets are changed by tidings accounts add {key} --change")
    if unknown := set(written) - {"secrets"}:
        raise DefinitionInvalid(tuple(Problem(name, "must be secrets: nothing else is rotated") for name in unknown))
    made = "" if written else new_secret()
    done = _Rotation({"secrets": [made]} if made else written, has_grace=bool(span))
    until = await accounts.retire(key, done.of, account_keys(settings), span, by=actor)
    if until is None:
        in_settings = key.name in shared_accounts(settings).get(key.channel, {})
        hint = (
            f"write the new one first in {key.channel}.secrets of the settings" if in_settings else f"add {key} first"
        )
        raise TidingsError(f"the database has no account {key}: {hint}")
    return RotatedSecret(made, done.retiring, until if done.retiring else None, done.ended)


class _Rotation:
    """The change that a rotation makes of an account, as it is found once it is locked."""

    def __init__(self, written: Mapping[str, object], *, has_grace: bool) -> None:
        self._written, self._has_grace = written, has_grace
        self.retiring = self.ended = 0

    def of(self, before: AccountForm) -> AccountForm:
        """The account after it. Raises DefinitionInvalid."""
        asked = changed_account("webhook", before, self._written)
        if not isinstance(before, WebhookAccountForm) or not isinstance(asked, WebhookAccountForm):
            raise TypeError(f"a webhook account, not {type(before).__name__}")
        if len(asked.secrets) != 1:
            raise DefinitionInvalid((Problem("secrets", f"must be one secret, not {len(asked.secrets)}"),))
        try:
            after = before.rotated(asked.secrets[0])
        except ValueError as error:
            raise DefinitionInvalid((Problem("secrets", str(error)),)) from None
        if not self._has_grace:
            after = after.after_grace()
        self.retiring, self.ended = len(after.retiring_secrets), len(before.retiring_secrets)
        return after


def _grace(text: str) -> timedelta:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise TidingsError(f"--grace: {error}") from None
    if span > LONGEST_GRACE:
        raise TidingsError(f'--grace: "{text}" is not valid: must be at most {LONGEST_GRACE.days}d')
    return span
