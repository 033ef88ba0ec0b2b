"""What a channel is: `render` turns a delivery into a request, `send` hands it over and says what came back."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Protocol, TypeVar

from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.receipt import Receipt
from schemas.template import StoredTemplate

DETAIL = 300
"""Longest text of a provider that is kept."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


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
