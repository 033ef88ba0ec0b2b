"""The ways in which an access token of OAuth 2 is shown to a mail server, over SMTP and IMAP alike (SASL).

XOAUTH2 is what Google and Microsoft document and nearly everybody else offers; OAUTHBEARER (RFC 7628) says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """One way: what is said of a username and a token, and the answer to a server that says why it refuses them."""

    name: str
    says: Callable[[str, str], bytes]
    ends: bytes


def _xoauth2(username: str, token: str) -> bytes:
    """Source: developers.google.com/workspace/gmail/imap/xoauth2-protocol."""
    return f"user={username}\x01auth=Bearer {token}\x01\x01".encode()


def _oauthbearer(username: str, token: str) -> bytes:
    """Source: RFC 7628, 3.1; `,` and `=` of a name as RFC 5801 has them."""
    name = username.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\x01auth=Bearer {token}\x01\x01".encode()


TOKEN_LOGINS = (TokenLogin("XOAUTH2", _xoauth2, b""), TokenLogin("OAUTHBEARER", _oauthbearer, b"\x01"))
"""The first that a server offers is used."""
