"""Events over HTTP: one or many into their topics, each checked as a matcher would."""

from __future__ import annotations

from typing import Any

import msgspec

from agents.broker.producer import write_all
from console.api.problems import refused
from console.api.reading import one_or_many
from console.api.route import Call, EventsBody, Reply, Route, Writing
from console.control.events import Reading, check_all, check_event
from schemas.errors import BadRecord
from schemas.record import JsonObject
from schemas.wire.json_text import decode_json

MOST_EVENTS = 500
_MOST_BYTES = 4 * 1024 * 1024


class PublishedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """The events that were taken, all of those that came, by topic. The same id again is the same event."""

    accepted: int
    topics: dict[str, int]
    dry_run: bool


async def post_events(call: Call[Any, Writing, bytes]) -> Reply:
    """Check all of them, then write all of them: none where one is wrong."""
    events, is_list = _events(call.body)
    reading = Reading.by(call.wiring.settings.matcher, call.project_id, call.now)
    checked = check_all(call.wiring, events, reading, check_event, is_list=is_list)
    if not call.query.dry_run:
        await write_all(call.producer(), checked.outputs)
    taken = PublishedEvents(accepted=len(events), topics=dict(checked.topics), dry_run=call.query.dry_run)
    return Reply(taken, 200 if call.query.dry_run else 202)


def _events(raw: bytes) -> tuple[list[Any], bool]:
    try:
        return one_or_many(decode_json(raw), "event", MOST_EVENTS)
    except BadRecord as error:
        raise refused("unreadable", f"the body cannot be read: {error}") from None


EXAMPLE: JsonObject = {
    "id": "ev_1",
    "type": "customer.order.paid",
    "created_at": "2026-03-02T10:00:00Z",
    "data": {"customer": {"id": "c1"}, "order": {"id": "o1", "amount": 4200}},
}
"""An event as a request brings it."""

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/events", "events:publish", "Publish one event or many; the same id again is the same event",
        post_events, {200: PublishedEvents, 202: PublishedEvents}, query_type=Writing,
        body=EventsBody(MOST_EVENTS), body_example=EXAMPLE, most_bytes=_MOST_BYTES,
    ),
)  # fmt: skip
