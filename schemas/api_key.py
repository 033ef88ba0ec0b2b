"""Keys of the API: 256 random bits behind a prefix that says what they are for, and a checksum behind them.

The prefix lets scanners of source code find a key that leaked; the checksum tells a mistyped one from an unknown one
without asking anybody. Stored is the SHA-256 alone: of random bits nothing slower is needed.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import Literal

KeyKind = Literal["live", "test"]
"""A test key looks and dry-runs; it changes nothing."""

RANDOM_BYTES = 32
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH, _CHECK_LENGTH = 43, 6
"""In base 62, of 256 and of 32 bits."""
_KEY = re.compile(rf"tdg_(live|test)_([0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{{_CHECK_LENGTH}}})")
LONGEST = 128
"""Characters of what may be a key at all."""


def make_key(kind: KeyKind, random: bytes) -> str:
    """The key of some random bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a key is made of {RANDOM_BYTES} random bytes")
    body = f"tdg_{kind}_{_base62(int.from_bytes(random), _RANDOM_LENGTH)}"
    return body + _checksum(body)


def kind_of_key(key: str) -> KeyKind | None:
    """The kind of a key; None for what is not in the form of one, or mistyped."""
    found = _KEY.fullmatch(key) if len(key) <= LONGEST else None
    if found is None or _checksum(key[:-_CHECK_LENGTH]) != found[3]:
        return None
    return "live" if found[1] == "live" else "test"


def hash_of_key(key: str) -> bytes:
    """The digest that is stored in its place."""
    return hashlib.sha256(key.encode()).digest()


def key_id(digest: bytes) -> str:
    """The name under which a key is spoken of: of its digest, so that nothing of the key itself is shown."""
    return f"key_{digest.hex()[:16]}"


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
