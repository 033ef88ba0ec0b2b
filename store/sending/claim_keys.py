"""Keys of deliveries in the table `claims`, which outlives their content: so they are short."""

from __future__ import annotations

import hashlib
import re

_ID = re.compile(r"dlv_[0-9a-f]{32}", re.ASCII)
_KEY_BYTES = 16


def claim_key(delivery_id: str) -> str:
    """The key of a delivery in `claims`: 16 bytes as hexadecimal digits. The function in SQL is the same."""
    if _ID.fullmatch(delivery_id):
        return delivery_id.removeprefix("dlv_")
    raw = delivery_id.encode()
    return (raw if len(raw) == _KEY_BYTES else hashlib.sha256(raw).digest()[:_KEY_BYTES]).hex()
