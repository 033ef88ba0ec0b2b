"""`/p/<project>/topics`: the newest records of a topic, read and shown as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.control.topic_records import NEWEST, SHOWN_TOPICS, TopicRecord, Wanted, newest
from console.web.lists import OTHER_ADDRESS, Asked, Field, Found, Listing
from console.web.project_operations import RecordRow, RecordsPage
from console.web.projects import ProjectVisit, customer_path
from schemas.errors import BadQuestion
from schemas.formats.cursors import write_cursor
from schemas.topics import DISTRIBUTIONS

_LARGEST_OFFSET = 2**63 - 1
_KINDS = ("type", "outcome", "status", "channel")
"""Fields of which the first that a record has says what it is."""


async def _find(asked: Asked) -> Found[RecordRow]:
    """A page of a topic's records, the newest first; nothing where no topic is chosen. Raises BadQuestion, TryLater."""
    topic, mine = asked.get("topic"), asked.mine
    if topic is None:
        return Found()
    wanted = Wanted(topic, asked.get("id"), asked.get("text"))
    found, older = await newest(mine.wiring, mine.project_id, wanted, _before(asked), asked.limit)
    rows = [_row(mine, topic, one) for one in found]
    return Found(rows, write_cursor(sorted(older.items())) if older else None)


def _before(asked: Asked) -> Mapping[int, int]:
    """By partition, the offset before which a page begins. Raises BadQuestion."""
    place = dict(asked.place(list[tuple[int, int]]) or ())
    if any(not 0 <= number <= _LARGEST_OFFSET for pair in place.items() for number in pair):
        raise BadQuestion(OTHER_ADDRESS, "cursor")
    return place


def _row(mine: ProjectVisit, topic: str, one: TopicRecord) -> RecordRow:
    value = one.value or {}
    kind = next((str(value[name]) for name in _KINDS if value.get(name)), "")
    if one.value is None:
        kind = "cannot be read" if one.wrong else "tombstone"
    path = None if topic == DISTRIBUTIONS else customer_path(mine.project_id, one.id)
    return RecordRow(f"{one.partition}:{one.offset}", one.at, one.id, kind, one.size, one.value, one.wrong, path)


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    return {"newest": NEWEST, "topic": mine.query.get("topic", "")}


LIST = Listing(
    path="/topics", permission="customers:export", row=RecordRow, find=_find, page=RecordsPage,
    fields=(
        Field("topic", "Topic", {name: name for name in SHOWN_TOPICS}, "choose one"), Field("id", "Id in the key"),
        Field("text", "Has the text", hint="ord_1"),
    ),
    more=_more,
)  # fmt: skip
ROUTES = LIST.routes
