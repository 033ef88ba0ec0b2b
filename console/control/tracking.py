"""Opens and clicks, taken in: of customers who have agreed, each once, and what machines did apart."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

import asyncpg

from agents.roles.sender.ledger_rows import read_stored
from agents.tracked_projects import tracking_of
from channels.status_calls import StatusEvent, StatusKind
from console.control.callbacks import Database
from console.control.reports import Reports
from console.control.subscriptions import is_given
from deploy.settings.settings import Settings
from schemas.delivery import Delivery
from schemas.errors import BadRecord
from schemas.tracking import TRACKING
from store.consent_choices import ConsentChoices
from store.projects import Projects
from store.sending.status_events import StatusEvents
from streams.noise import Kind, Request, noise_of

Fate = Literal["person", "machine", "not kept"]
"""Who it was. `not kept`: its delivery or customer is gone, the customer does not agree any more, or the project does
not want to know any more.
"""
_BY_MACHINE: dict[Kind, StatusKind] = {"opened": "machine_opened", "clicked": "machine_clicked"}


class TrackedVisits:
    """The opens and clicks of all projects. Raises TryLater while Postgres is away."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def take(
        self, project_id: str, delivery_id: str, request: Request, others: Collection[datetime] = ()
    ) -> Fate:
        """Take in one request; the same of the same delivery again changes nothing.

        `others` are moments at which other links of the message were followed.
        """
        pool = await self._database()
        rows = await StatusEvents(pool).deliveries(project_id, [delivery_id])
        if not rows or rows[0]["erased"]:
            return "not kept"
        try:
            delivery = read_stored(rows[0]["record"])
        except BadRecord:
            return "not kept"
        if not await self._may_keep(pool, delivery, request.kind):
            return "not kept"
        noise = noise_of(request, rows[0]["settled_at"], others)
        kind = _BY_MACHINE[request.kind] if noise else request.kind
        event = StatusEvent(kind, delivery_id, detail=noise or "", occurred_at=request.at)
        await Reports(pool, project_id, actor="tracking", now=request.at).take_events([event], delivery.channel)
        return "machine" if noise else "person"

    async def _may_keep(self, pool: asyncpg.Pool, delivery: Delivery, kind: Kind) -> bool:
        """True where the project still wants to know, and the customer still agrees."""
        stored = await Projects(pool).get(delivery.project_id)
        wanted = tracking_of(self._settings, delivery.project_id, stored.project if stored else None)
        if not (wanted.opens if kind == "opened" else wanted.clicks):
            return False
        return is_given(TRACKING, await ConsentChoices(pool).known(delivery.project_id, delivery.customer.id))
