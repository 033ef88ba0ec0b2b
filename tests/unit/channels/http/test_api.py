"""Receipts of requests to which no status came back."""

from __future__ import annotations

import ssl

from channels.http.api import unanswered
from schemas.receipt import Unreached


def test_a_certificate_that_is_not_trusted_is_waited_for() -> None:
    """It has expired, mostly; it is renewed within the waits between attempts."""
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "certificate has expired"
    receipt = unanswered(cause, 5.0, is_connected=False)
    assert receipt == Unreached("cannot connect: the receiver's certificate is not trusted: certificate has expired")
