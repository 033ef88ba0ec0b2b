"""Decisions of the past: from what recorders keep, and from their topic as far as that is ahead, or none ever ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import asyncpg
import msgspec
from msgspec import structs

from agents.broker.extents import Extents
from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control.meanwhile import meanwhile
from console.control.recorded_lag import RECORDED, Behind, behind_of, behind_there, missing
from schemas.decision import Check, Decision
from schemas.errors import BadQuestion, BadRecord, TryLater
from schemas.formats.cursors import parse_cursor, write_cursor
from schemas.topics import DECISIONS
from schemas.wire.read_as import read_as
from store.read_models.positions import Position, positions
from store.read_models.search import Asked, Place, RecordedSearch

PAGE = 200
"""Decisions of a page, where nothing else is asked for."""
_CHEAP = 20_000
"""Records of the topic that are read along with the read models: about a tenth of a second."""

Source = Literal["read models", "topics"]


@dataclass(frozen=True, slots=True)
class Reading:
    """The way in which decisions were found, and how whole that is.

    `behind` counts the records that recorders have not read, of the partitions asked for, and `behind_since` is the
    time of the oldest of them; `behind` is None where Kafka, which knows, does not answer. `older` is the cursor of the
    next page.
    """

    source: Source = "read models"
    behind: int | None = 0
    behind_since: datetime | None = None
    notes: tuple[str, ...] = ()
    older: str | None = None


@dataclass(frozen=True, slots=True)
class _Tail:
    """The part of the topic that recorders have not read. `decisions` is None where that is too much to read."""

    decisions: list[Decision] | None
    behind: Behind = Behind(0)


async def recorded_decisions(
    pool: asyncpg.Pool, wiring: Wiring, asked: Asked, *, now: datetime, limit: int = PAGE, lag: bool = True
) -> tuple[tuple[Decision, ...], Reading]:
    """A page of what recorders keep, the oldest first: no topic is read. Raises TryLater while Postgres is away.

    Without `lag`, which is for whoever knows it otherwise, Kafka is not asked.
    """
    search = RecordedSearch(pool)
    if not lag:
        page, older = _page(map(decision_of, await search.decisions(asked, limit + 1, now)), limit)
        return page, Reading(behind=None, older=older)
    known = await positions(pool)  # first: what comes in meanwhile is then said to be missing, and is there
    async with meanwhile(lambda: behind_there(known, wiring.extents, _key(wiring, asked))) as asking:
        page, older = _page(map(decision_of, await search.decisions(asked, limit + 1, now)), limit)
        try:
            behind = await asking
        except TryLater:
            return page, Reading(behind=None, older=older)
    return page, Reading(behind=behind.records, behind_since=behind.since, older=older)


async def find_decisions(
    pool: asyncpg.Pool,
    wiring: Wiring,
    asked: Asked,
    *,
    keep: timedelta,
    now: datetime,
    limit: int = PAGE,
    from_topics: bool = False,
) -> tuple[tuple[Decision, ...], Reading]:
    """A page of decisions, the oldest first, and how it came about. Raises TryLater."""
    search, topic = RecordedSearch(pool), wiring.topic(DECISIONS)
    known = [] if from_topics else await positions(pool)
    has_begun = any(one.topic == topic for one in known)
    notes = [] if has_begun or from_topics else [_NEVER_RECORDED]
    reaches_back = False
    if has_begun and asked.since is not None:
        oldest = await search.oldest_day(keep)
        reaches_back = asked.since.astimezone(UTC).date() < oldest
        if reaches_back:
            notes.append(f"recorders keep decisions from {oldest} on: what is older was looked for in their topic")
    is_whole = not has_begun or reaches_back
    read = partial(_read_topic, wiring, asked) if is_whole else partial(_read_tail, wiring, asked, known)
    async with meanwhile(read) as reading:  # after the positions: what comes in between is in both
        rows = await search.decisions(asked, limit + 1, now) if has_begun else []
        try:
            tail = await reading
            missed: int | None = tail.behind.records
        except TryLater as error:
            if not has_begun:
                raise
            tail, missed = _Tail([]), None
            notes.append(f"{error}: what recorders have not read yet is not shown")
    if said := tail.behind.in_words(now):
        notes.append(f"{said}; {_READ if tail.decisions is not None else _NOT_READ}")
    found = {one.decision_id: one for one in map(decision_of, rows)}
    found |= {one.decision_id: one for one in await _without_erased(search, asked.project_id, tail.decisions or ())}
    page, older = _page(found.values(), limit)
    source: Source = "read models" if has_begun else "topics"
    return page, Reading(source, missed, tail.behind.since, tuple(notes), older)


_NEVER_RECORDED = (
    "no recorder has run: decisions are looked for in their topic, which keeps them for a week. For longer, and found "
    "at once: tidings worker recorder"
)
_READ = "decisions among them were read from their topic"
_NOT_READ = "what they say is not shown. Run one `tidings worker recorder` more, or ask with --from-topics"


# -- from the read models ---------------------------------------------------------------------------------------------


def decision_of(row: Mapping[str, Any]) -> Decision:
    """The decision of a row."""
    event = {"id": row["event_id"], "type": row["event_type"], "created_at": row["event_at"], "send_id": row["send_id"]}
    named = "distribution_id", "distribution_version", "distribution_name"
    rule_id, version, name = (row[one] for one in named)
    same = (
        *("decision_id", "project_id", "customer_id", "outcome", "reason", "detail", "arm", "channel"),
        *("delivery_id", "due_at", "decided_at"),
    )
    return read_as(
        {
            **{one: row[one] for one in same},
            "distribution": {"id": rule_id, "version": version, "name": name},
            "event": event,
            "until": row["until_at"],
            "checks": msgspec.json.decode(row["checks"]),
        },
        Decision,
    )


# -- from the topic ---------------------------------------------------------------------------------------------------


def _read_topic(wiring: Wiring, asked: Asked) -> _Tail:
    """All of the topic that fits."""
    with closing(Extents(wiring)) as extents:
        there = extents.read([DECISIONS], _key(wiring, asked))
    return _Tail(_read_from(wiring, asked, {one.partition: one.start for one in there if one.start < one.end}))


def _read_tail(wiring: Wiring, asked: Asked, known: Sequence[Position]) -> _Tail:
    """Decisions that fit and lie behind what recorders know, unless those are too many, and how far behind they are."""
    topic, extents = wiring.topic(DECISIONS), wiring.extents
    there = extents.read(RECORDED, _key(wiring, asked))
    decided = [one for one in there if one.topic == topic]
    left = missing(known, decided)
    if not left:
        return _Tail([])
    lag = behind_of(known, extents, there)
    if sum(left.values()) > _CHEAP:
        return _Tail(None, lag)
    starts = {one.partition: one.end - left[place] for one in decided if (place := (topic, one.partition)) in left}
    return _Tail(_read_from(wiring, asked, starts), lag)


def _read_from(wiring: Wiring, asked: Asked, starts: Mapping[int, int]) -> list[Decision]:
    """Decisions that fit, from an offset of each of some partitions on."""
    if not starts:
        return []
    key, codec, found = _key(wiring, asked), wiring.codec(DECISIONS), list[Decision]()
    with TopicReader(wiring, DECISIONS) as reader:
        for message in reader.until_now(list(starts), start=starts):
            if key in (None, message.key()):
                with suppress(BadRecord):  # whoever reads it for work has dead-lettered it
                    found.append(read_as(codec.decode(message.value() or b""), Decision))
    return [one for one in found if _fits(one, asked)]


def _key(wiring: Wiring, asked: Asked) -> bytes | None:
    return None if asked.customer_id is None else wiring.key(asked.project_id, asked.customer_id)


def _fits(one: Decision, asked: Asked) -> bool:
    wanted = (
        (asked.project_id, one.project_id),
        (asked.customer_id, one.customer_id),
        (asked.event_id, one.event.id),
        (asked.distribution_id, one.distribution.id),
        (asked.delivery_id, one.delivery_id),
        (asked.outcome, one.outcome),
        (asked.reason, one.reason),
    )
    at = event_at(one)
    return (
        all(value in (None, found) for value, found in wanted)
        and (asked.since is None or at >= asked.since)
        and (asked.until is None or at < asked.until)
        and (asked.after is None or _place(one) < asked.after)
    )


async def _without_erased(search: RecordedSearch, project_id: str, found: Iterable[Decision]) -> list[Decision]:
    """The topic's decisions, without what it still says of customers who were erased since."""
    found = list(found)
    erased = await search.erased(project_id, {one.customer_id for one in found}) if found else {}
    blank: list[Check] = []
    return [
        structs.replace(one, detail=None, checks=blank)
        if one.customer_id in erased and event_at(one) <= erased[one.customer_id]
        else one
        for one in found
    ]


