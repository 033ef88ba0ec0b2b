"""An export: everything that is kept of one customer, a section a store. `SECTIONS` are its lists, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from schemas.record import JsonObject

_Json = Annotated[Any, Meta(description="As it is kept; null where it cannot be read, or is gone.")]


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is kept."""


class KeptErasure(_Row, frozen=True, kw_only=True):
    """A tombstone that was read; what came to Kafka before it was blanked."""

    erased_at: datetime


class KeptProfile(_Row, frozen=True, kw_only=True):
    """The profile as segments judge it, and when they look again because time passes."""

    profile: _Json
    due_at: datetime | None


class KeptConsents(_Row, frozen=True, kw_only=True):
    """The categories that the last profile gives, as senders hold deliveries against them."""

    given: list[str]
    changed_at: datetime


class KeptChoice(_Row, frozen=True, kw_only=True):
    """The last choice with us about a category; taken over: a later profile says the same, and counts alone."""

    category: str
    given: bool
    chosen_at: datetime
    way: str
    delivery_id: str | None
    taken_over_at: datetime | None


class KeptSegment(_Row, frozen=True, kw_only=True):
    """A segment that the customer is in or was in, or the reason why it cannot judge the customer."""

    segment_id: str
    is_member: bool
    since: datetime | None
    cannot_judge: str | None


class KeptBehaviour(_Row, frozen=True, kw_only=True):
    """The events of a customer that a segment counts: by time (with a hash of the id, and a value), and by day."""

    key: str
    topic: str
    record: _Json


class KeptAttempt(_Row, frozen=True, kw_only=True):
    """One attempt at a delivery."""

    at: datetime
    duration_ms: int
    outcome: str
    detail: str


class KeptAction(_Row, frozen=True, kw_only=True):
    """Something that a person did to a delivery."""

    at: datetime
    action: str
    actor: str


class KeptDelivery(_Row, frozen=True, kw_only=True):
    """A delivery as the ledger has it. `record` is what was sent, as far as that is kept."""

    delivery_id: str
    distribution_id: str
    distribution_version: int
    event_id: str
    channel: str
    destination: str
    through: str | None
    state: str
    reason: str | None
    detail: str
    provider_id: str | None
    attempts: int
    arrived_at: datetime
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    expires_at: datetime | None
    erased: bool
    tries: list[KeptAttempt]
    actions: list[KeptAction]
    record: _Json


class KeptReport(_Row, frozen=True, kw_only=True):
    """Something that a provider told of a delivery after it took it."""

    delivery_id: str
    outcome: str
    recorded_at: datetime


class KeptReach(_Row, frozen=True, kw_only=True):
    """The point to which a message came that others would have followed; null where it came nowhere."""

    delivery_id: str
    reached: str | None
    reached_at: datetime


class KeptDecision(_Row, frozen=True, kw_only=True):
    """A recorded decision about an event."""

    decision_id: str
    distribution_id: str
    distribution_version: int
    distribution_name: str
    event_id: str
    event_type: str
    event_at: datetime
    send_id: str | None
    outcome: str
    reason: str | None
    detail: str | None
    arm: str | None
    channel: str | None
    delivery_id: str | None
    until_at: datetime | None
    due_at: datetime | None
    checks: _Json
    decided_at: datetime


class KeptEnd(_Row, frozen=True, kw_only=True):
    """A recorded end of a delivery, or a report of it."""

    delivery_id: str
    outcome: str
    occurred_at: datetime
    distribution_id: str
    distribution_version: int
    distribution_name: str
    event_id: str
    event_type: str
    event_at: datetime
    send_id: str | None
    channel: str
    account: str
    type: str
    reason: str | None
    detail: str
    provider_id: str | None
    attempts: int


class KeptPurchase(_Row, frozen=True, kw_only=True):
    """An order or a redemption, or that one of them was taken back; the delivery is the one that gave its code."""

    event_id: str
    event_at: datetime
    kind: str
    subject_id: str
    amount: int | None
    currency: str | None
    delivery_id: str | None
    sent_at: datetime | None
    distribution_id: str | None
    distribution_version: int | None
    channel: str | None
    arm: str | None


