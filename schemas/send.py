"""A manual send: one distribution to a customer, a list of customers, or a segment, at a moment.

Each member's event on `events.manual` is made by `streams/sends.py`, so that a replay makes the same record again:

- the key is the customer's; `type` is `manual_distribution_schedule`; `id` is a hash of project, send and customer
- `created_at` is the moment at which the send could begin (`Started.at`), the same for all of it
- `data.customer` holds the id alone: the profile of the matcher's table counts
- `data.distribution` is the seed's, field for field
- `data.send` (`schemas/events/objects.py`, `SendRef`) is for matchers, and goes out in no message

The send's id travels on as `event.send_id` of deliveries, decisions, holds and requests for codes, and as the column
`send_id` of the ledger: a delivery that has one belongs into the bulk lane, and what is left of a send that was stopped
is refused there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Annotated, Literal

from schemas.record import Record, doc

_FIRST_ZONE, _LAST_ZONE = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
"""Where a time of the wall clock comes first, and last."""

AudienceKind = Literal["list", "segment"]
"""Customers by name, of whom one is the shortest list, or whoever is in a segment when its turn comes."""


class Audience(Record, frozen=True, kw_only=True):
    """Whom it goes to. A list's customers stand in the table `send_members`."""

    kind: AudienceKind
    segment: Annotated[str | None, doc("The id of the segment.")] = None
    own: Annotated[bool, doc("True for a segment that was made for this send alone, and goes with its end.")] = False


class When(Record, frozen=True, kw_only=True):
    """Its moment: at once after the hold, at a moment, or at a time of each customer's own clock.

    At most one of `at` and `local_time` is there.
    """

    at: datetime | None = None
    local_time: Annotated[str | None, doc("As in 2026-03-29T09:00:00, without a zone.")] = None

    @property
    def not_before(self) -> datetime | None:
        """The first moment at which it may begin, wherever customers live; None where that is at once."""
        return self.at if self.local_time is None else moment_at(self.local_time, _FIRST_ZONE)

    @property
    def lasts_until(self) -> datetime | None:
        """The moment at which a time of the wall clock has come everywhere; None where no zone but ours counts."""
        return None if self.local_time is None else moment_at(self.local_time, _LAST_ZONE)


def moment_at(local_time: str, zone: tzinfo) -> datetime:
    """The moment at which a clock of a zone shows a time.

    The first of two in the autumn; one that is left out in spring counts on as the clock went before.
    """
    return datetime.fromisoformat(local_time).replace(tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Entered:
    """One customer's membership of a segment: what tells its entry apart from all others, and when it began."""

    customer_id: str
    serial: int
    epoch: int
    number: int
    since: datetime


class Started(Record, frozen=True, kw_only=True):
    """The facts that are fixed when its first event is made, and stand in all of them."""

    at: datetime
    version: Annotated[int, doc("The distribution's.")]
    distribution: Annotated[dict[str, object], doc("data.distribution of each event.")]
