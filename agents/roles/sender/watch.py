"""Looking for silence and surprises: one process at a time judges what matchers counted, and opens or ends notices."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from agents.waiting import retry_until_available
from schemas.notice import Concern
from schemas.watching import WatchBounds
from store.fields_seen import FieldsSeen
from store.notices import Notices
from store.watching import DecisionHours
from streams.field_watch import field_change
from streams.notices import distribution_silent, field_about, field_changed, skips_jumped
from streams.used_fields import users_of
from streams.watching import jumps, silence

_LOOK_SECONDS = 2.0


class Watch:
    """Any number of processes may have one. `every`: the time between two looks of whichever of them."""

    def __init__(
        self, hours: DecisionHours, fields: FieldsSeen, notices: Notices, bounds: WatchBounds, *, every: timedelta
    ) -> None:
        self._hours, self._fields, self._notices = hours, fields, notices
        self._bounds, self._every = bounds, every

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await retry_until_available(self._look_in_turn, what="Postgres")
            await asyncio.sleep(min(self._every.total_seconds(), _LOOK_SECONDS))

    async def _look_in_turn(self) -> None:
        if await self._hours.begins(self._every):
            await self.look()
            await self._hours.forget()
            await self._fields.forget()

    async def look(self) -> None:
        """Judge each distribution. Raises TryLater."""
        at = await self._hours.known_until()
        found = await self._hours.watched(at) if at else []
        silent = [distribution_silent(one, what) for one in found if at and (what := silence(one, at, self._bounds))]
        jumped = [skips_jumped(one, jump) for one in found if at for jump in jumps(one, at, self._bounds)]
        await self._notices.keep_all("distribution_silent", silent)
        await self._notices.keep_all("skips_jumped", jumped)
        await self._notices.keep_all("field_changed", await self._changed_fields())

    async def _changed_fields(self) -> list[Concern]:
        """Fields that are used now and are otherwise than before; one that was told of stays so until it is over."""
        users = users_of(await self._fields.using())
        told = {
            (project, about): at
            for project in await self._notices.projects_with("field_changed")
            for about, at in (await self._notices.opened(project, "field_changed")).items()
        }
        return [
            field_changed(one, change, used)
            for one in await self._fields.histories()
            if (used := users.get((one.project_id, one.subject, one.path)))
            and (change := field_change(one, told.get((one.project_id, field_about(one)))))
        ]
