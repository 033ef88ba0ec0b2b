"""Mails by which customers leave: programs send one to the `mailto:` of List-Unsubscribe, with the subject given there.

The subject holds the token of the customer's link. Programs fold a long word, or encode it; so blanks in it are none.
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32

_MARK = "unsubscribe."
_LONGEST_HEAD = 65_536
_LONGEST_SUBJECT = 8192
_TOKEN = re.compile(r"unsubscribe\.([A-Za-z0-9_-]+)", re.IGNORECASE)


def goodbye_subject(token: str) -> str:
    """The subject of a mail by which a customer leaves."""
    return _MARK + token


def goodbye_token(message: bytes) -> str | None:
    """The token in the subject of a mail, which nothing has proven yet; None where it is another mail."""
    head = re.split(rb"\r?\n\r?\n", message[:_LONGEST_HEAD], maxsplit=1)[0]
    subject = BytesHeaderParser(policy=compat32).parsebytes(head).get("Subject")
    try:
        words = str(make_header(decode_header(str(subject or "")[:_LONGEST_SUBJECT])))
    except (HeaderParseError, LookupError, ValueError):  # a character set that there is not, bytes that are not of it
        return None
    found = _TOKEN.search("".join(words.split()))
    return found[1] if found else None
