"""The one definition of an e-mail address: rules, senders, previews and settings all ask here.

An address is written `local@domain`. Blanks around it are trimmed; the domain is made lower-case ASCII by IDNA 2008
(RFC 5890, with the mapping of UTS 46, non-transitional). Refused, with the reason:
- letters outside ASCII before the @, but by `any_mail_address`: every server of the way needs SMTPUTF8 (RFC 6531)
- a quoted local part and an IP address as the domain: valid by RFC 5321, and nobody's real mailbox
- more than 64 bytes before the @ or 254 in all (RFC 5321, 4.5.3.1), and a label of more than 63
- a domain without a dot, one whose last label does not end with a letter, and one below `.invalid`, `.localhost`,
  `.onion` or `.arpa`, where there is no mail (RFC 6761)
Of the other domains for special use, `.local` and `.test` among them, a private mail server may know.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

import email_validator
from email_validator import EmailNotValidError, validate_email

from schemas.formats.blank import trimmed

_WITHOUT_MAIL = ("arpa", "invalid", "localhost", "onion")
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = _WITHOUT_MAIL  # the way that the library documents
_LONGEST = 254
_LONGEST_LOCAL = 64
_MOST_SAID = 160
_KEPT = 256
"""Addresses that are remembered: a customer's is asked for once for each channel of each rule that fits."""
_QUOTED_DOMAIN = re.compile(r" at position \d+ in '.*?'(?=\))")
_OF_QUERY = "!$%&'()*+,/:;=?@{}~"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"(?![A-Za-z0-9-]{64})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?!(?i:{'|'.join(_WITHOUT_MAIL)})\Z){_LABEL}(?<=[A-Za-z])")
"""What nearly all addresses are; of these the library says the same, in forty times the time."""


def mail_address(value: object) -> str:
    """An address as SMTP takes it, all ASCII. Raises ValueError that says why mail cannot be sent there.

    The reason shows single characters of the address at most, never the address.
    """
    return _address(_text(value), international=False)


def any_mail_address(value: object) -> str:
    """The same, and letters outside ASCII before the @, which only servers with SMTPUTF8 take; composed (NFC)."""
    return _address(_text(value), international=True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it is not a text")
    return value


@lru_cache(_KEPT)
def _address(written: str, *, international: bool) -> str:
    address = trimmed(written)
    if len(address) > _LONGEST:
        raise ValueError(f"it has {len(address)} characters, mail takes {_LONGEST}")
    local, at, domain = address.partition("@")
    if len(local) <= _LONGEST_LOCAL and _PLAIN.fullmatch(address):
        return local + at + domain.lower()
    return _checked(address, international=international)


def mailto(value: str) -> str:
    """The part behind `mailto:`: an address, and `?subject=…` if there is one. Raises ValueError."""
    address, question, rest = value.partition("?")
    return f"{mail_address(address)}{question}{quote(rest, safe=_OF_QUERY)}" if value else ""


def _checked(address: str, *, international: bool = False) -> str:
    try:
        found = validate_email(address, check_deliverability=False, allow_smtputf8=international, strict=True)
    except EmailNotValidError as error:
        reason = _QUOTED_DOMAIN.sub("", str(error))
        raise ValueError(reason[:_MOST_SAID].rstrip(".")) from error
    return str(found.ascii_email or _in_bounds(f"{found.local_part}@{found.ascii_domain}"))


def _in_bounds(address: str) -> str:
    """An address that is not ASCII, whose bounds are of bytes (RFC 6531, 3.3)."""
    if len(address.partition("@")[0].encode()) > _LONGEST_LOCAL or len(address.encode()) > _LONGEST:
        raise ValueError(f"mail takes {_LONGEST_LOCAL} bytes before the @ and {_LONGEST} in all, it has more")
    return address
