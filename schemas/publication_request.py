"""The request of a matcher to a publisher: a code for a customer, and the messages that go out with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import WhenEmpty
from schemas.decision import Decision
from schemas.delivery import DistributionRef, EventRef
from schemas.distribution import TRANSACTIONAL
from schemas.record import JsonObject, Record, doc


class Draft(Record, frozen=True, kw_only=True):
    """One message that waits for its code, and the decision that is recorded when it leaves."""

    delivery: Annotated[JsonObject, doc("The delivery of its channel, without `data`.")]
    decision: Decision

    def __post_init__(self) -> None:
        """A message that no channel here can carry is refused before a code is spent on it."""
        if self.decision.channel not in DELIVERY_TYPES:
            known = ", ".join(DELIVERY_TYPES)
            raise ValueError(f"a draft's channel is {self.decision.channel}; this release has {known}")


class PublicationRequest(Record, frozen=True, kw_only=True):
    """A record of `publications.requests`."""

    publication_id: Annotated[str, doc("The same whenever the same send asks: one publication, one code.")]
    project_id: str
    campaign: Annotated[str, doc("The campaign's id.")]
    when_empty: WhenEmpty
    distribution: DistributionRef
    event: EventRef
    customer_id: str
    expires_at: datetime | None = None
    data: Annotated[JsonObject, doc("The objects of the event, with the customer's profile that counted.")]
    drafts: list[Draft]

    @property
    def category(self) -> str:
        """The consent category of its messages, which are all of one distribution; or transactional."""
        return next((str(one.delivery.get("category", TRANSACTIONAL)) for one in self.drafts), TRANSACTIONAL)
