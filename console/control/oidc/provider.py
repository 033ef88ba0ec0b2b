"""An OpenID provider over HTTP: what it says of itself, its keys, and the tokens that it gives for a code.

All of it is asked when somebody signs in, and kept for a while: pages and passwords do without the provider.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
import msgspec

from console.control.oidc.tokens import OidcRefused, Proof, Unproved, Waiting, prove, prove_logout
from deploy.settings.oidc import Oidc, is_safe_address
from schemas.errors import TryLater
from store.sessions import ProviderLogout

_SECONDS = 10.0
_MOST_BYTES = 512 * 1024
_KEPT_FOR = timedelta(hours=1)
_KEYS_ANEW_AFTER = timedelta(minutes=1)
"""Anybody may bring a token to sign out by: for those that prove nothing the provider is not asked more often."""
_WHAT = "the OpenID provider"


class _Metadata(msgspec.Struct, frozen=True):
    """Source: OpenID Connect Discovery 1.0, 3; RFC 9207; RP-Initiated Logout 1.0, 2.1."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    end_session_endpoint: str | None = None


class _Tokens(msgspec.Struct, frozen=True):
    """Source: OpenID Connect Core 1.0, 3.1.3.3."""

    id_token: str
    access_token: str = ""


class _Keys(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Proved:
    """The claims that a token proves, and the token itself, by which the provider knows later whose session it was."""

    claims: Mapping[str, Any] = field(repr=False)
    token: str = field(repr=False)


class Provider:
    """One provider, for one event loop. Raises TryLater while it is away, OidcRefused for what it does not prove."""

    def __init__(
        self, settings: Oidc, redirect_uri: str, clock: Callable[[], datetime], *, signed_out_uri: str
    ) -> None:
        self.settings, self._redirect_uri, self._clock = settings, redirect_uri, clock
        self._signed_out_uri = signed_out_uri
        self._session: aiohttp.ClientSession | None = None
        self._known: tuple[datetime, _Metadata, list[dict[str, Any]]] | None = None
        self._asking = asyncio.Lock()
        self._anew_for_logout: datetime | None = None

    async def authorization_url(self, state: str, nonce: str, challenge: str) -> str:
        """The address at the provider where somebody signs in."""
        metadata, _ = await self._knowledge()
        asked = {
            "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": self._redirect_uri,
            "scope": " ".join(self.settings.scopes), "state": state, "nonce": nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(asked)}"

    async def sign_out_url(self, hint: str, state: str) -> str | None:
        """The address at the provider where somebody signs out; None where it has none that is reached by TLS.

        Source: OpenID Connect RP-Initiated Logout 1.0, 2. Without a hint the provider asks who it is.
        """
        metadata, _ = await self._knowledge()
        address = metadata.end_session_endpoint
        if address is None or not is_safe_address(address):
            return None
        asked = {
            **({"id_token_hint": hint} if hint else {}), "client_id": self.settings.client_id,
            "post_logout_redirect_uri": self._signed_out_uri, "state": state,
        }  # fmt: skip
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    async def proved(self, code: str, came_from: str | None, waiting: Waiting) -> Proved:
        """Everything that the provider says of who has signed in; `came_from` is the issuer that an answer names."""
        metadata, keys = await self._knowledge()
        if came_from != metadata.issuer and (
            came_from is not None or metadata.authorization_response_iss_parameter_supported
        ):
            raise OidcRefused("unproved", "the answer names another issuer")
        tokens = await self._tokens(metadata, code, waiting.verifier)
        proof = Proof(metadata.issuer, self.settings.client_id, waiting.nonce, self._clock())
        try:
            claims = prove(tokens.id_token, keys, proof)
        except Unproved:  # it may have other keys by now
            _, keys = await self._knowledge(anew=True)
            claims = prove(tokens.id_token, keys, proof)
        return Proved(await self._completed(metadata, tokens, claims), tokens.id_token)

    async def proved_logout(self, token: str) -> ProviderLogout:
        """The sessions that a logout token says are over."""
        metadata, keys = await self._knowledge()
        client_id, now = self.settings.client_id, self._clock()
        try:
            return prove_logout(token, keys, metadata.issuer, client_id, now)
        except Unproved:  # it may have other keys by now
            if self._anew_for_logout is not None and now - self._anew_for_logout < _KEYS_ANEW_AFTER:
                raise
            self._anew_for_logout = now
        metadata, keys = await self._knowledge(anew=True)
        return prove_logout(token, keys, metadata.issuer, client_id, now)

    async def close(self) -> None:
        """Give back connections."""
        if self._session is not None:
            await self._session.close()

    async def _knowledge(self, *, anew: bool = False) -> tuple[_Metadata, list[dict[str, Any]]]:
        async with self._asking:
            now = self._clock()
            if self._known is None or anew or now - self._known[0] > _KEPT_FOR:
                metadata = await self._discovered()
                keys = _read(await self._get(metadata.jwks_uri), _Keys).keys
                self._known = now, metadata, keys
            return self._known[1:]

    async def _discovered(self) -> _Metadata:
        issuer = self.settings.issuer
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata: _Metadata = _read(await self._get(address), _Metadata)
        if metadata.issuer != issuer:
            raise TryLater(f"{_WHAT} calls itself {metadata.issuer[:200]!r}, oidc.issuer is {issuer!r}", what=_WHAT)
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            address = getattr(metadata, name)
            if address is not None and not is_safe_address(address):
                raise TryLater(f"{_WHAT} names a {name} that is reached without TLS", what=_WHAT)
        return metadata

    async def _tokens(self, metadata: _Metadata, code: str, verifier: str) -> _Tokens:
        """Source: RFC 6749, 2.3.1, 4.1.3; RFC 7636, 4.5."""
        client_id, secret = self.settings.client_id, self.settings.client_secret.reveal()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }  # fmt: skip
        headers = {}
        methods = metadata.token_endpoint_auth_methods_supported
        if secret and ("client_secret_basic" in methods or "client_secret_post" not in methods):
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        tokens: _Tokens = _read(await self._ask("POST", metadata.token_endpoint, headers, form), _Tokens)
        return tokens

    async def _completed(self, metadata: _Metadata, tokens: _Tokens, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """With what the provider tells apart from the token: many put neither addresses nor groups into it."""
        if metadata.userinfo_endpoint is None or not tokens.access_token:
            return claims
        if "email" in claims and self.settings.groups_claim.partition(".")[0] in claims:
            return claims
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        told = _read(await self._ask("GET", metadata.userinfo_endpoint, headers), dict[str, Any])
        if told.get("sub") != claims["sub"]:
            raise OidcRefused("unproved", "what is told apart from the token is of somebody else")
        proved = "email" in claims  # whether an address is proved is said by who names it
        return {**told, **{name: one for name, one in claims.items() if proved or name != "email_verified"}}

    async def _get(self, url: str) -> bytes:
        return await self._ask("GET", url, {})

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
            )
        sent = {"accept": "application/json", "user-agent": "Tidings/1", **headers}
        try:
            async with self._session.request(method, url, headers=sent, data=form, allow_redirects=False) as reply:
                body = await reply.content.read(_MOST_BYTES + 1)
                while len(body) <= _MOST_BYTES and (more := await reply.content.read(_MOST_BYTES)):
                    body += more
                status = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TryLater(f"{_WHAT} does not answer: {type(error).__name__}", what=_WHAT) from error
        if form is not None and status in (400, 401, 403):
            raise OidcRefused("unproved", f"the code was refused: {_error_of(body)}")
        if status != 200 or len(body) > _MOST_BYTES:
            raise TryLater(f"{_WHAT} answers with {status}", what=_WHAT)
        return body


_KNOWN_ERRORS = (
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope",
)  # fmt: skip


def _error_of(body: bytes) -> str:
    """Source: RFC 6749, 5.2. Nothing else of the answer is told."""
    try:
        said = msgspec.json.decode(body, type=dict[str, Any]).get("error")
    except msgspec.MsgspecError:
        said = None
    return said if isinstance(said, str) and said in _KNOWN_ERRORS else "without a known reason"


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TryLater(f"{_WHAT} answers otherwise than OpenID Connect has it", what=_WHAT) from error
