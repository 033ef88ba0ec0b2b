"""Tokens of links: opaque, and made by nobody without the secret.

A token is a few texts, encrypted and authenticated at once by AES-SIV (RFC 5297). That is deterministic, so that a
message is the same at each attempt, and shows nothing, so that a link that is passed on or logged names nobody. It
lasts as long as its secret: a link in an old mail still has to work.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LONGEST_TOKEN = 4000
_END = "0"
"""Behind a token that would end in a dash or an underscore: programs that find links in texts leave these out. Its
length is one that base64 never has, so it is told from what it stands behind.
"""
_KEY_BYTES = 64
_MOST_KEYS = 1024
"""Keys that are kept: the names of projects come from whoever asks."""


def sealed(parts: Sequence[str], secret: str, purpose: bytes) -> str:
    """The token of some texts: base64url that ends in a letter or a digit.

    Raises ValueError for an empty secret: anyone could make it.
    """
    if not secret:
        raise ValueError("a link takes a secret that is not empty")
    written = _written(_cipher(secret, purpose).encrypt(msgspec.msgpack.encode(parts), None))
    return written + _END if written.endswith(("-", "_")) else written


def opened(token: str, secrets: Sequence[str], purpose: bytes) -> tuple[str, ...] | None:
    """The texts of a token; None where no secret proves it for this purpose."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        return None
    if len(token) % 4 == 1 and token.endswith(("-" + _END, "_" + _END)):
        token = token.removesuffix(_END)
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if _written(content) != token:  # the last letter has bits that mean nothing: one token, one way to write it
        return None
    for secret in filter(None, secrets):
        try:
            return msgspec.msgpack.decode(_cipher(secret, purpose).decrypt(content, None), type=tuple[str, ...])
        except (InvalidTag, ValueError):  # of which a damaged content is one
            continue
    return None


def _written(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@lru_cache(maxsize=_MOST_KEYS)
def _cipher(secret: str, purpose: bytes) -> AESSIV:
    """A key of its own for each purpose, so that no other signature of the secret is one of these."""
    return AESSIV(HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose).derive(secret.encode()))
