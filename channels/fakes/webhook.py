"""A webhook receiver on loopback that verifies both signatures and remembers what it got."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from http import HTTPStatus

from aiohttp import web

from channels.fakes.http import HttpFake
from schemas.account_fields import SECRET_PREFIX

_TOLERANCE = 300.0
"""Seconds by which a timestamp may be off, as receivers have it."""


class WebhookReceiver(HttpFake):
    """Knows a message by its `webhook-id`, and lets nobody in without both signatures."""

    path = "/hook"

    def __init__(self, secret: str, legacy_secret: str = "") -> None:
        super().__init__()
        self._key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
        self._legacy = legacy_secret.encode()

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`."""
        return request.headers.get("webhook-id", "")

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        return None if self._is_verified(request, body) else HTTPStatus.UNAUTHORIZED

    def _is_verified(self, request: web.Request, body: bytes) -> bool:
        message_id, timestamp = self.message_id(request, body), request.headers.get("webhook-timestamp", "")
        signed = f"{message_id}.{timestamp}.".encode() + body
        if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > _TOLERANCE:
            return False
        expected = "v1," + base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        legacy = hmac.new(self._legacy, body, hashlib.sha256).hexdigest() if self._legacy else ""
        same_legacy = hmac.compare_digest(legacy, request.headers.get("x-voucherify-signature", ""))
        return same_legacy and any(hmac.compare_digest(expected, one) for one in given)
