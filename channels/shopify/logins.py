"""Logins of apps at their shops: by a token that lasts, or by one that the app is given for a day."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Protocol

from channels.access_tokens import TokenAway, TokenRefused, Tokens
from channels.http.names import Names
from channels.http.ssrf import Reach
from channels.http.transport import Reply
from schemas.channels.mail_oauth import Grant
from schemas.channels.shopify import ShopifyAccountForm
from schemas.receipt import Blocked, Receipt, Unreached

_NOT_TAKEN = 401
_LEAST_SECONDS = 0.05
"""A request is given at least so long, or its time-out would speak of us alone."""


class Ask(Protocol):
    """Makes one request."""

    def __call__(self, *, timeout: float) -> Awaitable[Reply | Receipt]:
        """Its reply, within so many seconds."""


class Logins:
    """The tokens of one process, by account."""

    def __init__(self, reach: Reach, names: Names | None = None) -> None:
        self._tokens = Tokens(reach, names)
        self._latest: dict[Grant, str] = {}

    def token(self, form: ShopifyAccountForm) -> str:
        """The token of an account that is logged in."""
        return self._latest.get(form.grant, "") if form.grant else form.access_token

    async def within(self, form: ShopifyAccountForm, ask: Ask, timeout: float) -> Reply | Receipt:
        """The reply to a request. A token that ended before its time is not taken: then once more, with another one."""
        until = time.monotonic() + timeout
        refusal = await self._log_in(form)
        if refusal:
            return refusal
        used = self.token(form)
        answer = await ask(timeout=max(until - time.monotonic(), _LEAST_SECONDS))
        if form.grant is None or not isinstance(answer, Reply) or answer.status != _NOT_TAKEN:
            return answer
        refusal = await self._log_in(form, refused=used)
        return refusal or await ask(timeout=max(until - time.monotonic(), _LEAST_SECONDS))

    async def _log_in(self, form: ShopifyAccountForm, *, refused: str = "") -> Receipt | None:
        """Have a token, another one than `refused`; what becomes of the message where the shop gives none."""
        if form.grant is None:
            return None
        try:
            self._latest[form.grant] = await self._tokens.token(form.grant, refused=refused)
        except TokenRefused as error:
            return Blocked(f"no access token: {error}")
        except TokenAway as error:
            return Unreached(f"no access token: {error}")
        return None

    def close(self) -> None:
        """Give back connections."""
        self._tokens.close()
