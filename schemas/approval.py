"""Approval of a manual send: who gave it, and the things that it is bound to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.distribution import Distribution
from schemas.record import JsonObject
from schemas.send import Audience, When


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's approval: of so many customers as they were shown, and of each thing by its digest (`parts`)."""

    approved_by: str
    approved_at: datetime
    audience: int
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Basis:
    """All that decides what goes out to whom; `revision` counts the edits of the send."""

    revision: int
    to: Audience
    when: When
    hold: timedelta
    rule: Distribution
    segment: JsonObject | None
    campaign: JsonObject | None
    audience: int
