"""The key of a code that went out: equal for equal codes of a project, without saying the code."""

from __future__ import annotations

from hashlib import sha256

from schemas.record import JsonObject
from schemas.record_key import SEPARATOR

_DIGITS = 32
"""Hexadecimal ones: 128 bits, so that no two codes share a key."""


def code_key(project_id: str, code: str) -> str:
    """The key of a code as it was written: codes differ by their case, too."""
    return sha256(f"{project_id}{SEPARATOR}{code}".encode(errors="replace")).hexdigest()[:_DIGITS]


def published_code_key(project_id: str, data: JsonObject) -> str | None:
    """The key of the code that a message gave its customer, by its objects; None where it gave none.

    A voucher alone is what the event was about, such as one that was redeemed just now; beside a publication it is new.
    """
    publication, voucher = data.get("publication"), data.get("voucher")
    if not isinstance(publication, dict) or not isinstance(voucher, dict):
        return None
    code = voucher.get("code")
    return code_key(project_id, code) if isinstance(code, str) and code else None
