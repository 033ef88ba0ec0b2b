"""Signatures, by which receivers know that a webhook is ours.

Sources: Standard Webhooks specification 1.0 (`webhook-signature: v1,<base64 HMAC-SHA256 of id.timestamp.body>`, several
separated by spaces while a secret is rotated), and `x-voucherify-signature` (hex HMAC-SHA256 of the body) for receivers
of the old system.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from schemas.account import signing_key
from schemas.errors import CannotStart


class Signer:
    """Signs bodies. `secrets` are `whsec_…` texts; `legacy_secret` is optional. Never shows either."""

    def __init__(self, secrets: Sequence[str], legacy_secret: str = "") -> None:
        self._keys = [_key(secret) for secret in secrets]
        self._legacy = legacy_secret.encode()

    def __repr__(self) -> str:
        return f"Signer({len(self._keys)} secrets)"

    @property
    def said(self) -> str:
        """The number of secrets, in words."""
        signing = f"{len(self._keys)} secret{'s' if len(self._keys) > 1 else ''} of 16 to 64 bytes sign"
        return signing + (", and the legacy secret" if self._legacy else "")

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The headers of one attempt. `timestamp` is in Unix seconds."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        signatures = " ".join(f"v1,{base64.b64encode(_hmac(key, signed)).decode()}" for key in self._keys)
        headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
        if signatures:
            headers["webhook-signature"] = signatures
        if self._legacy:
            headers["x-voucherify-signature"] = _hmac(self._legacy, body).hex()
        return headers


def _key(secret: str) -> bytes:
    try:
        return signing_key(secret)
    except ValueError as error:
        raise CannotStart(f"webhook.secrets: {error}") from None


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()
