"""A delivery as a row of the ledger, and back."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from agents.roles.sender.work import Work
from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import ChannelName
from schemas.delivery import Delivery
from schemas.distribution import Again
from schemas.errors import BadRecord
from schemas.suppression import delivery_keys, own_keys
from store.sending.ledger import NewDelivery, Settlement, VersionKey
from streams.sending.judgement import Judgement
from streams.sending.replay import happened_at, repeats_until


class _Kept(msgspec.Struct):
    channel: ChannelName
    delivery: msgspec.Raw


def is_bulk(delivery: Delivery) -> bool:
    """True for one that is sent to many at once: it has its turn after those that something has just happened to."""
    return delivery.event.send_id is not None


def version_of(delivery: Delivery) -> VersionKey:
    """The version that decided."""
    return delivery.project_id, delivery.distribution.id, delivery.distribution.version


def row_of(work: Work, wait: timedelta, again: Again | None = None) -> NewDelivery:
    """The row that the ledger is to keep. Due after `wait`, or later where the delivery says so.

    `again` is how often a customer may get its distribution; None where that is not known.
    """
    delivery = work.delivery
    return NewDelivery(
        delivery_id=delivery.delivery_id,
        project_id=delivery.project_id,
        distribution_id=delivery.distribution.id,
        distribution_version=delivery.distribution.version,
        event_id=delivery.event.id,
        customer_id=delivery.customer.id,
        channel=delivery.channel,
        destination=delivery.account,
        priority=delivery.priority,
        expires_at=delivery.expires_at,
        record=kept_record(delivery),
        arrived_at=work.arrived_at,
        happened_at=happened_at(delivery),
        repeats_until=repeats_until(again, delivery),
        not_before=delivery.not_before,
        wait=wait,
        category=delivery.category,
        address_keys=delivery_keys(delivery),
        lane="bulk" if is_bulk(delivery) else "live",
        send_id=delivery.event.send_id,
    )


def settlement_of(
    delivery_id: str, judgement: Judgement, *, ended: float, took: float = 0.0, through: str = ""
) -> Settlement:
    """A judgement as the ledger takes it. `ended` is by the process's steady clock, `took` in seconds.

    `through` is the account that it was tried through in place of its own.
    """
    return Settlement(
        delivery_id=delivery_id,
        state=judgement.state,
        detail=f"{judgement.detail} (through {through})" if through and judgement.tried else judgement.detail,
        wait=judgement.wait,
        reason=judgement.reason,
        provider_id=judgement.provider_id,
        tried=judgement.tried,
        ended=ended,
        duration_ms=round(took * 1000),
        is_bounce=judgement.is_bounce,
        through=through or None,
        is_ambiguous=judgement.is_ambiguous,
    )


def read_stored(record: bytes) -> Delivery:
    """A delivery as the ledger keeps it: JSON, whatever the topic's format. Raises BadRecord."""
    try:
        kept = msgspec.json.decode(record, type=_Kept)
        return msgspec.json.decode(kept.delivery, type=DELIVERY_TYPES[kept.channel])
    except msgspec.DecodeError as error:
        raise BadRecord(f"the ledger's record cannot be read: {error}") from error


def stored_keys(record: bytes) -> list[tuple[str, str]]:
    """The project and the keys of suppressions of a stored delivery's customer."""
    try:
        delivery = read_stored(record)
    except BadRecord:
        return []
    return [(delivery.project_id, key) for key in own_keys(delivery)]


def redacted(record: bytes) -> bytes:
    """The same delivery with nothing left of its customer but the id: enough to tell how it ended."""
    try:
        delivery = read_stored(record)
    except BadRecord:  # then nothing can be told of it either
        return b""
    return kept_record(delivery.redacted())


def kept_record(delivery: Delivery) -> bytes:
    """A delivery as the ledger keeps it until it has left: JSON with its channel before it."""
    return msgspec.json.encode(_Kept(delivery.channel, msgspec.Raw(msgspec.json.encode(delivery))))
