"""The time of a delivery, and the span in which it may come again: by its own words, so that each replay agrees."""

from __future__ import annotations

from datetime import MINYEAR, UTC, datetime
from typing import Any, assert_never

from schemas.delivery import Delivery
from schemas.distribution import Again

_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def happened_at(delivery: Delivery) -> datetime:
    """The latest moment that a delivery names as its cause: its event's, its code's, or that before which it waits.

    A code may be published long after the event, where its campaign had none left.
    """
    moments = (delivery.event.created_at, _published_at(delivery.data), delivery.not_before)
    return max(_in_calendar(moment) for moment in moments if moment is not None)


def repeats_until(again: Again | None, delivery: Delivery) -> datetime | None:
    """The time of the last event that can make a delivery's id again; None where any event can, or it is not known.

    `again` is how often a customer may get the distribution; None where its version is not to be found.
    """
    match again.mode if again else None:
        case None | "once_per_customer" | "once_per":
            return None
        case "every_event":
            return happened_at(delivery)
        case "once_in":
            seconds = again.seconds if again and again.seconds else 1
            return max(happened_at(delivery), _window_end(_in_calendar(delivery.event.created_at), seconds))
        case mode:
            assert_never(mode)


def _window_end(moment: datetime, seconds: int) -> datetime:
    """As `occurrence_key` counts windows."""
    try:
        return datetime.fromtimestamp((int(moment.timestamp()) // seconds + 1) * seconds, UTC)
    except (OverflowError, ValueError):
        return _LAST


def _in_calendar(moment: datetime) -> datetime:
    """The same in UTC; what its calendar does not have, at its nearest end."""
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        return _FIRST if moment.year == MINYEAR else _LAST


def _published_at(data: dict[str, Any]) -> datetime | None:
    publication = data.get("publication")
    written = publication.get("created_at") if isinstance(publication, dict) else None
    try:
        return datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
