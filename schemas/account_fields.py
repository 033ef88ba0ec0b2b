"""Fields of accounts: what a channel says of each, and the readers that several of them share.

Values of the fields of kind `secret` and `secrets` are shown nowhere: neither by `repr` nor by an error.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.limit import MOST_AT_ONCE, parse_rate

FieldKind = Literal["text", "number", "truth", "names", "secret", "secrets"]

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every signing secret begins with
_LONGEST_SECRET = _LONGEST_LINE = 1000


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field: `read` makes its value of a text, or raises ValueError without quoting it.

    `is_place`: the account's secret is shown to whatever this names.
    """

    name: str
    read: Callable[[str], Any]
    kind: FieldKind = "text"
    is_required: bool = False
    is_place: bool = False

    @property
    def is_secret(self) -> bool:
        """True for what is never shown, nor taken from a command line."""
        return self.kind in ("secret", "secrets")


@dataclass(frozen=True, slots=True)
class AccountType:
    """A channel's accounts. `check` says what is wrong with fields that do not fit each other."""

    form: type[Any]
    fields: tuple[AccountField, ...]
    check: Callable[[Any], Mapping[str, str]]


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
    """One line of printing characters. Raises ValueError."""
    if not text.isprintable() or len(text) > _LONGEST_LINE:
        raise ValueError(f"must be one line of at most {_LONGEST_LINE} characters, all of which print")
    return text


def secret(text: str) -> str:
    """A secret on one line. Raises ValueError."""
    if not text.isprintable() or len(text) > _LONGEST_SECRET:
        raise ValueError(f"must be one line of at most {_LONGEST_SECRET} characters that print; it may have a line end")
    return text


def ascii_secret(text: str) -> str:
    """A secret of ASCII. Raises ValueError."""
    if not text.isascii():
        raise ValueError("must be ASCII")
    return secret(text)


def signing_secret(text: str) -> str:
    """A secret as Standard Webhooks has it. Raises ValueError."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"must begin with {SECRET_PREFIX}, as Standard Webhooks has it")
    signing_key(text)
    return text


def truth(text: str) -> bool:
    """True or false. Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError(f'"{text[:20]}" is not valid: must be true or false')
    return text == "true"


def whole(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers within bounds."""

    def read(text: str) -> int:
        if not (len(text) < 10 and text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise ValueError(f'"{text[:20]}" is not valid: must be a whole number from {least} to {most}')
        return int(text)

    return read


def rate(text: str) -> str:
    """A rate as limits are written; empty where none is set. Raises ValueError."""
    if text:
        parse_rate(text)
    return text


LIMIT_FIELDS = (AccountField("rate", rate), AccountField("concurrency", whole(0, MOST_AT_ONCE), "number"))
"""The bounds over all senders together; empty, and 0, where the provider sets none."""
