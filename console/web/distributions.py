"""`/p/<project>/distributions`: the list, as a page and as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from console.control import distributions
from console.control.statistics import numbers_of
from console.web.lists import Asked, Field, Found, Listing, page_of
from console.web.project_lists import DistributionRow, DistributionsPage
from console.web.projects import ProjectVisit, distribution_path
from console.web.summary import trigger_words
from schemas.closed import DistributionStatus, members
from schemas.distribution import Distribution
from store.first_steps import new_projects

_PERIOD = timedelta(hours=24)


async def _find(asked: Asked) -> Found[DistributionRow]:
    """Those behind a place, with their numbers. Raises BadQuestion, TryLater."""
    mine, status = asked.mine, cast("DistributionStatus | None", asked.get("status"))
    found = await distributions.page(
        mine.pool, mine.project_id, asked.text_place(), asked.limit + 1, status=status, text=asked.get("q")
    )
    page, following = page_of(found, asked.limit, lambda one: one.id)
    if not page:
        return Found()
    missing = await mine.lag.in_words(mine.pool, mine.now)
    is_new = bool(await new_projects(mine.pool, [mine.project_id]))
    return Found(await _counted(mine, page), following, {"missing": missing, "is_new": is_new})


async def _counted(mine: ProjectVisit, page: Sequence[Distribution]) -> list[DistributionRow]:
    ids = [one.id for one in page]
    decided, ended = await numbers_of(mine.pool, mine.project_id, ids, mine.now - _PERIOD, mine.now)
    numbers: Counter[tuple[str | None, str]] = Counter()
    for one in (*decided, *ended):
        numbers[one.distribution, one.outcome] += one.records
    return [
        DistributionRow(
            id=one.id, name=one.name, status=one.status, trigger=trigger_words(one.trigger),
            channels=list(dict.fromkeys(plan.channel for _, plan in one.plans())),
            sent=numbers[one.id, "sent"] + numbers[one.id, "recovered"], held=numbers[one.id, "deferred"],
            skipped=numbers[one.id, "skipped"], failed=numbers[one.id, "failed"], changed_at=one.updated_at,
            path=distribution_path(mine.project_id, one.id),
        )
        for one in page
    ]  # fmt: skip


LIST = Listing(
    path="/distributions",
    permission="distributions:read",
    row=DistributionRow,
    find=_find,
    page=DistributionsPage,
    is_live=True,
    more=lambda mine: {"deleted": mine.query.get("deleted", "")},
    fields=(
        Field("q", "Id or name"),
        Field("status", "State", {one: one.lower() for one in members(DistributionStatus)}, "all but archived"),
    ),
)
ROUTES = LIST.routes
