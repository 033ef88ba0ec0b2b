"""Encryption at rest: AES-256-GCM under one of several keys, bound to the row that it belongs to.

`deploy/decisions/account-encryption.md` says why it is so.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import TidingsError

_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class CannotDecrypt(TidingsError):
    """Raised where stored values cannot be read with the keys that are there; the message says which key it wants."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value, and the id of the key that it is encrypted under."""

    key_id: str
    content: bytes = field(repr=False)


class Keys:
    """Keys by id, the one that encrypts first; the others only decrypt. Never shows one."""

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        self._keys = dict(keys)

    def __repr__(self) -> str:
        return f"Keys({', '.join(self._keys)})"

    @classmethod
    def read(cls, lines: Iterable[str]) -> Self:
        """Keys written as ID:KEY, the key as base64. Raises ValueError that says which, and never what is there."""
        found: dict[str, bytes] = {}
        for number, line in enumerate(lines, 1):
            identity, key = _key(line, number)
            if identity in found:
                raise ValueError(f"number {number} has the id of one before it: {identity}")
            found[identity] = key
        return cls(found.items())

    @property
    def first(self) -> str:
        """The id of the key that encrypts; empty without any key."""
        return next(iter(self._keys), "")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all."""
        return tuple(self._keys)

    def seal(self, content: bytes, bound_to: tuple[str, ...]) -> Sealed:
        """Encrypt under the first key; it can be opened only with the same `bound_to`. Raises CannotDecrypt."""
        identity = self.first
        if not identity:
            raise CannotDecrypt("there is no key: set accounts.keys or accounts.key_file")
        nonce = os.urandom(_NONCE_BYTES)
        return Sealed(
            identity, nonce + AESGCM(self._keys[identity]).encrypt(nonce, content, _bound(identity, bound_to))
        )

    def open(self, sealed: Sealed, bound_to: tuple[str, ...]) -> bytes:
        """Decrypt a sealed value. Raises CannotDecrypt."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            there = ", ".join(self._keys) or "none"
            raise CannotDecrypt(f"it is encrypted under key {sealed.key_id}; accounts.keys has: {there}")
        nonce, content = sealed.content[:_NONCE_BYTES], sealed.content[_NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, content, _bound(sealed.key_id, bound_to))
        except (InvalidTag, ValueError):  # a nonce that is too short is a ValueError
            raise CannotDecrypt(
                f"it does not fit key {sealed.key_id}: the key is another one of that name, or the row was changed or"
                " copied from another account"
            ) from None


def _key(line: str, number: int) -> tuple[str, bytes]:
    identity, colon, text = line.strip().partition(":")
    if not colon or not _KEY_ID.fullmatch(identity):
        raise ValueError(f"number {number} must be ID:KEY, with an id of letters, digits, dot, dash and underscore")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"number {number} ({identity}) must be base64 after the colon") from None
    if len(key) != _KEY_BYTES:
        said = f"must hold {_KEY_BYTES} random bytes, this one {len(key)}; `openssl rand -base64 32` makes one"
        raise ValueError(f"number {number} ({identity}) {said}")
    return identity, key


def _bound(identity: str, bound_to: tuple[str, ...]) -> bytes:
    """Additional data, in which no two lists of texts look alike."""
    return msgspec.json.encode(["tidings", 1, identity, *bound_to])
