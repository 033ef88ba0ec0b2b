"""DKIM (RFC 6376): what an account writes of it, the key that it signs by, and what is said of both.

Keys have 1024 to 4096 bits, which every verifier takes (RFC 8301, 3.2), or are of Ed25519 (RFC 8463).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from schemas.formats.hosts import is_name
from schemas.formats.mail_address import mail_address

DkimKey = RSAPrivateKey | Ed25519PrivateKey

_FEWEST_BITS, _MOST_BITS = 1024, 4096
_LONGEST_SELECTOR = 63
_AMAZON_SES = re.compile(r"email-smtp(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimFields:
    """The fields of an account whose mail is signed: all three, or none."""

    dkim_domain: str = ""
    dkim_selector: str = ""
    dkim_private_key: str = field(default="", repr=False)


def dkim_domain(text: str) -> str:
    """The domain that answers for a mail, in ASCII. Raises ValueError."""
    try:
        return mail_address(f"dkim@{text}").rpartition("@")[2] if text else ""
    except ValueError as error:
        raise ValueError(f"must be a domain such as shop.example: {error}") from None


def dkim_selector(text: str) -> str:
    """The name of a key below a domain. Raises ValueError."""
    if text and not (is_name(text) and len(text) <= _LONGEST_SELECTOR and not text.endswith(".")):
        raise ValueError("must be the name of the key, as in s1 where DNS has s1._domainkey.shop.example")
    return text


def dkim_private_key(text: str) -> str:
    """A key as PEM, its line ends as they are or as `\\n`, which is how variables hold them. Raises ValueError."""
    pem = text.replace("\\n", "\n").strip()
    if pem:
        parsed_key(pem)
    return pem


def parsed_key(pem: str) -> DkimKey:
    """The key of a PEM. Raises ValueError, which shows nothing of it."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except TypeError:
        raise ValueError("must not be encrypted by a passphrase: accounts are encrypted as they are kept") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("must be a private key as PEM, from -----BEGIN to its last line") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError("must be a key of RSA or Ed25519")
    if isinstance(key, RSAPrivateKey) and not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        raise ValueError(f"has {key.key_size} bits: must have {_FEWEST_BITS} to {_MOST_BITS}, best 2048")
    return key


def dkim_problems(written: DkimFields) -> Mapping[str, str]:
    """All that is missing, by field."""
    values = asdict(written)
    there = [name for name, value in values.items() if value]
    missing = [name for name, value in values.items() if not value]
    return dict.fromkeys(missing, f"is missing: {there[0]} is written, and signing takes all three") if there else {}


def dkim_advice(domain: str, sender: str, host: str) -> str:
    """The reason for which signatures of a domain would be worth little; empty where they count."""
    if not domain:
        return ""
    if replaced_headers(host):
        return (
            "Amazon SES signs for the domains that it has verified, and refuses a mail that is signed already"
            " (554 Duplicate header): sign here only where its own signing is off"
        )
    if not is_aligned(domain, sender.rpartition("@")[2].lower()):
        return f"DMARC does not count a signature of {domain} for mail from {sender}: write sender's own domain"
    return ""


def replaced_headers(host: str) -> frozenset[str]:
    """The headers that the server of a host writes anew, which would break a signature of them."""
    return frozenset({"date", "message-id"} if _AMAZON_SES.fullmatch(host.lower()) else ())


def is_aligned(domain: str, of_sender: str) -> bool:
    """Tell whether one of both is the other or below it: as far as the list of public suffixes is not needed."""
    return f".{domain}".endswith(f".{of_sender}") or f".{of_sender}".endswith(f".{domain}")
