"""Answers of the audience checks: go on, do not send, or not before a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.closed import Reason


@dataclass(frozen=True, slots=True)
class Go:
    """Nothing against it."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Not sent, with why: from the closed list, and in words."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not before `until`; then it is judged anew, with a `priority` before what else is due for its customer."""

    reason: Reason
    until: datetime
    detail: str
    priority: int | None = None


Verdict = Go | Skip | Defer

GO = Go()
