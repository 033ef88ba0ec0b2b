"""Suppressions: what nothing is sent to, and the one way in which addresses are compared.

A key is an address (`ann@shop.example`), a phone number (`+48600100200`), a host (`shop.example`: every address there,
and webhooks to that host) or a wildcard (`*.shop.example`: every host below it, not itself). It is compared in lower
case, its host in ASCII by IDNA 2008, a number as E.164 has it. Nothing else is folded: `ann+news@shop.example` is not
`ann@shop.example`, since only its server knows.

Of a customer who was erased an entry keeps the hash alone, written as `sha256:` and its digits, and is compared as
before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.formats.blank import trimmed
from schemas.formats.hosts import HostRefused, ascii_host
from schemas.formats.mail_address import any_mail_address
from schemas.formats.phone import phone_number

SuppressionReason = Literal["bounced", "complained", "unsubscribed", "requested", "other"]
"""Why nothing is sent: it does not exist, they called it spam, they left, somebody asked for it, or another reason."""

REASON_TEXTS: Mapping[SuppressionReason, str] = {
    "bounced": "mail to it was refused for good",
    "complained": "its owner reported a message",
    "unsubscribed": "its owner left",
    "requested": "somebody asked for it",
    "other": "another reason",
}

STRONGEST_FIRST: tuple[SuppressionReason, ...] = ("complained", "unsubscribed", "requested", "bounced", "other")
"""Of two reasons for one entry, the one that stands there: what its owner said counts more than what a server said."""

OWNER_WROTE = "its owner wrote "
"""The beginning of the source of an entry that the owner of a number asked for by a word such as STOP."""

LONGEST_SOURCE = 200
HASHED = "sha256:"
"""The beginning of a key of which the hash alone is kept."""
_KEY_BYTES = 16
_HASHED_KEY = re.compile(rf"{HASHED}[0-9a-f]{{{2 * _KEY_BYTES}}}")
_FEWEST_LABELS = 2
_FEWEST_DIGITS = 5
"""Of a phone number."""
_KEPT = 10_000


class Address(NamedTuple):
    """An address that a project writes to on a channel, as it is compared."""

    project_id: str
    channel: ChannelName
    key: str


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """An entry on its way into the list. Without a channel it counts on all.

    It ends at `expires_at`, or after `lasts` by the database's clock; without either it stays. `key` is as
    `suppression_key` writes it. `added_at` is given where another list says it.
    """

    project_id: str
    key: str
    reason: SuppressionReason
    source: str
    added_by: str
    channel: ChannelName | None = None
    expires_at: datetime | None = None
    lasts: timedelta | None = None
    added_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An entry of the list: what is suppressed where, why, until when, and who added it when."""

    key: str
    channel: ChannelName | None
    reason: SuppressionReason
    source: str
    expires_at: datetime | None
    added_at: datetime
    added_by: str


def suppression_key(written: str) -> str:
    """A key as it is compared. Raises ValueError that says what would be right, without an address or a number."""
    text = trimmed(written)
    if not text:
        raise ValueError(f"is empty: {_ALLOWED}")
    if _HASHED_KEY.fullmatch(text):
        return text
    if _is_phone(text):
        return _phone_key(text)
    if "@" in text:
        return _mail_key(text)
    return f"*.{_host_key(text[2:], text)}" if text.startswith("*.") else _host_key(text, text)


def address_keys(channel: ChannelName, address: str) -> tuple[str, ...]:
    """Each key that would suppress an address: itself, its host, the wildcards above. Of a webhook the URL's host.

    A phone number has itself alone, on whatever channel.
    Empty for what is not an address: its channel refuses it.
    """
    if channel == "webhook":
        return _webhook_keys(address)
    try:
        key = _phone_key(address) if _is_phone(address) else _mail_key(address)
    except ValueError:
        return ()
    return (key,) if _is_phone(key) else (key, *host_keys(key.rpartition("@")[2]))


def delivery_keys(delivery: Delivery) -> tuple[str, ...]:
    """Each key that would suppress a delivery: those of what it reaches, else of all its customer's addresses."""
    keys = address_keys(delivery.channel, delivery.reaches)
    return keys or tuple(key for one in delivery.addresses for key in address_keys(delivery.channel, one))


def customer_keys(profile: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of a profile's own addresses, without those of hosts; none of what is not an address."""
    written = [one for name in ("email", "phone") if isinstance(one := profile.get(name), str)]
    return tuple(key for one in written for key in address_keys("email", one)[:1])


def own_keys(delivery: Delivery) -> tuple[str, ...]:
    """The keys of a delivery's customer: of the address it goes to, and of the profile in it."""
    profile = delivery.data.get("customer")
    known = customer_keys(profile) if isinstance(profile, dict) else ()
    return tuple(dict.fromkeys((*filter(_is_own, delivery_keys(delivery)), *known)))


def _is_own(key: str) -> bool:
    return _is_phone(key) or "@" in key


@lru_cache(_KEPT)
def _webhook_keys(address: str) -> tuple[str, ...]:
    try:
        return host_keys(_host_key(_without_port(address), address))
    except ValueError:
        return ()


@lru_cache(_KEPT)
def host_keys(host: str) -> tuple[str, ...]:
    """The keys that cover a host: itself and the wildcards above it."""
    labels = host.split(".")
    above = range(1, len(labels) - _FEWEST_LABELS + 1)
    return host, *(f"*.{'.'.join(labels[number:])}" for number in above)


@lru_cache(_KEPT)
def key_hash(key: str) -> str:
    """The form in which a key is compared: 16 bytes as hexadecimal digits."""
    if key.startswith(HASHED):
        return key.removeprefix(HASHED)
    return hashlib.sha256(key.encode()).digest()[:_KEY_BYTES].hex()


_ALLOWED = (
    "must be an address, a phone number, a domain or a wildcard, as in ann@shop.example, +48501234567, shop.example or"
    " *.shop.example"
)


def _is_phone(text: str) -> bool:
    return text.startswith("+") and "@" not in text


def _phone_key(text: str) -> str:
    try:
        return phone_number(text)
    except ValueError as error:
        raise ValueError(f"is not a phone number: {error}; {_ALLOWED}") from None


def _mail_key(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if local in ("", "*"):
        raise ValueError(
            f'"{text[:60]}" is not valid: for every address of a domain write the domain alone, "{domain[:60]}"'
        )
    try:
        return any_mail_address(text).lower()
    except ValueError as error:
        raise ValueError(f"is not a mail address: {error}; {_ALLOWED}") from None


def _host_key(host: str, written: str) -> str:
    try:
        found = ascii_host(host.lower().removesuffix("."))
    except HostRefused as error:
        raise ValueError(f"{error}; {_ALLOWED}") from None
    labels = found.split(".")
    if len(labels) < _FEWEST_LABELS:
        raise ValueError(f"{_not_valid(written)}: a single label would stop far too much; {_ALLOWED}")
    if not all(map(_is_label, labels)):
        raise ValueError(f"{_not_valid(written)}: {_ALLOWED}")
    return found


def _not_valid(written: str) -> str:
    """Not shown is what may be a phone number without its `+`."""
    if sum(map(str.isdigit, written)) >= _FEWEST_DIGITS:
        return "is not valid"
    return f'"{written[:60]}" is not valid'


def _is_label(label: str) -> bool:
    return 0 < len(label) < 64 and label.strip("-") == label and label.replace("-", "").replace("_", "").isalnum()


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
