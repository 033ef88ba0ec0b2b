"""Access tokens of OAuth 2 (RFC 6749) for mail servers and shops, each kept until shortly before it ends.

Whoever asks at the same time shares one request. What a token endpoint says reaches nobody with a secret in it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import aiohttp
import msgspec

from channels.contract import shortened
from channels.http.names import Names
from channels.http.reply_heads import Exchange
from channels.http.ssrf import PlaceRefused, Reach
from channels.http.transport import BodyLimits, Reply, Transport
from schemas.channels.mail_oauth import Grant

_TIMEOUT_SECONDS = 20.0
_EARLY_SECONDS = 120.0
_DEFAULT_SECONDS = 3600.0
_FAILED_SECONDS = 5.0
"""For which a failure is told to whoever asks as well: a dead endpoint is not asked once for each message."""
_LONGEST_TOKEN = 16_384
_SHORTEST_SECRET = 4
_LIMITS = BodyLimits(kept=65_536, read=65_536, seconds=5.0)
_HEADERS = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "Tidings/1",
}

_MEND = {
    "invalid_grant": "sign in again and write refresh_token anew: it has ended, was revoked, or the password was"
    " changed (at Google also 7 days after consent while the application is in testing)",
    "invalid_client": "check client_id and client_secret: the secret may have ended",
    "unauthorized_client": "the application may not ask for this: check its permissions, and tenant",
    "invalid_scope": "check scope",
    "interaction_required": "sign in again and write refresh_token anew",
    "consent_required": "the permissions of the application want the consent of an administrator",
}
"""Source: RFC 6749, 5.2; OpenID Connect Core, 3.1.2.6."""
_PASSING = ("temporarily_unavailable", "server_error", "slow_down")


class TokenFailed(Exception):
    """There is no access token; says why."""


class TokenRefused(TokenFailed):
    """A person has to mend it."""


class TokenAway(TokenFailed):
    """It may come when it is asked for again."""


class _Answer(msgspec.Struct):
    access_token: str = ""
    expires_in: float | str | None = None
    refresh_token: str | None = None
    error: str = ""
    error_description: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A token or the failure to get one, until a time of the clock."""

    until: float
    token: str = field(default="", repr=False)
    failure: TokenFailed | None = None


class Tokens:
    """The access tokens of one process, for one event loop.

    `on_newer` hears of each refresh token that came in place of a grant's own.
    """

    def __init__(
        self,
        reach: Reach | None = None,
        names: Names | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_newer: Callable[[Grant, str], None] = lambda _grant, _newer: None,
    ) -> None:
        self._transport, self._clock = Transport(reach or Reach(), names or Names()), clock
        self._on_newer = on_newer
        self._locks: defaultdict[Grant, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kept: dict[Grant, _Kept] = {}
        self._newer: dict[Grant, str] = {}

    async def token(self, grant: Grant, *, refused: str = "") -> str:
        """A token that is good for a while; another one than `refused`, which a mail server did not take.

        Raises TokenRefused, TokenAway.
        """
        async with self._locks[grant]:
            kept = self._kept.get(grant)
            if kept is None or kept.until <= self._clock() or (refused and kept.token == refused):
                kept = self._kept[grant] = await self._asked(grant)
        if kept.failure is not None:
            raise kept.failure
        return kept.token

    def keep(self, grants: Collection[Grant]) -> None:
        """Forget what belongs to others than these."""
        for known in (self._kept, self._newer, self._locks):
            for grant in [one for one in known if one not in grants]:
                del known[grant]

    def close(self) -> None:
        """Give back connections."""
        self._transport.close()

    async def _asked(self, grant: Grant) -> _Kept:
        try:
            answer = await self._ask(grant)
        except TokenFailed as error:
            return _Kept(self._clock() + _FAILED_SECONDS, failure=error)
        if answer.refresh_token and answer.refresh_token != grant.refresh_token:
            self._newer[grant] = answer.refresh_token
            self._on_newer(grant, answer.refresh_token)
        seconds = _seconds(answer.expires_in)
        return _Kept(self._clock() + seconds - min(_EARLY_SECONDS, seconds / 2), answer.access_token)

    async def _ask(self, grant: Grant) -> _Answer:
        """The answer to the newest refresh token; to the one that was written where that is not taken any more."""
        newer = self._newer.get(grant)
        if newer is not None:
            try:
                return await self._request(replace(grant, refresh_token=newer))
            except TokenRefused:
                self._newer.pop(grant, None)
        return await self._request(grant)

    async def _request(self, grant: Grant) -> _Answer:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reply = await self._transport.request(
                    "POST", grant.token_url, _HEADERS, _form(grant), Exchange(), _LIMITS, fresh=True
                )
        except PlaceRefused as error:
            raise TokenRefused(shortened(f"the token endpoint may not be called: {error}")) from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise TokenAway(shortened(f"the token endpoint does not answer: {why}")) from None
        return _read(grant, reply)


def _form(grant: Grant) -> bytes:
    """Source: RFC 6749, 4.4.2 and 6; the secret in the body, as Google and Microsoft document it."""
    kind = "refresh_token" if grant.refresh_token else "client_credentials"
    fields = {
        "grant_type": kind,
        "client_id": grant.client_id,
        "client_secret": grant.client_secret,
        "refresh_token": grant.refresh_token,
        "scope": grant.scope,
    }
    return urlencode({name: value for name, value in fields.items() if value}).encode()


def _read(grant: Grant, reply: Reply) -> _Answer:
    try:
        answer = msgspec.json.decode(reply.body, type=_Answer)
    except msgspec.DecodeError:
        answer = _Answer()
    token = answer.access_token
    if reply.status == 200 and token and token.isascii() and token.isprintable() and len(token) <= _LONGEST_TOKEN:
        return answer
    said = f"HTTP {reply.status}"
    if answer.error:
        said = _without(grant, f"{said} {answer.error}: {answer.error_description}".rstrip(": "))
    is_refusal = 400 <= reply.status < 500 and reply.status not in (408, 429) and answer.error not in _PASSING
    if not is_refusal:
        raise TokenAway(shortened(f"the token endpoint gives no token ({said})"))
    mend = _MEND.get(answer.error, "check token_url and the fields beside it")
    raise TokenRefused(f"the token endpoint refuses: {mend} ({shortened(said)})")


def _without(grant: Grant, text: str) -> str:
    for secret in (grant.client_secret, grant.refresh_token):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[secret]")
    return text


def _seconds(written: float | str | None) -> float:
    """Some write the number as a text."""
    try:
        seconds = float(written or 0)
    except ValueError:
        return _DEFAULT_SECONDS
    return seconds if 0 < seconds < float("inf") else _DEFAULT_SECONDS
