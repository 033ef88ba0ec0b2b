"""Whatever a token of the provider's proves: by a key of its own, for us, and now. An ID token says who has come, for
the sign-in that was begun here; a logout token whose sessions are over.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard

from joserfc import jwk, jws, jwt
from joserfc.errors import BadSignatureError, JoseError

from schemas.errors import TidingsError
from store.sessions import ProviderLogout

Reason = Literal["not_ours", "denied", "unproved", "no_group", "too_many_groups", "no_address", "taken", "closed"]

_FAMILIES = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""By keys that the provider alone has: neither `none` nor those by a shared secret, which a public key could be."""
_CLOCKS_DIFFER = 60.0
_LONGEST_TOKEN = 64 * 1024
_LONGEST_NAME = 255
"""Source: OpenID Connect Core 1.0, 2."""
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_LONGEST_LOGOUT = 24 * 3600.0
"""Seconds: so long at most it is kept that a token was used. Providers are to make them for two minutes."""


class OidcRefused(TidingsError):
    """Nobody signs in by this; `reason` says which page is shown, the message is for the log."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unproved(OidcRefused):
    """No key that is known has signed it."""

    def __init__(self) -> None:
        super().__init__("unproved", "no key of the provider has signed the token")


@dataclass(frozen=True, slots=True)
class Waiting:
    """The part of a sign-in that was begun here which the provider has to meet."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that a token is held against."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    now: datetime


def prove(token: str, keys: Sequence[Mapping[str, Any]], proof: Proof) -> Mapping[str, Any]:
    """The claims of a token. Raises Unproved where no key has signed it, OidcRefused for whatever else is wrong."""
    claims = _signed(token, keys)
    if wrong := _wrong(claims, proof):
        raise OidcRefused("unproved", f"the token is not for this sign-in: {wrong}")
    return claims


def prove_logout(
    token: str, keys: Sequence[Mapping[str, Any]], issuer: str, client_id: str, now: datetime
) -> ProviderLogout:
    """The sessions that a logout token says are over. Raises Unproved, OidcRefused as `prove`."""
    claims = _signed(token, keys)
    if wrong := _wrong_for_us(claims, issuer, client_id, now) or _wrong_logout(claims, now):
        raise OidcRefused("unproved", f"the token ends no session: {wrong}")
    ends_at = datetime.fromtimestamp(claims["exp"] + _CLOCKS_DIFFER, UTC)
    return ProviderLogout(issuer, claims.get("sub"), claims.get("sid"), claims["jti"], ends_at)


def is_name(value: object) -> TypeGuard[str]:
    """True of a name that a provider has for somebody, or for a session, and Postgres keeps as it is: of others two
    could become one there.
    """
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isascii() and value.isprintable()


def _signed(token: str, keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if len(token) > _LONGEST_TOKEN:
        raise OidcRefused("unproved", "the token is too long")
    try:
        header = jws.extract_compact(token.encode("ascii")).headers()
    except (JoseError, ValueError) as error:
        raise OidcRefused("unproved", "the token is not a signed one") from error
    algorithm = header.get("alg")
    if algorithm not in _ALGORITHMS:
        raise OidcRefused("unproved", "the token is signed in a way that proves nothing")
    for key in _candidates(keys, str(algorithm), header.get("kid")):
        try:
            return dict(jwt.decode(token, key, algorithms=[str(algorithm)]).claims)
        except BadSignatureError:
            continue
        except (JoseError, ValueError) as error:
            raise OidcRefused("unproved", f"the token cannot be read: {type(error).__name__}") from error
    raise Unproved


def _candidates(keys: Sequence[Mapping[str, Any]], algorithm: str, kid: object) -> Iterator[Any]:
    for one in keys:
        fits = algorithm.startswith(_FAMILIES.get(str(one.get("kty")), ("-",)))
        if not fits or one.get("use", "sig") != "sig" or one.get("alg", algorithm) != algorithm:
            continue
        if kid is not None and one.get("kid") != kid:
            continue
        try:
            yield jwk.import_key({name: value for name, value in one.items() if name != "key_ops"})
        except (JoseError, ValueError):  # one that is broken is passed by
            continue


def _wrong(claims: Mapping[str, Any], proof: Proof) -> str | None:
    """Source: OpenID Connect Core 1.0, 3.1.3.7."""
    if wrong := _wrong_for_us(claims, proof.issuer, proof.client_id, proof.now):
        return wrong
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), proof.nonce.encode()):
        return "another nonce"
    return None if is_name(claims.get("sub")) else "no subject"


def _wrong_for_us(claims: Mapping[str, Any], issuer: str, client_id: str, at: datetime) -> str | None:
    """The checks that are the same for every token."""
    now, audience, azp = at.timestamp(), claims.get("aud"), claims.get("azp")
    parties = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    ends, issued, begins = (_number(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if claims.get("iss") != issuer:
        return "another issuer"
    if client_id not in parties:
        return "another audience"
    if (len(parties) > 1 or azp is not None) and azp != client_id:
        return "another party asked for it"
    if ends is None or ends <= now - _CLOCKS_DIFFER:
        return "it is over"
    if issued is None or max(issued, begins or issued) > now + _CLOCKS_DIFFER:
        return "it is of later"
    return None


def _wrong_logout(claims: Mapping[str, Any], now: datetime) -> str | None:
    """Source: OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6."""
    events, token_id = claims.get("events"), claims.get("jti")
    named = [claims[name] for name in ("sub", "sid") if claims.get(name) is not None]
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT), dict):
        return "it is another kind of token"
    if "nonce" in claims:
        return "it has a nonce, as one to sign in has"
    if not isinstance(token_id, str) or not token_id:
        return "it has no id of its own"
    if not claims["exp"] <= now.timestamp() + _LONGEST_LOGOUT:
        return "it lasts too long"
    if not named or not all(map(is_name, named)):
        return "it names neither a subject nor a session"
    return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
