"""Answers of providers that were asked to take a message over: given by channels, judged by the sender."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.closed import Reason


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message over. `retry_after`: for so many seconds it takes no other, as it says."""

    detail: str
    provider_id: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: an attempt that came to nothing. `retry_after` is in seconds, where the provider named it.

    Unless it is one of the kinds below, the destination could not be reached or has a problem of its own.
    """

    detail: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unreached(Deferred):
    """Not now, since no connection was made (no such name, refused, no route): an attempt that says nothing of the
    message, which is never given up for it.
    """


@dataclass(frozen=True, slots=True)
class Postponed(Deferred):
    """Not now, said of this message alone (greylisted, say): to the message the same; its destination is well."""


@dataclass(frozen=True, slots=True)
class Bounced(Postponed):
    """Not now because of the recipient's mailbox: to the message the same, and counted against the address."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Handed over in full, and no answer came: possibly accepted. Tried again; only the same key prevents a double."""

    detail: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too fast: the destination slows down, and the message waits without an attempt. `retry_after` is in seconds."""

    detail: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class DomainThrottled(Throttled):
    """Too fast for the domain of the recipient, as it seems: that alone slows down, other domains' messages go on.

    `names_it`: the answer speaks of the domain; else it was only given to a recipient there.
    """

    names_it: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never. `reason` is given where a closed list has one: `suppressed` for an address that is dead."""

    detail: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """It is about us: our access is refused. The destination pauses, what is for it waits until somebody resumes it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Gone:
    """Never, nor anything else: the destination is no more. This message is refused and the destination pauses."""

    detail: str


Receipt = Accepted | Deferred | Unanswered | Throttled | Refused | Blocked | Gone
"""No flags: each names one thing that becomes of the message, and one that becomes of its destination."""
