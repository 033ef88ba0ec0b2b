"""The end of distributions over HTTP: archived, brought back, or deleted where they never did anything."""

from __future__ import annotations

from typing import Any

import msgspec

from console.api.distributions import StepTaken, must_be_at
from console.api.documents import keep_of
from console.api.route import ById, Call, Instant, Overriding, Reply, Route
from console.api.versions import etag
from console.control import archive, distributions
from schemas.distribution import Distribution


class DeletedDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """A draft that is deleted, with all its versions; until then `restore` brings it back."""

    distribution: str
    version: int
    restorable_until: Instant
    dry_run: bool


async def archive_distribution(call: Call[ById, Overriding, None]) -> Reply:
    """Take one that is over out of the lists."""
    before = await _looked_at(call)
    keep = await keep_of(call, "distribution", before.id)
    dry_run = call.query.dry_run
    after = await archive.archive(
        call.pool, before, call.announce, actor=call.actor, now=call.now, dry_run=dry_run, keep=keep
    )
    return _taken(call, after, "ARCHIVED")


async def restore_distribution(call: Call[ById, Overriding, None]) -> Reply:
    """Bring one back that is archived, or was deleted."""
    found = await archive.restorable(call.pool, call.project_id, call.path.id)
    after = found.distribution
    await must_be_at(call, None if found.was_deleted else after, after.version)
    keep = await keep_of(call, "distribution", after.id)
    if not call.query.dry_run:
        after = await archive.restore(call.pool, found, call.announce, actor=call.actor, now=call.now, keep=keep)
    return _taken(call, after, found.status)


async def delete_distribution(call: Call[ById, Overriding, None]) -> Reply:
    """Delete one that never was live."""
    before = await _looked_at(call)
    keep = await keep_of(call, "distribution", before.id)
    dry_run = call.query.dry_run
    until = await archive.delete(
        call.pool, before, call.announce, actor=call.actor, now=call.now, dry_run=dry_run, keep=keep
    )
    return Reply(
        DeletedDistribution(distribution=before.id, version=before.version, restorable_until=until, dry_run=dry_run)
    )


async def _looked_at(call: Call[ById, Overriding, None]) -> Distribution:
    """The newest version, which is the one that the request was made beside. Raises Refused, NotFound, TryLater."""
    before = await distributions.find(call.pool, call.project_id, call.path.id)
    await must_be_at(call, before, before.version)
    return before


def _taken(call: Call[Any, Overriding, None], after: Distribution, status: Any) -> Reply:
    taken = StepTaken(
        distribution=after.id, version=after.version, status=status, at_once=None, dry_run=call.query.dry_run
    )
    return Reply(taken, headers={} if call.query.dry_run else {"etag": etag(after.version)})


_OF_ONE: dict[str, Any] = {
    "path_type": ById, "query_type": Overriding, "etag": True, "path_example": {"id": "winback"},
}  # fmt: skip
ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/distributions/{id}/archive", "distributions:write", "Archive a distribution that is over",
        archive_distribution, {200: StepTaken}, **_OF_ONE,
    ),
    Route(
        "POST", "/distributions/{id}/restore", "distributions:write", "Bring back what is archived, or was deleted",
        restore_distribution, {200: StepTaken}, **_OF_ONE,
    ),
    Route(
        "DELETE", "/distributions/{id}", "distributions:write", "Delete a distribution that never was live",
        delete_distribution, {200: DeletedDistribution}, **_OF_ONE,
    ),
)  # fmt: skip
