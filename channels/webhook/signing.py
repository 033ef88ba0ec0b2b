"""Signatures, by which receivers know that a webhook is ours, and we that a provider's call is its own.

Sources: Standard Webhooks specification 1.0 (`webhook-signature: v1,<base64 HMAC-SHA256 of id.timestamp.body>`, several
separated by spaces while a secret is rotated), and `x-voucherify-signature` (hex HMAC-SHA256 of the body) for receivers
of the old system.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from schemas.account_fields import signing_key
from schemas.errors import CannotStart
from schemas.limit import NO_LIMIT, Limit

TOLERANCE = timedelta(minutes=5)
"""Between the time that was signed and ours, in both directions; so Standard Webhooks has it."""

_MOST_SIGNATURES = 20


class Signer:
    """Signs bodies. `secrets` are `whsec_…` texts; `legacy_secret` is optional. Never shows either.

    `limit` is that of each endpoint, which belongs to the same account.
    """

    def __init__(self, secrets: Sequence[str], legacy_secret: str = "", limit: Limit = NO_LIMIT) -> None:
        self.limit = limit
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


def is_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Tell whether one of the secrets signed a call, within the tolerance. Names of headers are in lower case.

    Everything is compared as bytes: the comparison of texts fails with an error for those outside ASCII.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not _is_fresh(timestamp, now):
        return False
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    expected = [f"v1,{base64.b64encode(_hmac(signing_key(secret), signed)).decode()}".encode() for secret in secrets]
    given = headers.get("webhook-signature", "").encode("utf-8", "surrogateescape").split()[:_MOST_SIGNATURES]
    equal = [hmac.compare_digest(one, other) for one in expected for other in given]  # all: no shorter for the first
    return any(equal)


def _is_fresh(timestamp: str, now: datetime) -> bool:
    is_number = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12
    return is_number and abs(now.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()


def _key(secret: str) -> bytes:
    try:
        return signing_key(secret)
    except ValueError as error:
        raise CannotStart(f"webhook.secrets: {error}") from None


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")
