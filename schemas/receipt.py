"""What came of asking a provider to take a message over: said by channels, judged by the sender."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.closed import Reason


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message over."""

    detail: str
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: an attempt that came to nothing. `retry_after` is in seconds, where the provider named it.

    `possibly_accepted`: the request was written in full and no answer came; only the idempotency key prevents a double.
    """

    detail: str
    retry_after: float | None = None
    possibly_accepted: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too fast: the destination slows down, and the message waits without an attempt. `retry_after` is in seconds."""

    detail: str
    retry_after: float | None = None


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


Receipt = Accepted | Deferred | Throttled | Refused | Blocked | Gone
