"""What a channel is: `render` turns a delivery into a request, `send` hands it over and says what came back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from schemas.closed import ChannelName, Reason
from schemas.delivery import Delivery
from schemas.template import StoredTemplate

DETAIL = 300
"""Longest text of a provider that is kept."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


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

D_contra = TypeVar("D_contra", contravariant=True, bound=Delivery)
R = TypeVar("R")


class Channel(Protocol[D_contra, R]):
    """One way out. Plugins own no loop, no retry and no logging."""

    @property
    def name(self) -> ChannelName:
        """Which one."""

    def at_once(self, account: str) -> int | None:
        """How many messages one of its destinations takes at once; None where the settings alone bound that."""

    def render(self, delivery: D_contra, template: StoredTemplate | None) -> R:
        """The request; the same delivery gives the same. Raises TemplateFailed, RenderRefused."""

    async def send(self, request: R, *, timeout: float, now: datetime) -> Receipt:
        """One attempt within `timeout` seconds. Every failure is a receipt; nothing is raised."""

    async def close(self) -> None:
        """Give back connections."""


AnyChannel = Channel[Any, Any]


def shortened(text: str) -> str:
    """One line of at most `DETAIL` characters that any store and any topic can keep, whatever a provider wrote."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).encode(errors="replace").decode().split())
    return line if len(line) <= DETAIL else line[: DETAIL - 1] + "…"
