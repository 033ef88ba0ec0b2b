"""A delivery: one message of one distribution to one customer over one channel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

import msgspec

from schemas.closed import ChannelName
from schemas.record import JsonObject, Record, doc
from schemas.template import TemplateRef

TEST_ID = "test_"
"""The beginning of the id of a test, which no ledger has: those of deliveries begin with `dlv_`."""


class DistributionRef(Record, frozen=True, kw_only=True):
    """The distribution and the version that decided."""

    id: str
    version: int
    name: str


class EventRef(Record, frozen=True, kw_only=True):
    """The event that caused it."""

    id: str
    type: str
    created_at: datetime
    send_id: Annotated[str | None, doc("The manual send that it belongs to; null of all other events.")] = None


class Recipient(Record, frozen=True, kw_only=True):
    """Whom it is for."""

    id: str
    locale: str | None = None
    timezone: str | None = None


class Delivery(Record, frozen=True, kw_only=True):
    """The delivery of any channel; beside it stands its address, under the channel's name."""

    channel: ClassVar[ChannelName]
    delivery_id: Annotated[str, doc("The idempotency key: the same event and distribution always make the same id.")]
    project_id: str
    distribution: DistributionRef
    event: EventRef
    customer: Recipient
    arm: Annotated[str | None, doc("The arm of its distribution, where that has some.")] = None
    account: Annotated[str, doc("The account it leaves through; for a webhook the endpoint's host.")]
    priority: int
    category: Annotated[str, doc("The consent category, or transactional.")]
    not_before: datetime | None = None
    expires_at: datetime | None = None
    data: Annotated[JsonObject, doc("The objects of the event, with the customer's profile that counted.")]

    @property
    def template(self) -> TemplateRef | None:
        """The stored template that it is made of, where there is one."""
        return None

    @property
    def reaches(self) -> str:
        """The address that it goes to; of a webhook the endpoint's host."""
        raise NotImplementedError

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of its customer: suppressions and sandboxes judge by them what reaches a name alone."""
        return ()

    def redacted(self) -> Self:
        """The same with nothing left of its customer but the id: enough to tell how it ended."""
        bare: dict[str, Any] = {self.channel: self.redacted_address()}
        return msgspec.structs.replace(self, customer=Recipient(id=self.customer.id), data={}, **bare)

    def redacted_address(self) -> Record:
        """Its address with nothing in it that is a customer's, or may be."""
        raise NotImplementedError
