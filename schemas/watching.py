"""The decisions of a distribution by the hour, and how much of a change in them is a surprise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class DistributionHours:
    """A live distribution: its version stands since `since`, and it decided something in each of `hours`, in order.

    `recent` and `before` count what it decided by the reason why it was skipped; the empty one: it was not.
    """

    project_id: str
    distribution_id: str
    since: datetime
    hours: tuple[datetime, ...]
    recent: Mapping[str, int]
    before: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WatchBounds:
    """Silence: longer than `silence_factor` times the usual gap, and than `silence_least`.

    A jump of a reason: its share is `jump_factor` times the usual, in at least `jump_least` skips.
    """

    silence_factor: float
    silence_least: timedelta
    jump_factor: float
    jump_least: int


@dataclass(frozen=True, slots=True)
class FieldSlot:
    """A span of time: how many of the sampled events had a field in which kind (the empty one: it was missing).

    `examples` are places of events, by kind.
    """

    start: datetime
    until: datetime
    kinds: Mapping[str, int]
    examples: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FieldHistory:
    """A field of the events of a subject, in the order of time."""

    project_id: str
    subject: str
    path: str
    slots: tuple[FieldSlot, ...]
