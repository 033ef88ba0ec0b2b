"""Decisions of a matcher, and what became of deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from schemas.closed import ChannelName, DeliveryOutcome, Outcome, Reason, Unknown
from schemas.delivery import DistributionRef, EventRef
from schemas.record import Record, doc


class Check(Record, frozen=True, kw_only=True):
    """One test that decided, in words: `customer.metadata.country in [PL, DE]`, and the value it saw."""

    test: str
    passed: Annotated[bool | None, doc("null where the test could not be made.")] = None
    seen: Annotated[str, doc("The value it saw, as text, shortened.")]


class Decision(Record, frozen=True, kw_only=True):
    """The outcome of a distribution whose trigger and guard fit an event, or whose guard failed with an error.

    One record a channel; `channel` is null where the whole distribution was skipped.
    """

    decision_id: Annotated[str, doc("The same for every replay of the same event.")]
    project_id: str
    distribution: DistributionRef
    event: EventRef
    customer_id: str
    outcome: Outcome | Unknown
    reason: Reason | Unknown | None = None
    detail: Annotated[str | None, doc("What exactly, in words.")] = None
    arm: Annotated[str | None, doc("The arm of the distribution that its customer is in.")] = None
    channel: ChannelName | Unknown | None = None
    delivery_id: str | None = None
    until: Annotated[datetime | None, doc("For deferred: not before.")] = None
    due_at: Annotated[datetime | None, doc("When it was due, where it had waited; null of what did not.")] = None
    checks: list[Check] = []
    decided_at: datetime


class DeliveryStatus(Record, frozen=True, kw_only=True):
    """The end of a delivery, or what its provider reported of it later, on `delivery.status`."""

    delivery_id: str
    project_id: str
    distribution: DistributionRef
    event: EventRef
    customer_id: str
    channel: ChannelName | Unknown
    account: str
    type: Annotated[
        str, doc("customer.<channel>.sent, .recovered or .failed; a report's: .delivered, .bounced, .complained")
    ]
    outcome: DeliveryOutcome | Unknown
    reason: Annotated[Reason | Unknown | None, doc("Where the product itself gave up, why.")] = None
    detail: Annotated[str, doc("The provider's last answer in words; never an address or a payload.")] = ""
    provider_id: str | None = None
    attempts: int
    occurred_at: datetime
    due_at: Annotated[datetime | None, doc("When it was due, where it had waited; null of what did not.")] = None
    arm: Annotated[str | None, doc("The arm of its distribution, where that has some.")] = None
    code_key: Annotated[str | None, doc("A hash of project and code, where it gave its customer a code.")] = None
