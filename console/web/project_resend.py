"""The page on which failed messages are sent again, as a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from console.web.project_lists import ListPage


@dataclass(frozen=True, slots=True)
class FailedRow:
    """Messages of which the same became; `path` chooses these alone, None where nothing else is chosen."""

    channel: str
    destination: str
    state: str
    text: str
    messages: int
    oldest: datetime
    path: str | None


@dataclass(frozen=True, slots=True)
class ShownResend:
    """The reach of sending them again: how many are `ready`, and how many are `left`, by why.

    `may_have_arrived` are sent again only where that is asked for. `seen` is the moment of counting, for the form.
    """

    chosen: int
    ready: int
    left: Sequence[tuple[str, int]]
    may_have_arrived: int
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendPage(ListPage):
    """Failed messages that are chosen, by what became of them; `counted` is None before anything is chosen."""

    template: ClassVar[str] = "resend.html"
    title: str = "Send again"
    rows: Sequence[FailedRow]
    counted: ShownResend | None = None
    most: int
    messages_path: str
    note: str
