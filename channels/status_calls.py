"""Calls by which providers tell what became of messages: proved, and put into the words of all channels.

`signed_events` reads the form of our own, for providers and programs that have none: JSON, signed as webhooks are
(Standard Webhooks 1.0). A provider with a form of its own has it read by its channel (`Channel.statuses`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import msgspec

from channels.webhook.signing import is_signed
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.kinds import kind_in_words
from schemas.names import ROUGHLY_LIKE, did_you_mean

StatusKind = Literal[
    "delivered", "relayed", "delayed", "bounced", "complained", "unsubscribed", "resubscribed", "opened", "clicked",
    "machine_opened", "machine_clicked",
]  # fmt: skip
"""The end of a message, or `delayed` where it is still tried, `relayed` where nothing more will be told of it.

`unsubscribed` and `resubscribed` are said by the owner of an address of their own accord, and of no message.
"""

JSON_TYPE = "application/json"
MOST_EVENTS = 1000
"""Of one call."""
OUTCOMES: tuple[StatusKind, ...] = ("delivered", "bounced", "complained")
BOUNCES = ("hard", "soft")
"""There is nobody; or the mailbox takes nothing for now."""

LONGEST_ID = 300
"""Characters of a delivery's id, or of the Message-ID around it."""
_KEYS = ("delivery_id", "outcome", "bounce", "occurred_at", "detail")
_DELIVERY_ID = re.compile(r"dlv_[0-9a-f]{32}(?![0-9a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CallForm:
    """The calls of a provider, as far as it shows before their body is read, and what it takes for an answer.

    `proofs` are sets of headers, of which one has to be there, or nothing is proved; `types` are those of the body.
    `answer` is a type and a body; None for ours. `is_looked_up`: whether it asks for the address with
    GET before it calls there.
    """

    proofs: tuple[tuple[str, ...], ...]
    types: frozenset[str]
    answer: tuple[str, bytes] | None = None
    is_looked_up: bool = False


OWN_CALLS = CallForm(
    (("webhook-id", "webhook-timestamp", "webhook-signature"),), frozenset({JSON_TYPE, "message/rfc822"})
)


@dataclass(frozen=True, slots=True)
class StatusCall:
    """A provider's call that tells of messages which it took before. Names of headers are in lower case.

    `url` is the one that was called, as the provider knows it.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime

    @property
    def content_type(self) -> str:
        """The kind of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """One thing that such a call says. `is_hard`: the address is dead; `is_soft`: its mailbox takes nothing for now.

    `delivery_id` is empty where none of ours is named; `provider_id` is that of the receipt, from a provider that does
    not know ours. `occurred_at` is None where it is not said. `address` is whose it is, of what its owner said, or a
    provider says of an address and of no message.
    `report_id` is the report's own, by which the same is known when it comes again; empty where it has none.
    """

    kind: StatusKind
    delivery_id: str = ""
    provider_id: str = ""
    is_hard: bool = False
    detail: str = ""
    occurred_at: datetime | None = None
    is_soft: bool = False
    address: str = ""
    report_id: str = field(default="", compare=False)


class NotProven(Exception):
    """A call that nothing shows to be its provider's. Who called is not told why."""


def delivery_id_in(text: str) -> str | None:
    """The delivery's id in a text such as a Message-ID; None where it holds none."""
    found = _DELIVERY_ID.search(text)
    return found[0].lower() if found else None


def must_be_signed(call: StatusCall, secrets: Sequence[str]) -> None:
    """Raises NotProven for a call that none of the secrets signed, or that was signed long ago."""
    if not is_signed(secrets, call.headers, call.body, now=call.received_at):
        raise NotProven


def signed_events(call: StatusCall, secrets: Sequence[str]) -> list[StatusEvent]:
    """The events of a call in the form of our own. Raises NotProven; DefinitionInvalid with every problem."""
    must_be_signed(call, secrets)
    if call.content_type != JSON_TYPE:
        raise _invalid("/", f"must be {JSON_TYPE}")
    try:
        said = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        at = re.search(r"\(byte \d+\)", str(error))
        raise _invalid("/", f"is not JSON {at[0] if at else ''}".rstrip()) from None
    items = said if isinstance(said, list) else [said]
    if not 1 <= len(items) <= MOST_EVENTS:
        raise _invalid("/", f"must be an event, or a list of 1 to {MOST_EVENTS}, not of {len(items)}")
    read = _Reader(call.received_at)
    events = [read.event(item, f"/{number}" if isinstance(said, list) else "") for number, item in enumerate(items)]
    if read.problems:
        raise DefinitionInvalid(tuple(read.problems[:_MOST_PROBLEMS]))
    return [replace(one, report_id=call.headers["webhook-id"]) for one in events if one is not None]


_MOST_PROBLEMS = 20


def _invalid(path: str, message: str) -> DefinitionInvalid:
    return DefinitionInvalid((Problem(path, message),))


class _Reader:
    """Reads events and notes everything that is wrong with them. Paths are JSON pointers."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.problems: list[Problem] = []

    def event(self, item: object, at: str) -> StatusEvent | None:
        """One event; None where something is wrong with it."""
        before = len(self.problems)
        if not isinstance(item, dict):
            self._wrong(at or "/", f"must be an object, not {kind_in_words(item)}")
            return None
        for name in sorted(item.keys() - set(_KEYS), key=str):
            hint = did_you_mean(name, _KEYS, ROUGHLY_LIKE)
            self._wrong(f"{at}/{_pointed(name)}", f"must be one of {', '.join(_KEYS)}.{hint}".rstrip("."))
        kind = self._one_of(item, "outcome", OUTCOMES, at)
        bounce = self._one_of(item, "bounce", BOUNCES, at) if "bounce" in item else None
        if bounce and kind and kind != "bounced":
            self._wrong(f"{at}/bounce", f"belongs to the outcome bounced, not to {kind}")
        delivery_id, occurred_at, detail = self._id(item, at), self._time(item, at), self._text(item, "detail", at)
        if len(self.problems) > before or kind is None or delivery_id is None:
            return None
        return StatusEvent(kind, delivery_id, "", bounce == "hard", detail or "", occurred_at, bounce == "soft")

    def _wrong(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def _text(self, item: dict[str, Any], name: str, at: str) -> str | None:
        value = item.get(name, "")
        if isinstance(value, str):
            return value
        self._wrong(f"{at}/{name}", f"must be a text, not {kind_in_words(value)}")
        return None

    def _one_of(self, item: dict[str, Any], name: str, allowed: Sequence[Any], at: str) -> Any:
        if name not in item:
            self._wrong(f"{at}/{name}", f"is missing: must be one of {', '.join(allowed)}")
            return None
        value = self._text(item, name, at)
        if value is None or value in allowed:
            return value
        hint = did_you_mean(value[:40], allowed)
        said = f'"{_shown(value)}" is not valid: must be one of {", ".join(allowed)}.{hint}'
        self._wrong(f"{at}/{name}", said.rstrip("."))
        return None

    def _id(self, item: dict[str, Any], at: str) -> str | None:
        written = self._text(item, "delivery_id", at)
        if written is None:
            return None
        found = delivery_id_in(written) if len(written) <= LONGEST_ID else None
        if found is not None:
            return found
        if _is_of_others(written):
            return ""
        is_there = f'"{_shown(written)}" is not valid' if written else "is missing"
        said = f"{is_there}: must be the id of a delivery (dlv_ and 32 digits), or the Message-ID that holds it"
        self._wrong(f"{at}/delivery_id", said)
        return None

    def _time(self, item: dict[str, Any], at: str) -> datetime | None:
        """The time that is said; one ahead of our clock is now."""
        if "occurred_at" not in item:
            return None
        value = self._text(item, "occurred_at", at)
        try:
            moment = datetime.fromisoformat(value) if value is not None else self._now
            return min(moment.astimezone(self._now.tzinfo), self._now) if moment.tzinfo else self._zoneless(at)
        except (ValueError, OverflowError):
            said = f'"{_shown(value or "")}" is not valid: must be a time such as 2026-11-27T15:00:00Z'
            self._wrong(f"{at}/occurred_at", said)
            return None

    def _zoneless(self, at: str) -> None:
        self._wrong(f"{at}/occurred_at", "has no zone: must end in Z or an offset, as in 2026-11-27T15:00:00Z")


def _is_of_others(text: str) -> bool:
    """Tell whether a text is the id of somebody else's message: an account may serve other senders as well."""
    return 0 < len(text) <= LONGEST_ID and text.isprintable() and "dlv_" not in text.lower()


def _pointed(name: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return _shown(name).replace("~", "~0").replace("/", "~1")


def _shown(text: str) -> str:
    """The beginning of what was given, in characters that print."""
    return "".join(one if one.isprintable() else "?" for one in text[:40])
