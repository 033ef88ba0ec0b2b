"""What a channel is: `render` turns a delivery into a request, `send` hands it over and says what came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.template import StoredTemplate

DETAIL = 300
"""Longest text of a provider that is kept."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message over."""

    detail: str
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now. `retry_after` is in seconds, where the provider named it.

    `possibly_accepted`: the request was written in full and no answer came; only the idempotency key prevents a double.
    `pause_destination`: it is our access that is refused, so nothing should be tried until somebody has mended it.
    """

    detail: str
    retry_after: float | None = None
    possibly_accepted: bool = False
    pause_destination: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never. `suppress`: the address is dead; `pause_destination`: nothing more should go there for now."""

    detail: str
    suppress: bool = False
    pause_destination: bool = False


Receipt = Accepted | Deferred | Refused

D_contra = TypeVar("D_contra", contravariant=True, bound=Delivery)
R = TypeVar("R")


class Channel(Protocol[D_contra, R]):
    """One way out. Plugins own no loop, no retry and no logging."""

    @property
    def name(self) -> ChannelName:
        """Which one."""

    def render(self, delivery: D_contra, template: StoredTemplate | None) -> R:
        """The request; the same delivery gives the same. Raises TemplateFailed, RenderRefused."""

    async def send(self, request: R, *, timeout: float, now: datetime) -> Receipt:
        """One attempt within `timeout` seconds. Every failure is a receipt; nothing is raised."""

    async def close(self) -> None:
        """Give back connections."""


AnyChannel = Channel[Any, Any]


def shortened(text: str) -> str:
    """One line of at most `DETAIL` characters."""
    line = " ".join(text.split())
    return line if len(line) <= DETAIL else line[: DETAIL - 1] + "…"
