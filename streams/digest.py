"""Digests: the window of an event, its place among what is gathered, and what is left of them at their release."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from schemas.decision import Decision
from schemas.digest import Joining, KnownDigest, Placed
from schemas.distribution import Digest
from schemas.formats.durations import format_duration, later
from schemas.hold import Gathered, Hold
from schemas.record import JsonObject
from streams.event_context import EventContext, objects_of
from streams.identity import decision_id
from streams.outcome import place_of, was_due
from streams.verdict import Skip
from streams.window import NEVER, WEEKDAYS, instant

DIGEST = "digest"
"""The name by which templates and payloads know the list."""
MOST = 100
"""Events whose content one digest keeps; all of them count."""
MOST_BYTES = 256 * 1024
"""Of what one digest keeps: it travels in one record, and each message has all of it. The first event always fits."""
_DAYS = 9
"""Days from the event's on that are looked at: more than a week, and one whose hour is over."""


def window_end(digest: Digest, happened: datetime, zone: tzinfo) -> datetime:
    """The end of the window that an event opens: always after it."""
    if digest.at is None:
        return later(happened, digest.seconds or 0) or NEVER
    at = time.fromisoformat(digest.at)
    try:
        today = happened.astimezone(zone).date()
    except OverflowError:
        return NEVER
    ends = (instant(day, at, zone) for day in _days(today) if not digest.days or WEEKDAYS[day.weekday()] in digest.days)
    return next((end for end in ends if end > happened), NEVER)


def _days(today: date) -> Iterable[date]:
    for number in range(_DAYS):
        try:
            yield today + timedelta(days=number)
        except OverflowError:
            return


def in_words(digest: Digest) -> str:
    """The moment at which it is sent."""
    by = f" with the same {digest.by}" if digest.by else ""
    if digest.at is None:
        return f"gathered with others{by}, sent {format_duration(digest.seconds or 0)} after the first of them"
    days = f" on {', '.join(digest.days)}" if digest.days else ""
    return f"gathered with others{by}, sent at {digest.at}{days}"


def place_all(known: Iterable[KnownDigest], joining: Sequence[Joining]) -> list[Placed]:
    """The place of each of some events, one after another; all are new."""
    there: dict[str, list[KnownDigest]] = {}
    for one in known:
        there.setdefault(one.digest_id, []).append(one)
    return [place(there.setdefault(one.digest_id, []), one) for one in joining]


def place(known: list[KnownDigest], one: Joining) -> Placed:
    """Join what is gathered until after the event, else open the next; `known` is brought up to date."""
    fitting = [each for each in known if not each.is_closed and each.until > one.happened_at]
    if fitting:
        joined = min(fitting, key=_until)
        is_kept = not joined.kept or (joined.kept < MOST and joined.size + one.size <= MOST_BYTES)
        if is_kept:
            known[known.index(joined)] = joined._replace(kept=joined.kept + 1, size=joined.size + one.size)
        return Placed(joined.until, is_kept)
    follows = [each.first_until for each in known if each.first_until and each.first_until > one.happened_at]
    is_over = {each.until for each in known if each.is_closed and each.first_until is None}
    own = one.late_until if one.until in is_over else one.until
    if one.first and not follows:
        known.append(KnownDigest(one.digest_id, one.happened_at, 1, one.size, is_closed=True, first_until=own))
        return Placed(one.happened_at, first_until=own)
    until = next((end for end in sorted(follows) if end not in is_over), own) if one.first else own
    known.append(KnownDigest(one.digest_id, until, 1, one.size))
    return Placed(until)


def _until(known: KnownDigest) -> datetime:
    return known.until


def joining_of(hold: Hold, size: int) -> Joining | None:
    """An event on its way into a digest; None for what waits by itself, as a digest does that was released before."""
    gathers, until = hold.gathers, hold.until
    if gathers is None or until is None or hold.events is not None:
        return None
    return Joining(gathers.digest_id, hold.event.created_at, until, gathers.late_until, size, gathers.first)


def released(leads: Hold, others: Sequence[Hold], count: int, until: datetime) -> Hold:
    """A digest as it goes to whoever judges it; it counts by the end of its window."""
    gathered = [
        Gathered(event=one.event, arrived_at=one.arrived_at, headers=one.headers, value=one.value) for one in others
    ]
    due = leads.due_at if leads.canceled_by else until
    return msgspec.structs.replace(leads, gathered=gathered, events=count, until=due, due_at=due)


def sifted(
    hold: Hold, contexts: Sequence[EventContext], objects: Callable[[EventContext], Skip | None], now: datetime
) -> tuple[Hold, list[EventContext], list[Decision]]:
    """A digest without the events that something objects to, and the decisions about those; the oldest left leads it.

    `contexts` are those of its events, the hold's own first. Events beyond those that are kept share the fate of the
    last one that is.
    """
    events = [Gathered(event=hold.event, arrived_at=hold.arrived_at, headers=hold.headers, value=hold.value)]
    pairs = zip([*events, *hold.gathered], contexts, strict=True)
    judged = [(one, context, objects(context)) for one, context in pairs]
    left = [(one, context) for one, context, objection in judged if objection is None]
    decisions = [_dropped(hold, one, objection, now) for one, _, objection in judged if objection]
    if not left:
        return hold, [], decisions
    beyond = (hold.events or 0) - len(judged)
    leads, others = left[0][0], [one for one, _ in left[1:]]
    led = msgspec.structs.replace(
        hold,
        event=leads.event,
        arrived_at=leads.arrived_at,
        headers=leads.headers,
        value=leads.value,
        gathered=others,
        events=len(left) + (0 if judged[-1][2] else beyond),
    )
    return led, [context for _, context in left], decisions


def _dropped(hold: Hold, one: Gathered, why: Skip, now: datetime) -> Decision:
    channel, step = place_of(hold)
    at = hold.project_id, hold.distribution.id, one.event.id, hold.customer_id
    return Decision(
        decision_id=decision_id(*at, channel, step, hold.round + 1),
        project_id=hold.project_id,
        distribution=hold.distribution,
        event=one.event,
        customer_id=hold.customer_id,
        outcome="skipped",
        reason=why.reason,
        detail=why.detail,
        arm=hold.arm,
        channel=channel,
        due_at=was_due(hold),
        decided_at=now,
    )


def shared_out(hold: Hold, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions about a digest, for each of its events: which digest it went into is told of all of them."""
    said = f"digest of {hold.events} event{'' if hold.events == 1 else 's'}"
    own = [_told(one, f"{said}: {one.detail}" if one.detail else said) for one in decisions]
    return own + [_for_event(one, other, hold) for other in hold.gathered for one in own]


def _told(decision: Decision, detail: str) -> Decision:
    return msgspec.structs.replace(decision, detail=detail)


def _for_event(decision: Decision, other: Gathered, hold: Hold) -> Decision:
    at = decision.project_id, decision.distribution.id, other.event.id, decision.customer_id
    return msgspec.structs.replace(
        decision,
        decision_id=decision_id(*at, decision.decision_id, 0, hold.round + 1),
        event=other.event,
        detail=f"{decision.detail}, with event {hold.event.id}",
        checks=[],
    )


def digest_of(contexts: Sequence[EventContext], count: int) -> JsonObject:
    """The list that messages show; the customer stands beside it."""
    return listed([objects_of(one.facts, one.head.type) for one in contexts], count)


def listed(events: Sequence[JsonObject], count: int) -> JsonObject:
    """The same, of the objects of events."""
    shown = [{name: value for name, value in one.items() if name not in ("customer", DIGEST)} for one in events]
    return {"events": shown, "count": count}
