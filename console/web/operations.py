"""`/p/<project>/notices`, `/destinations` and `/workers`: what waits for a person, what is held, and who works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from agents.broker.groups import NOBODY
from console.control import destinations as control
from console.control.destinations import HeldDestination
from console.control.notices import ShownNotice, notices_of
from console.web.lists import Asked, Field, Found, Listing, slice_of
from console.web.pages import FieldProblem, respond
from console.web.project_operations import (
    DestinationRow,
    DestinationsPage,
    NoticeRow,
    NoticesPage,
    PartitionRow,
    WorkerRow,
    WorkersPage,
)
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.words import inert
from schemas.access import may
from schemas.errors import TidingsError, TryLater
from schemas.formats.cursors import ticks
from store.notices import Notices, nobody
from store.sending.ledger import Ledger

_MOST_PARTITIONS = 50


async def _notices(asked: Asked) -> Found[NoticeRow]:
    """A page of them: those that are open first, the newest first. Raises BadQuestion, TryLater."""
    found = await notices_of(Notices(asked.mine.pool, nobody), asked.mine.project_id, closed=asked.get("over") == "yes")
    rows, following = slice_of(found, asked, _place, tuple[bool, int, str, str])
    return Found([_notice(one) for one in rows], following)


def _place(one: ShownNotice) -> tuple[bool, int, str, str]:
    return one.closed_at is not None, -ticks(one.opened_at), one.kind, one.about


def _notice(one: ShownNotice) -> NoticeRow:
    state = "over" if one.closed_at else "open"
    return NoticeRow(state, one.kind, one.about, one.summary, one.look_at, one.opened_at, one.closed_at)


async def _destinations(asked: Asked) -> Found[DestinationRow]:
    """A page of them, in the order of their names. Raises BadQuestion, TryLater."""
    found = await control.held(Ledger(asked.mine.pool), asked.mine.project_id)
    rows, following = slice_of(found, asked, lambda one: (_name(one), one.state), tuple[str, str])
    shown = [
        DestinationRow(_name(one), one.state, one.kind or "", one.reason, one.paused_at, one.waiting, one.oldest)
        for one in rows
    ]
    return Found(shown, following)


def _name(one: HeldDestination) -> str:
    return f"{one.channel}/{one.destination}"


async def resume(mine: ProjectVisit) -> web.Response:
    """Send to one again, the oldest first."""
    form = await mine.visit.form()
    named = form.get("destination", "").strip()
    try:
        if "\0" in named:
            raise TidingsError("choose the destination to send to again")
        await control.resume_destination(Ledger(mine.pool), mine.project_id, named, actor=mine.actor)
    except TryLater:
        raise
    except TidingsError as error:
        return await DESTINATIONS.respond(mine, [FieldProblem("main", inert(error))])
    return DESTINATIONS.back(mine, form, resumed="1")


async def show_workers(mine: ProjectVisit) -> web.Response:
    """Every process, and how far its group is behind. They work for all projects: the default one shows them."""
    if mine.project_id != mine.wiring.default_project:
        failure, look = f"They work for every project: those of {mine.wiring.default_project} see them.", None
    else:
        look = await mine.lag.of_groups()
        failure = "" if look else "Kafka does not answer: who works, and how far they are, is not known."
    behind = [one for group in (look.groups if look else ()) for one in group.partitions if one.lag]
    behind.sort(key=lambda one: -one.lag)
    page = WorkersPage(
        here=f"{base_of(mine.project_id)}/workers",
        workers=[
            WorkerRow(one.role, one.process, one.process == NOBODY, one.partitions, one.lag, one.rate)
            for one in (look.members if look else ())
        ],
        partitions=[
            PartitionRow(one.group, one.topic, one.partition, one.committed, one.end, one.lag)
            for one in behind[:_MOST_PARTITIONS]
        ],
        others=len(behind[_MOST_PARTITIONS:]),
        lag=sum(one.lag for one in behind),
        failure=failure,
        missing=await mine.lag.in_words(mine.pool, mine.now) if look else None,
        **mine.frame,
    )
    return respond(page)


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    note = "It is sent to again, the oldest message first." if mine.query.get("resumed") == "1" else ""
    return {"may_resume": may(mine.role, "destinations:operate"), "note": note}


NOTICES = Listing(
    path="/notices", permission="notices:read", row=NoticeRow, find=_notices, page=NoticesPage, is_live=True,
    fields=(Field("over", "Those that are over", {"yes": "as well"}, "left out"),),
)  # fmt: skip
DESTINATIONS = Listing(
    path="/destinations", permission="destinations:read", row=DestinationRow, find=_destinations,
    page=DestinationsPage, more=_more, is_live=True,
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *NOTICES.routes,
    *DESTINATIONS.routes,
    ProjectRoute("/destinations/resume", "destinations:operate", resume, "POST"),
    ProjectRoute("/workers", "operations:read", show_workers, is_live=True),
)
