"""`/p/<project>/topics`: the newest records of a topic, read and shown as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from console.control.topic_records import NEWEST, SHOWN_TOPICS, RecordPage, TopicRecord, Wanted, newest
from console.control.topic_tails import places_as_text, places_in
from console.web.lists import OTHER_ADDRESS, Asked, Field, Found, Listing
from console.web.pages import render
from console.web.project_operations import RecordRow, RecordsPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of, customer_path
from console.web.tables import address
from console.web.tails import Permit, Permitted
from schemas.errors import BadQuestion
from schemas.formats.cursors import write_cursor
from schemas.topics import DISTRIBUTIONS

FOLLOW = "/topics/follow"
_LONGEST = 256
_LARGEST_OFFSET = 2**63 - 1
_KINDS = ("type", "outcome", "status", "channel")
"""Fields of which the first that a record has says what it is."""


async def _find(asked: Asked) -> Found[RecordRow]:
    """A page of a topic's records, the newest first; nothing where no topic is chosen. Raises BadQuestion, TryLater."""
    topic, mine = asked.get("topic"), asked.mine
    if topic is None:
        return Found()
    wanted = Wanted(topic, asked.get("id"), asked.get("text"))
    page = await newest(mine.wiring, mine.project_id, wanted, _before(asked), asked.limit)
    rows = [_row(mine, topic, one) for one in page.records]
    more = {} if asked.cursor else {"follow": _following(mine, wanted, page), "keeps_table": True}
    return Found(rows, write_cursor(sorted(page.older.items())) if page.older else None, more)


def _following(mine: ProjectVisit, wanted: Wanted, page: RecordPage) -> str:
    """The address of what comes behind a page."""
    named = {"topic": wanted.topic, "id": wanted.id, "text": wanted.text, "behind": places_as_text(page.newer)}
    return address(f"{base_of(mine.project_id)}{FOLLOW}", named)


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


async def permit(mine: ProjectVisit) -> web.Response:
    """Leave to follow a topic that has such an address. Raises BadQuestion."""
    topic, identity, text, behind = map(mine.text, ("topic", "id", "text", "behind"))
    if topic not in SHOWN_TOPICS or max(len(identity), len(text)) > _LONGEST:
        raise BadQuestion(OTHER_ADDRESS, "topic")

    def rows(found: Sequence[TopicRecord]) -> str:
        shown = [_row(mine, topic, one) for one in reversed(found)]
        return render("topic_rows.html", rows=shown, zone=mine.context.zone)

    wanted = Wanted(topic, identity or None, text or None)
    return Permitted(Permit(mine.project_id, wanted, places_in(behind), rows))


LIST = Listing(
    path="/topics", permission="customers:export", row=RecordRow, find=_find, page=RecordsPage,
    fields=(
        Field("topic", "Topic", {name: name for name in SHOWN_TOPICS}, "choose one"), Field("id", "Id in the key"),
        Field("text", "Has the text", hint="ord_1"),
    ),
    more=_more,
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (*LIST.routes, ProjectRoute(FOLLOW, LIST.permission, permit, is_followed=True))
