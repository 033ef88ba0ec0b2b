"""Backfills before they begin: to how many a distribution goes at once when it is set live."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg

from console.control.not_found import not_found
from schemas.backfill import begins, is_for_members_alone
from schemas.distribution import Distribution
from store.segments import Segments


class Reached:
    """The members of a project's segments, counted when a distribution first asks. Raises TryLater."""

    def __init__(self, pool: asyncpg.Pool, project_id: str, pending: Collection[str] = ()) -> None:
        """`pending` are segments that are applied just before: nobody is in those that are new."""
        self._segments, self._project_id, self._pending = Segments(pool), project_id, pending

    async def line(self, before: Distribution | None, after: Distribution) -> str | None:
        """The line of a plan that says who gets a version at once; None where it makes no backfill begin.

        Raises NotFound where its segment is not there.
        """
        if not begins(before, after):
            return None
        known = {one.definition.id: one for one in await self._segments.current(self._project_id)}
        found = known.get(after.trigger.segment or "")
        later = "nobody who enters later" if is_for_members_alone(after) else "then each who enters"
        if found is None and after.trigger.segment in self._pending:
            return f"backfill: all in {after.trigger.segment} get it once that is computed; {later}"
        if found is None:
            raise not_found("segment", after.trigger.segment or "", known)
        so_far = "" if found.is_computed else " so far: the segment is being computed, and they get it after that"
        return f"backfill: {found.members:,} customers in {found.definition.id} get it now{so_far}; {later}"