class KeptHold(_Row, frozen=True, kw_only=True):
    """Something that waits for a moment, or did. `record` is what will be judged then; `event` the event in it."""

    hold_id: str
    round: int
    distribution_id: str
    reason: str
    until_at: datetime | None
    arrived_at: datetime
    held_at: datetime
    ended_at: datetime | None
    canceled_by: str | None
    send_id: str | None
    digest_id: str | None
    record: _Json
    event: _Json


class KeptRequest(_Row, frozen=True, kw_only=True):
    """Something that waits for a code."""

    publication_id: str
    campaign_id: str
    held_at: datetime
    tried_at: datetime
    request: _Json


class KeptCode(_Row, frozen=True, kw_only=True):
    """A code that the customer was given; `customer` is the profile as the publication has it."""

    publication_id: str
    campaign_id: str
    code: str
    start_date: datetime | None
    expiration_date: datetime | None
    value: int | None
    metadata: _Json
    channel: str
    distribution_id: str
    event_id: str
    published_at: datetime
    customer: _Json


class KeptSend(_Row, frozen=True, kw_only=True):
    """A send by hand that the customer is on the list of, or was decided about in."""

    send_id: str
    distribution_id: str
    status: str
    segment_id: str | None
    is_listed: bool
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class KeptCall(_Row, frozen=True, kw_only=True):
    """A call of an endpoint about the customer, without secrets."""

    endpoint: str
    delivery_id: str
    attempt: int
    at: datetime
    duration_ms: int
    outcome: str
    detail: str
    request: _Json
    reply: _Json


class KeptSuppression(_Row, frozen=True, kw_only=True):
    """An entry of one of the customer's addresses; on every channel where `channel` is empty."""

    channel: str
    key: str
    reason: str
    source: str
    expires_at: datetime | None
    added_at: datetime
    added_by: str


class KeptBounces(_Row, frozen=True, kw_only=True):
    """Soft bounces of one of the customer's addresses in a row."""

    channel: str
    bounces: int
    first_at: datetime
    last_at: datetime


class KeptChange(_Row, frozen=True, kw_only=True):
    """A row of the audit log that names the customer."""

    position: int
    at: datetime
    actor: str
    action: str
    version: int | None
    change: _Json


class KeptSentEntry(_Row, frozen=True, kw_only=True):
    """A send of late that the matcher counts: the ends of its ids, in hex, and when it counted.

    `channel` is null for what waits, and has not counted yet.
    """

    delivery: str
    event: str
    happened_at: datetime
    channel: str | None
    counted_at: datetime


class KeptLetter(_Row, frozen=True, kw_only=True):
    """A record with the customer's key that was refused: its place among the dead letters, why, and its bytes."""

    place: str
    record: str
    role: str
    kind: str
    message: str
    failed_at: str
    value: Annotated[str, Meta(description="As text; bytes that are not UTF-8 are replaced.")]


class CustomerExport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is kept of a customer, of one moment.

    `profile`, `recent_sends`, `told_segments` and `dead_letters` are read from Kafka, as matchers have them; all else
    is Postgres's. The events themselves are upstream's, on its topics. `not_searched` names what is kept for some
    time and cannot be found by a customer, with the reason.
    """

    project: str
    customer: str
    exported_at: datetime
    not_searched: dict[str, str]
    profile: JsonObject | None
    told_segments: list[str]
    recent_sends: list[KeptSentEntry]
    erasures: list[KeptErasure]
    profiles: list[KeptProfile]
    consents: list[KeptConsents]
    choices: list[KeptChoice]
    segments: list[KeptSegment]
    behaviours: list[KeptBehaviour]
    deliveries: list[KeptDelivery]
    reports: list[KeptReport]
    reach: list[KeptReach]
    decisions: list[KeptDecision]
    ends: list[KeptEnd]
    purchases: list[KeptPurchase]
    holds: list[KeptHold]
    requests: list[KeptRequest]
    codes: list[KeptCode]
    sends: list[KeptSend]
    calls: list[KeptCall]
    suppressions: list[KeptSuppression]
    bounces: list[KeptBounces]
    audit: list[KeptChange]
    dead_letters: list[KeptLetter]


SECTIONS: Mapping[str, type[_Row]] = MappingProxyType(
    {
        name: found[0]
        for name, hint in get_type_hints(CustomerExport).items()
        if (found := [one for one in get_args(hint) if isinstance(one, type) and issubclass(one, _Row)])
    }
)
"""The sections that are lists of rows, by name: what each row is."""
