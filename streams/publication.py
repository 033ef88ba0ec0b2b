"""From a request for a code to messages with their code, without one, or the reason for none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

import msgspec

from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import UNKNOWN, DistributionStatus, Outcome, Reason, SendStatus
from schemas.decision import Decision
from schemas.delivery import Delivery
from schemas.events.event import Event
from schemas.events.triggers import PUBLISHED
from schemas.publication_request import Draft, PublicationRequest
from schemas.record import JsonObject


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome of a request. `held`: it waits for codes; `stops`: its distribution is to be paused."""

    deliveries: list[Delivery] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    event: Event | None = None
    held: bool = False
    stops: bool = False


def is_expired(request: PublicationRequest, now: datetime) -> bool:
    """True where it is too late to send, so that no code should be spent on it."""
    return request.expires_at is not None and request.expires_at <= now


def with_code(request: PublicationRequest, objects: JsonObject, caused_by: str, now: datetime) -> Settled:
    """Messages with `objects`: campaign, voucher and publication. `caused_by`: the event that published the code.

    The same request comes to the same, however often. Another event that asks for the same send is a duplicate. The
    event that tells of the publication has the publication's id, so that it, too, is the same each time.
    """
    publication = objects["publication"]
    is_own = publication["id"] == request.publication_id
    if is_own and caused_by != request.event.id:
        detail = f"published already, at {publication['created_at']}"
        return Settled(decisions=_decided(request, "skipped", "duplicate", detail, now))
    event = _published(request, objects) if is_own else None  # of a first code given again it went out at its time
    return Settled(_deliveries(request, objects), _decided(request, "emitted", None, None, now), event)


def without_code(request: PublicationRequest, detail: str, now: datetime) -> Settled:
    """The outcome where the campaign gives no code, as the distribution says."""
    match request.when_empty:
        case "send_without":
            return Settled(_deliveries(request, {}), _decided(request, "emitted", None, detail, now))
        case "wait":
            return Settled(decisions=_decided(request, "deferred", "no_code", detail, now), held=True)
        case "skip":
            return Settled(decisions=_decided(request, "skipped", "no_code", detail, now))
        case "stop":
            return Settled(decisions=_decided(request, "skipped", "no_code", detail, now), stops=True)
        case _:
            assert_never(request.when_empty)


def not_wanted(request: PublicationRequest, detail: str, now: datetime) -> Settled:
    """The customer has left since the decision: no code, and nothing to stop later."""
    return Settled(decisions=_decided(request, "skipped", "consent", detail, now))


def too_late(request: PublicationRequest, now: datetime) -> Settled:
    """It expired before it got a code."""
    assert request.expires_at is not None  # noqa: S101 - asked before
    return Settled(decisions=_decided(request, "skipped", "expired", f"at {request.expires_at.isoformat()}", now))


def erased(request: PublicationRequest, now: datetime) -> Settled:
    """The customer was erased since: no code, no message, and nothing is told of what was seen of them."""
    decided = _decided(request, "skipped", "erased", "the customer was erased", now)
    return Settled(decisions=[msgspec.structs.replace(one, checks=[]) for one in decided])


def without_again(request: PublicationRequest, event_id: str, now: datetime) -> Settled:
    """The outcome of one that went out without a code, for an event: the same for it again, nothing for another."""
    if event_id == request.event.id:
        return Settled(_deliveries(request, {}), _decided(request, "emitted", None, "without a code", now))
    return Settled(decisions=_decided(request, "skipped", "duplicate", "sent already, without a code", now))


def after_waiting(
    request: PublicationRequest,
    now: datetime,
    *,
    status: DistributionStatus | None,
    ends_at: datetime | None,
    send: SendStatus | None,
) -> Settled | None:
    """The end of one that waited for codes, by its distribution and its manual send as they are now.

    None where it may ask for a code; held where it waits on, as it would for a pause. `status` None: it was deleted.
    """
    if status in (None, "STOPPED", "DRAFT", "ARCHIVED"):
        said = "was deleted" if status is None else f"is {status}"
        return Settled(decisions=_decided(request, "skipped", "stopped", f"its distribution {said}", now))
    if status == "ENDED" or (ends_at is not None and ends_at <= now):
        return Settled(decisions=_decided(request, "skipped", "ended", "ended while this waited for a code", now))
    if send == "STOPPED":
        return Settled(decisions=_decided(request, "skipped", "canceled", "its send was stopped", now))
    if is_expired(request, now):
        return too_late(request, now)
    return Settled(held=True) if "PAUSED" in (status, send) else None


def _deliveries(request: PublicationRequest, objects: JsonObject) -> list[Delivery]:
    data = {**request.data, **objects}
    return [_delivery(draft, data) for draft in request.drafts]


def _delivery(draft: Draft, data: JsonObject) -> Delivery:
    delivery: Any = draft.delivery | {"data": data}
    channel = draft.decision.channel
    assert channel is not None and channel != UNKNOWN  # noqa: S101 - a draft is always of a channel
    made: Delivery = msgspec.convert(delivery, DELIVERY_TYPES[channel])
    return made


def _decided(
    request: PublicationRequest, outcome: Outcome, reason: Reason | None, detail: str | None, now: datetime
) -> list[Decision]:
    changes: dict[str, Any] = {"outcome": outcome, "reason": reason, "detail": detail, "decided_at": now}
    if outcome == "skipped":
        changes["delivery_id"] = None
    return [msgspec.structs.replace(draft.decision, **changes) for draft in request.drafts]


def _published(request: PublicationRequest, objects: JsonObject) -> Event:
    publication = objects["publication"]
    return Event(
        id="ev_" + publication["id"],
        project_id=request.project_id,
        type=PUBLISHED,
        created_at=datetime.fromisoformat(publication["created_at"]),
        data={"customer": request.data["customer"], **objects},
    )