# -- pages ------------------------------------------------------------------------------------------------------------


def _page(found: Iterable[Decision], limit: int) -> tuple[tuple[Decision, ...], str | None]:
    """The newest of what was found, the oldest first, and the cursor of what is older.

    All about an event stand on one page, unless they fill it alone.
    """
    newest = sorted(found, key=_place, reverse=True)
    page, rest = newest[:limit], newest[limit:]
    if rest and rest[0].event.id == page[-1].event.id:
        page = [one for one in page if one.event.id != rest[0].event.id] or page
    older = cursor_of(_place(page[-1])) if rest and page else None
    return tuple(sorted(page, key=_told)), older


def _place(one: Decision) -> Place:
    return Place(event_at(one), one.event.id, one.decision_id)


def _told(one: Decision) -> tuple[object, ...]:
    """Order in a story: by events, and of those what was decided first."""
    return event_at(one), one.event.id, _utc(one.decided_at), one.distribution.id, one.decision_id


def event_at(one: Decision) -> datetime:
    """The time of a decision's event, which is in UTC where it names no zone."""
    return _utc(one.event.created_at)


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def cursor_of(place: Place) -> str:
    """A place as people pass it on."""
    return write_cursor([place.event_at.astimezone(UTC).isoformat(), place.event_id, place.decision_id])


def read_cursor(cursor: str) -> Place:
    """The place that a cursor names. Raises BadQuestion."""
    try:
        at, event_id, decision_id = parse_cursor(cursor, tuple[datetime, str, str])
        place = Place(_utc(at).astimezone(UTC), event_id, decision_id)
        if "\0" in event_id + decision_id:
            raise ValueError("names what no record has")
    except (ValueError, OverflowError):
        said = f'"{cursor}" is not valid: must be what the page before it named, unchanged'
        raise BadQuestion(said, "cursor") from None
    return place
