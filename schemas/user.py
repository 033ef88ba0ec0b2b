"""Users: people who sign in. Their names, their states, and links that are used once."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from typing import Literal

from schemas.formats.mail_address import any_mail_address

UserState = Literal["active", "disabled"]
"""Of a user in the whole deployment."""
MemberState = Literal["invited", "active", "disabled"]
"""Of a user as a project sees them: who is invited may do nothing yet."""
LinkPurpose = Literal["first_admin", "invitation", "reset"]

TOKEN_BYTES = 32
USER_ID_BYTES = 8
LONGEST_NAME = 100
"""Characters of the name that others see."""
_LONGEST_TOKEN = 64


def make_token(random: bytes) -> str:
    """The text of some random bytes, as an address and a cookie take it."""
    if len(random) != TOKEN_BYTES:
        raise ValueError(f"a token is made of {TOKEN_BYTES} random bytes")
    return base64.urlsafe_b64encode(random).decode().rstrip("=")


def hash_of_token(token: str) -> bytes:
    """The digest that is stored in its place: of random bits nothing slower is needed."""
    return hashlib.sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).digest()


def make_user_id(random: bytes) -> str:
    """The name under which a user is spoken of where no address may stand."""
    return f"usr_{random[:USER_ID_BYTES].hex()}"


def make_session_id(random: bytes) -> str:
    """The name under which a session is spoken of: nothing of the token that proves it."""
    return f"ses_{random[:USER_ID_BYTES].hex()}"


def make_passkey_id(random: bytes) -> str:
    """The name under which a passkey is spoken of: nothing of the name that its device has for it."""
    return f"pky_{random[:USER_ID_BYTES].hex()}"


def email_key(written: str) -> str:
    """An address as it is compared: whatever its case and its composition. What is no address is one to nobody."""
    try:
        address = any_mail_address(written)
    except ValueError:
        address = written.strip()[:320]
    return unicodedata.normalize("NFKC", address).casefold()
