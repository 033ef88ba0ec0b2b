"""The segments that customers are in, as far as a trial knows: what is given, and what recorded events change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.membership import Memberships
from streams.event_context import Head
from streams.memberships import SEGMENT_EVENTS, Members, members, unknown, with_event, with_told

_UNKNOWN = unknown(
    "the segments of the customer are not known here. They are where a database is, or in the customers that are given "
    "(--customers), as in segments: [vip]"
)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KnownMemberships:
    """Ids of segments by customer: `given` ones are the whole truth, `applied` ones what a database says.

    `of_all`: who is in neither is in no segment; else nobody knows theirs.
    """

    applied: Mapping[str, Collection[str]] = field(default_factory=dict)
    given: Mapping[str, Collection[str]] = field(default_factory=dict)
    of_all: bool = False

    def of(self, customer: str) -> Collection[str] | None:
        """Ids of the segments that a customer is in; None where nobody knows."""
        found = self.given.get(customer, self.applied.get(customer))
        return () if found is None and self.of_all else found

    def redefined(self, segments: Collection[str], found: Mapping[str, Collection[str]]) -> KnownMemberships:
        """The same with who is found in some segments, in place of what is applied under their names."""
        others = {customer: set(ids).difference(segments) for customer, ids in self.applied.items()}
        applied = {customer: others.get(customer, set()).union(ids) for customer, ids in found.items()}
        return KnownMemberships({**others, **applied}, self.given, of_all=True)


class MembershipRows:
    """Rows as a matcher has them, from event to event: upstream tells of its own segments by them."""

    def __init__(self, known: KnownMemberships) -> None:
        self._known = known
        self._rows: dict[str, bytes | None] = {}

    def take(self, head: Head[Any]) -> None:
        """Note what an event says about memberships, where it is one of upstream's that does."""
        if head.type in SEGMENT_EVENTS:
            before = self._row(head.customer_id)
            after = with_event(before, head.id, head.type, head.data.segment.id, head.created_at)
            self._rows[head.customer_id] = after

    def of(self, customer: str) -> Members:
        """The segments of a customer; why they are not known."""
        return _UNKNOWN if self._known.of(customer) is None else members(self._row(customer))

    def _row(self, customer: str) -> bytes | None:
        if customer not in self._rows:
            told = sorted(self._known.of(customer) or ())
            said = Memberships(project_id="", customer_id=customer, segments=told, revision=1, told_at=_LONG_AGO)
            self._rows[customer] = with_told(None, said)
        return self._rows[customer]
