"""The hash of values: the same for the same ones, in whatever order their keys were written."""

from __future__ import annotations

import hashlib

import msgspec


def stable_hash(value: object) -> str:
    """SHA-256 of a value as JSON with sorted keys, as 64 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
