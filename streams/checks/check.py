"""A check of the audience: what it is asked about, what it answers, and how `why` shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from schemas.channels.tables import ChannelPlan
from schemas.decision import Check
from schemas.distribution import Distribution
from schemas.events.event import Event
from schemas.record import Record
from streams.conditions.answer import Recorder
from streams.event_context import Head, Profile
from streams.experiment import IN_NONE, Draw
from streams.recent import Sent
from streams.verdict import Defer, Go, Skip, Verdict


class Subject(msgspec.Struct, frozen=True):
    """A distribution, an event that it fits, and the profile of the customer whom the event is about.

    The event's own time counts in every check, so that a replay decides the same.
    """

    distribution: Distribution
    event: Event | Head[Any]
    profile: Profile

    @property
    def moment(self) -> datetime:
        """The time by which a start and an end count."""
        return self.event.created_at


class Due(Subject, frozen=True):
    """The same after it has waited: what was due at a moment counts by that."""

    due_at: datetime

    @property
    def moment(self) -> datetime:
        """See `Subject`."""
        return self.due_at


class Message(Subject, frozen=True):
    """One of its messages. `step` is the place of its channel among the others.

    `address` is the customer's on that channel, or why it has none. `recent` reads what the customer was sent lately,
    which few checks ask for. `now` is the moment at which it would be sent: one that objects with `Defer` holds this
    message, not the others, until then. `zone` is that of customers who name none. `due_at` is the end of its delay.
    `instead` are the ids of all messages of which only one is sent.
    `is_ranked`: it has waited beside others, and comes by priority.
    """

    plan: ChannelPlan
    step: int
    delivery_id: str
    address: Record | Skip
    recent: Callable[[], list[Sent]]
    now: datetime
    zone: tzinfo = UTC
    draw: Draw = IN_NONE
    due_at: datetime | None = None
    instead: Sequence[str] = ()
    is_ranked: bool = False

    @property
    def moment(self) -> datetime:
        """See `Subject`."""
        return self.due_at or self.event.created_at


S_contra = TypeVar("S_contra", contravariant=True, bound=Subject)
S = TypeVar("S", bound=Subject)


class Finding(NamedTuple):
    """The answer of a check and, for `why`, its test in words and the value that it saw; without a test no row."""

    verdict: Verdict
    test: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class AudienceCheck(Generic[S_contra]):
    """One check: its answer, and the row that `why` shows, in one judgement.

    One that `is_shown` is made after an objection too, so that `why` shows it.
    """

    judge: Callable[[S_contra], Finding]
    is_shown: bool = True


def first_objection(checks: Sequence[AudienceCheck[S]], subject: S, record: Recorder) -> Skip | Defer | None:
    """The answer of the first check that objects; None where all say go. Every check that is shown is recorded."""
    objection: Skip | Defer | None = None
    for check in checks:
        if objection is not None and not check.is_shown:
            continue
        verdict, test, seen = check.judge(subject)
        passed = isinstance(verdict, Go)
        if objection is None and not isinstance(verdict, Go):
            objection = verdict
        if test:
            record(Check(test=test, passed=passed, seen=seen))
    return objection
