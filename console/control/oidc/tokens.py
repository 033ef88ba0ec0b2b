"""Whatever an ID token proves: by a key of the provider's, for us, now, and for the sign-in that was begun here."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from joserfc import jwk, jws, jwt
from joserfc.errors import BadSignatureError, JoseError

from schemas.errors import TidingsError

Reason = Literal["not_ours", "denied", "unproved", "no_group", "too_many_groups", "no_address", "taken", "closed"]

_FAMILIES = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""By keys that the provider alone has: neither `none` nor those by a shared secret, which a public key could be."""
_CLOCKS_DIFFER = 60.0
_LONGEST_TOKEN = 64 * 1024
_LONGEST_SUBJECT = 255
"""Source: OpenID Connect Core 1.0, 2."""


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
    now, audience = proof.now.timestamp(), claims.get("aud")
    parties = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    subject, nonce, azp = claims.get("sub"), claims.get("nonce"), claims.get("azp")
    ends, issued, begins = (_number(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if claims.get("iss") != proof.issuer:
        return "another issuer"
    if proof.client_id not in parties:
        return "another audience"
    if (len(parties) > 1 or azp is not None) and azp != proof.client_id:
        return "another party asked for it"
    if ends is None or ends <= now - _CLOCKS_DIFFER:
        return "it is over"
    if issued is None or max(issued, begins or issued) > now + _CLOCKS_DIFFER:
        return "it is of later"
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), proof.nonce.encode()):
        return "another nonce"
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not _is_plain(subject):
        return "no subject"
    return None


def _is_plain(subject: str) -> bool:
    """True of a subject that Postgres keeps as it is: of others two could become one there."""
    return subject.isascii() and subject.isprintable()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
