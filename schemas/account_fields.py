"""Fields of accounts: how a person writes each, and how it is read. The account of a channel stands with the channel.

Values of the fields of kind `secret` and `secrets` are shown nowhere: neither by `repr` nor by an error.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from schemas.formats.hosts import ascii_url, is_name
from schemas.formats.mail_address import mail_address, mailto
from schemas.limit import MOST_AT_ONCE, parse_rate

FieldKind = Literal["text", "number", "truth", "names", "secret", "secrets"]

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every signing secret begins with
LONGEST_HEADER_URL = 900
"""A line of a mail has at most 998 characters (RFC 5322, 2.1.1), and the name that is put in takes some."""
_LONGEST_SECRET = _LONGEST_LINE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountForm:
    """An account as a person writes it; each channel has its own with more in it.

    `callback_secrets` prove what is reported back; each of them does. `rate` and `concurrency` are the bounds over all
    senders together; empty, and 0, where the provider's preset counts.
    """

    callback_secrets: tuple[str, ...] = field(default=(), repr=False)
    rate: str = ""
    concurrency: int = 0

    def after_grace(self) -> Self:
        """The same once what a rotation replaced counts no more."""
        return self


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field: `read` makes its value of a text, or raises ValueError without quoting it.

    `is_place`: the account's secret is shown to whatever this names. `stays_here`: a secret that is shown to nobody,
    and that nobody can type. `provider`: the only one of its channel's that has it; empty where each has.
    `choices`: of a closed list each value as it is written, with its words.
    """

    name: str
    read: Callable[[str], Any]
    kind: FieldKind = "text"
    is_required: bool = False
    is_place: bool = False
    stays_here: bool = False
    provider: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_secret(self) -> bool:
        """True for what is never shown, nor taken from a command line."""
        return self.kind in ("secret", "secrets")


@dataclass(frozen=True, slots=True)
class AccountType:
    """A channel's accounts. `check` says what is wrong with fields that do not fit each other.

    `read_name` raises ValueError for what cannot be the name of one. `kept` are fields of the form that nobody writes.
    `example` stands for any account where messages are shown and not sent, so that no secret is needed for that.
    `providers` are the values of its field `provider`, with their names; none where it has not that field.
    """

    form: type[AccountForm]
    fields: tuple[AccountField, ...]
    check: Callable[[Any], Mapping[str, str]] = lambda _: {}
    read_name: Callable[[str], str] = str
    kept: frozenset[str] = frozenset()
    example: AccountForm | None = None
    providers: Mapping[str, str] = field(default_factory=dict)


def signing_key(secret: str) -> bytes:
    """The bytes of a signing secret: `whsec_` and 16 to 64 bytes as base64. Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a secret is whsec_ and base64") from None
    if not 16 <= len(key) <= 64:
        raise ValueError(f"a secret holds 16 to 64 bytes, this one {len(key)}")
    return key


def line(text: str) -> str:
    if not text.isprintable() or len(text) > _LONGEST_LINE:
        raise ValueError(f"must be one line of at most {_LONGEST_LINE} characters, all of which print")
    return text


def secret(text: str) -> str:
    if not text.isprintable() or len(text) > _LONGEST_SECRET:
        raise ValueError(f"must be one line of at most {_LONGEST_SECRET} characters that print; it may have a line end")
    return text


def ascii_secret(text: str) -> str:
    if not text.isascii():
        raise ValueError("must be ASCII")
    return secret(text)


def signing_secret(text: str) -> str:
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"must begin with {SECRET_PREFIX}, as Standard Webhooks has it")
    signing_key(text)
    return text


def truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f'"{text[:20]}" is not valid: must be true or false')
    return text == "true"


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (len(text) < 10 and text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise ValueError(f'"{text[:20]}" is not valid: must be a whole number from {least} to {most}')
        return int(text)

    return read


def rate_text(text: str) -> str:
    if text:
        parse_rate(text)
    return text


def mailbox(text: str) -> str:
    try:
        return mail_address(text)
    except ValueError as error:
        raise ValueError(f"must be an address such as news@shop.example: {error}") from None


def mailto_address(text: str) -> str:
    if len(text) > LONGEST_HEADER_URL:
        raise ValueError(f"must have at most {LONGEST_HEADER_URL} characters")
    try:
        return mailto(text)
    except ValueError as error:
        raise ValueError(f"must be an address such as leave@shop.example: {error}") from None


def unsubscribe_url(text: str) -> str:
    if len(text) > LONGEST_HEADER_URL:
        raise ValueError(f"must have at most {LONGEST_HEADER_URL} characters")
    if text and not _is_header_url(text):
        raise ValueError(
            "must be an address of the web such as https://shop.example/leave?id={delivery_id}, without user, password,"
            " blanks, < and >; nothing but {delivery_id} is put in"
        )
    return ascii_url(text)


def _is_header_url(text: str) -> bool:
    filled = text.replace("{delivery_id}", "x")
    if not text.isprintable() or any(mark in filled for mark in ' <>{}"'):
        return False
    try:
        parts = urlsplit(ascii_url(filled))
        has_place = (is_name(parts.hostname or "") or "[" in parts.netloc) and parts.port != 0
    except ValueError:  # a port that is not a number, a bracket that is not closed, a name that no host has
        return False
    return filled.startswith(("https://", "http://")) and has_place and "@" not in parts.netloc


def one_of(*allowed: str) -> Callable[[str], str]:
    """A reader of a text from a closed list."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f'"{text[:20]}" is not valid: must be one of {", ".join(allowed)}')
        return text

    return read


def choice(name: str, choices: Mapping[Any, str], provider: str = "") -> AccountField:
    """A field whose value is one of a closed list; `choices` are these, each with its words."""
    return AccountField(name, one_of(*choices), provider=provider, choices=choices)


def switch(name: str, on: str, off: str) -> AccountField:
    """A field that is true or false, with the words of what happens then."""
    return AccountField(name, truth, "truth", choices={"true": on, "false": off})


def base_url(text: str) -> str:
    """The address of a provider's API, without a slash at its end."""
    wrong = "must be an address of the web such as https://api.example.com, without user, password, query and blanks"
    try:
        parts = urlsplit(text)
        is_place = is_name(parts.hostname or "") or "[" in parts.netloc
        is_one = parts.scheme in ("https", "http") and is_place and parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None
    if not is_one or "@" in parts.netloc or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise ValueError(wrong)
    return ascii_url(text).rstrip("/")


COMMON_FIELDS = (
    AccountField("callback_secrets", signing_secret, "secrets"),
    AccountField("rate", rate_text),
    AccountField("concurrency", whole(0, MOST_AT_ONCE), "number"),
)
"""The fields that every account has."""
