"""Whatever a device signs: asked for as browsers take it, and held against the pages' own address (WebAuthn).

Of devices themselves nothing is asked (no attestation), but that they verify who holds them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import idna

from schemas.errors import TidingsError
from store.passkeys import NewCredential

Reason = Literal["not_ours", "unproved", "unknown", "closed", "counter", "taken", "by_groups", "stale"]

SECONDS = 300
"""So long a challenge may be answered."""
_LONGEST_ID = 1023
"""Bytes of a device's name for a key. Source: WebAuthn Level 3, 7.1."""
_MOST_WORDS = 200
_PORTS = {"https": 443, "http": 80}


class PasskeyRefused(TidingsError):
    """Nothing comes of this; `reason` says which words are shown, the message is for the log."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The pages as devices know them: the name of their host, and their address as browsers write it."""

    id: str
    origin: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody as their devices show them; the id is no address, since devices tell it without asking."""

    user_id: str
    email: str = field(repr=False)
    display_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """An answer that was read, and nothing of it proved."""

    written: str = field(repr=False)
    challenge: bytes = field(repr=False)
    credential_id: bytes = field(repr=False)
    user_handle: bytes | None = field(repr=False)


def relying_party_of(url: str) -> RelyingParty | None:
    """The pages at an address; None where it is not known, or not a name: browsers keep passkeys for names alone."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except (ValueError, idna.IDNAError):
        return None
    if not name or _is_number(name):
        return None
    shown = "" if port in (None, _PORTS.get(parts.scheme)) else f":{port}"
    return RelyingParty(name, f"{parts.scheme}://{name}{shown}")


def to_add(party: RelyingParty, owner: Owner, challenge: bytes, known: Sequence[bytes]) -> str:
    """Options, as JSON, by which a browser has a device make a key; not one that has made one already."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers import structs

    chosen = structs.AuthenticatorSelectionCriteria(
        resident_key=structs.ResidentKeyRequirement.REQUIRED,
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(
        generate_registration_options(
            rp_id=party.id, rp_name="Tidings", user_id=owner.user_id.encode(), user_name=owner.email,
            user_display_name=owner.display_name, challenge=challenge, timeout=SECONDS * 1000,
            authenticator_selection=chosen,
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
        )
    )  # fmt: skip


def to_sign_in(party: RelyingParty, challenge: bytes) -> str:
    """Options, as JSON, by which a browser has one of its devices sign; which, its owner chooses."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    return options_to_json(
        generate_authentication_options(
            rp_id=party.id, challenge=challenge, timeout=SECONDS * 1000,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )  # fmt: skip


def challenge_of_new(written: str) -> bytes:
    """The challenge that a new key is said to answer. Raises PasskeyRefused."""
    from webauthn.helpers import parse_registration_credential_json

    with _of_a_device():
        return _challenge(parse_registration_credential_json(written).response.client_data_json)


def read_assertion(written: str) -> Assertion:
    """The parts of an answer. Raises PasskeyRefused for what is not one."""
    from webauthn.helpers import parse_authentication_credential_json

    with _of_a_device():
        read = parse_authentication_credential_json(written)
        challenge = _challenge(read.response.client_data_json)
    return Assertion(written, challenge, read.raw_id, read.response.user_handle)


def prove_new(written: str, challenge: bytes, party: RelyingParty) -> NewCredential:
    """The key that a device has made for this challenge. Raises PasskeyRefused."""
    from webauthn import verify_registration_response

    with _of_a_device():
        made = verify_registration_response(
            credential=written, expected_challenge=challenge, expected_rp_id=party.id, expected_origin=party.origin,
            require_user_verification=True,
        )  # fmt: skip
    if len(made.credential_id) > _LONGEST_ID:
        raise PasskeyRefused("unproved", "the device's name for the key is too long")
    return NewCredential(
        made.credential_id, made.credential_public_key, made.sign_count,
        made.credential_device_type.value == "multi_device",
    )  # fmt: skip


def prove(said: Assertion, public_key: bytes, party: RelyingParty) -> int:
    """The number of signatures that a device says it has made, by a key that has signed this answer.

    Raises PasskeyRefused. The number is held against the one before by whoever asks: here it may be any.
    """
    from webauthn import verify_authentication_response

    with _of_a_device():
        done = verify_authentication_response(
            credential=said.written, expected_challenge=said.challenge, expected_rp_id=party.id,
            expected_origin=party.origin, credential_public_key=public_key, credential_current_sign_count=0,
            require_user_verification=True,
        )  # fmt: skip
    return done.new_sign_count


def _challenge(client_data: bytes) -> bytes:
    from webauthn.helpers import parse_client_data_json

    read = parse_client_data_json(client_data)
    if read.cross_origin:
        raise PasskeyRefused("unproved", "it was signed in a frame of another site")
    return read.challenge


@contextmanager
def _of_a_device() -> Iterator[None]:
    """Have whatever the library raises say that nothing is proved: it reads what anybody may send.

    It lets through what Python raises for values of another kind, and names no list of it.
    """
    try:
        yield
    except PasskeyRefused:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:_MOST_WORDS]
        raise PasskeyRefused("unproved", said) from error


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
