"""The plan of a project: the number of messages that it may send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal, get_args

from msgspec import Meta

from schemas.record import Record

Plan = Literal["trial", "verified", "paid"]
PLAN_NAMES: tuple[Plan, ...] = get_args(Plan)

Most = Annotated[int, Meta(ge=1)]


class MessageLimits(Record, frozen=True, kw_only=True):
    """Numbers of messages that may leave in all, in a day and in a month of the project's zone; None: any number."""

    in_all: Most | None = None
    a_day: Most | None = None
    a_month: Most | None = None

    @property
    def is_unlimited(self) -> bool:
        """True where any number may leave."""
        return self.in_all is None and self.a_day is None and self.a_month is None

    def over(self, plan: MessageLimits) -> MessageLimits:
        """These, and those of a plan where these say nothing."""
        return MessageLimits(
            in_all=self.in_all or plan.in_all, a_day=self.a_day or plan.a_day, a_month=self.a_month or plan.a_month
        )


PLANS: dict[Plan, MessageLimits] = {
    "trial": MessageLimits(in_all=10),
    "verified": MessageLimits(a_day=10, a_month=100),
    "paid": MessageLimits(),
}
"""A trial, a trial whose owner is verified, and no limit."""

LimitSpan = Literal["in_all", "a_month", "a_day"]


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit of a project: `used` of `allowed`, all of it free again at `free_at`; None: never."""

    span: LimitSpan
    allowed: int
    used: int
    free_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProjectUse:
    """All limits of a project, on a day of its zone."""

    project_id: str
    zone: str
    day: date
    uses: tuple[LimitUse, ...]
