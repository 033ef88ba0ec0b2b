"""The moment until which a delay holds: so long after the event, or until a date that the event or the profile has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from schemas.distribution import Delay, FallbackAfter
from schemas.formats.blank import is_blank
from schemas.formats.days import read_moment, zone_of
from schemas.formats.durations import format_duration, later
from schemas.formats.paths import read_names
from streams.conditions.answer import Failure, with_kind
from streams.conditions.compile import Facts
from streams.conditions.getter import getter
from streams.event_context import Head, Profile, profile_text
from streams.sends import local_moment
from streams.verdict import Defer, Skip

_NEVER = datetime(9999, 12, 31, tzinfo=UTC)


def waited_for(
    delay: Delay | None, event: Head[Any], facts: Facts, zone: tzinfo, now: datetime
) -> Defer | Skip | Failure | None:
    """A hold until the moment on the customer's own clock that a send names, and until the delay after it is over."""
    happened = event.created_at
    local = local_moment(event, zone_of_customer(facts["customer"], zone))
    if isinstance(local, Failure):
        return local
    if delay is not None:
        return delayed(delay, max(local or happened, happened), facts, zone)
    if local is not None and local > now:
        return Defer("delayed", local, "its moment on the customer's own clock")
    return None


def delayed(delay: Delay, happened: datetime, facts: Facts, zone: tzinfo) -> Defer | Skip | Failure:
    """A hold until the delay is over; no message where its date lies before the event; Failure without a date."""
    if delay.until is None:
        return Defer("delayed", later(happened, delay.seconds) or _NEVER, f"{format_duration(delay.seconds)} after it")
    date = _date(delay.until, facts, zone)
    if isinstance(date, Failure):
        return date
    due, said = _before(date, delay.seconds), _in_words(delay)
    if due < happened:
        return Skip("expired", f"{said} is {due.isoformat()}, before the event")
    return Defer("delayed", due, said)


def follows_at(fallback: FallbackAfter, channel: str, now: datetime) -> Defer:
    """A hold of the next channel until it is known how far a message came that is sent now."""
    words = f"{format_duration(fallback.seconds)} after the message over {channel}, unless that is {fallback.unless}"
    return Defer("fallback", later(now, fallback.seconds) or _NEVER, words)


def zone_of_customer(profile: Profile, zone: tzinfo) -> tzinfo:
    """The zone that a customer lives in; the given one where the profile names none that is known."""
    return _zone_named(profile_text(profile, "timezone")) or zone


@lru_cache(1024)
def _zone_named(name: str | None) -> tzinfo | None:
    """Remembered, since a name that is not known is looked for among all that it may have meant."""
    try:
        return zone_of(name) if name else None
    except ValueError:
        return None


def _date(path: str, facts: Facts, zone: tzinfo) -> datetime | Failure:
    try:
        value = getter(read_names(path))(facts)
    except ValueError as error:
        return Failure(f"delay until {path}: {error}")
    if value is None or (isinstance(value, str) and is_blank(value)):
        return Failure(f"delay until {path}: not set")
    moment = read_moment(value, zone_of_customer(facts["customer"], zone)) if isinstance(value, str) else None
    return moment or Failure(f"delay until {path}: not a date, but {with_kind(value)}")


def _before(moment: datetime, seconds: int) -> datetime:
    try:
        return moment - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _in_words(delay: Delay) -> str:
    return f"{format_duration(delay.seconds)} before {delay.until}" if delay.seconds else f"{delay.until}"
