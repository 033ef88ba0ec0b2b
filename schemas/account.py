"""Accounts: what each channel needs to know of one, as a person writes it and as it is kept.

Values of the fields of kind `secret` and `secrets` are shown nowhere: neither by `repr` nor by an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from schemas.account_fields import (
    LIMIT_FIELDS,
    AccountField,
    AccountType,
    ascii_secret,
    line,
    secret,
    signing_secret,
    truth,
    whole,
)
from schemas.closed import ChannelName
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.hosts import ascii_url, is_name, server_host
from schemas.formats.kinds import kind_in_words
from schemas.formats.mail_address import mail_address, mailto
from schemas.names import ROUGHLY_LIKE, did_you_mean

MailSecurity = Literal["none", "starttls", "tls"]

SIGNING = "main"
"""The name of a project's one webhook account: its secrets sign whatever endpoint is called."""

LONGEST_HEADER_URL = 900
"""A line of a mail has at most 998 characters (RFC 5322, 2.1.1), and the name that is put in takes some."""
_LONGEST_NAME = 100
_LAST_PORT = 65_535
_MOST_CONNECTIONS = 100
_MOST_SECRETS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailAccountForm:
    """A mailbox to send from; `failover` names others that do it while this one takes nothing."""

    host: str
    sender: str
    port: int = 587
    security: MailSecurity = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    sender_name: str = ""
    ssl_cafile: str = ""
    connections: int = 4
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    failover: tuple[str, ...] = ()
    failover_ambiguous: bool = False
    callback_secrets: tuple[str, ...] = field(default=(), repr=False)
    rate: str = ""
    concurrency: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAccountForm:
    """Secrets by which receivers know a project's webhooks. All of `secrets` sign, so that they can be rotated.

    `callback_secrets`, here as at every account, prove what is reported back; each of them does.
    `rate` and `concurrency` bound each endpoint.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    legacy_secret: str = field(default="", repr=False)
    callback_secrets: tuple[str, ...] = field(default=(), repr=False)
    rate: str = ""
    concurrency: int = 0


AccountForm = EmailAccountForm | WebhookAccountForm


def read_account(channel: ChannelName, written: Mapping[str, object]) -> AccountForm:
    """The account that somebody wrote, as texts or in their own kinds. Raises DefinitionInvalid with every problem."""
    kind, problems, read = ACCOUNT_TYPES[channel], dict[str, str](), dict[str, Any]()
    known = {one.name: one for one in kind.fields}
    for name, value in written.items():
        if name not in known:
            problems[name] = f"must be one of {', '.join(known)}.{did_you_mean(name, known, ROUGHLY_LIKE)}".rstrip(".")
            continue
        try:
            read[name] = _value(known[name], value)
        except ValueError as error:
            problems[name] = str(error)
    problems |= {one.name: "is missing" for one in kind.fields if one.is_required and one.name not in written}
    if not problems:
        made: AccountForm = kind.form(**read)
        problems |= kind.check(made)
        if not problems:
            return made
    raise DefinitionInvalid(tuple(Problem(name, said) for name, said in problems.items()))


def changed_account(channel: ChannelName, before: AccountForm, written: Mapping[str, object]) -> AccountForm:
    """The same with what is written in place. Raises DefinitionInvalid, also where a secret would reach another place.

    Whoever may change an account need not know its secret, and does not get to know it by naming a host of their own.
    """
    changed = read_account(channel, {**asdict(before), **written})
    fields = ACCOUNT_TYPES[channel].fields
    moved = [one.name for one in fields if one.is_place and getattr(changed, one.name) != getattr(before, one.name)]
    shown = [one.name for one in fields if one.kind == "secret" and getattr(changed, one.name)]
    if problems := [Problem(name, _written_anew(moved)) for name in shown if moved and name not in written]:
        raise DefinitionInvalid(tuple(problems))
    return changed


def _written_anew(moved: list[str]) -> str:
    return f"must be written anew where {', '.join(moved)} changes: what is kept was meant for the one before"


def account_name(channel: ChannelName, name: str) -> str:
    """A name as distributions refer to it. Raises DefinitionInvalid."""
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip() and "/" not in name):
        said = f'"{name}" is not valid: must be a name of at most {_LONGEST_NAME} characters without /'
        raise DefinitionInvalid((Problem("name", said),))
    if channel == "webhook" and name != SIGNING:
        said = f'"{name}" is not valid: must be {SIGNING}, since one account signs all webhooks of a project'
        raise DefinitionInvalid((Problem("name", said),))
    return name


def _value(one: AccountField, value: object) -> Any:
    if one.kind == "names":
        names = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"must be a list of names, not {kind_in_words(value)}")
        return tuple(map(one.read, names))
    if one.kind == "truth" and not isinstance(value, str):
        if isinstance(value, bool):
            return value
        raise ValueError(f"must be true or false, not {kind_in_words(value)}")
    if one.kind == "secrets":
        items = value.replace(",", "\n").split() if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise ValueError(f"must be a list of texts, not {kind_in_words(value)}")
        if len(items) > _MOST_SECRETS:
            raise ValueError(f"must be at most {_MOST_SECRETS}: all of them count at the same time")
        return tuple(map(one.read, items))
    if one.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"must be a {one.kind}, not {kind_in_words(value)}")
    return one.read(value)


def _security(text: str) -> str:
    if text not in ("none", "starttls", "tls"):
        raise ValueError(f'"{text[:20]}" is not valid: must be one of none, starttls, tls')
    return text


def _mailbox(text: str) -> str:
    try:
        return mail_address(text)
    except ValueError as error:
        raise ValueError(f"must be an address such as news@shop.example: {error}") from None


def _mailto(text: str) -> str:
    if len(text) > LONGEST_HEADER_URL:
        raise ValueError(f"must have at most {LONGEST_HEADER_URL} characters")
    try:
        return mailto(text)
    except ValueError as error:
        raise ValueError(f"must be an address such as leave@shop.example: {error}") from None


def _unsubscribe_url(text: str) -> str:
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


def _email_problems(account: EmailAccountForm) -> Mapping[str, str]:
    if account.password and not account.username:
        return {"username": "is missing: the server wants to know whose password it is"}
    if account.username and not account.password:
        return {"password": "is missing: username alone is no login"}
    if account.password and account.security == "none" and account.host not in ("localhost", "127.0.0.1", "::1"):
        return {"security": "must be starttls or tls: without either the password would cross the network in the clear"}
    return {}


def _webhook_problems(account: WebhookAccountForm) -> Mapping[str, str]:
    if not account.secrets and not account.legacy_secret:
        return {"secrets": "is missing: without secrets, and without legacy_secret, receivers cannot know us"}
    return {}


ACCOUNT_TYPES: Mapping[ChannelName, AccountType] = {
    "email": AccountType(
        EmailAccountForm,
        (
            AccountField("host", server_host, is_required=True, is_place=True),
            AccountField("sender", _mailbox, is_required=True),
            AccountField("port", whole(1, _LAST_PORT), "number"),
            AccountField("security", _security),
            AccountField("username", line),
            AccountField("password", secret, "secret"),
            AccountField("sender_name", line),
            AccountField("ssl_cafile", line),
            AccountField("connections", whole(1, _MOST_CONNECTIONS), "number"),
            AccountField("unsubscribe_url", _unsubscribe_url),
            AccountField("unsubscribe_mailto", _mailto),
            AccountField("failover", line, "names"),
            AccountField("failover_ambiguous", truth, "truth"),
            AccountField("callback_secrets", signing_secret, "secrets"),
            *LIMIT_FIELDS,
        ),
        _email_problems,
    ),
    "webhook": AccountType(
        WebhookAccountForm,
        (
            AccountField("secrets", signing_secret, "secrets"),
            AccountField("legacy_secret", ascii_secret, "secret"),
            AccountField("callback_secrets", signing_secret, "secrets"),
            *LIMIT_FIELDS,
        ),
        _webhook_problems,
    ),
}
"""The accounts of each channel; whatever takes an account asks here for its fields."""
