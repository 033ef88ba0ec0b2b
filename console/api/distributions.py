"""Distributions over HTTP: list, read, apply, validate, versions, and the steps of their life."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.documents import document_of, keep_of, keep_of_planned, managed_from, must_be_beside, must_be_named
from console.api.pages import next_cursor, read_cursor
from console.api.problems import Refusal, Refused
from console.api.route import (
    ById,
    Call,
    Cursor,
    DocumentBody,
    Instant,
    Name,
    Overriding,
    Paged,
    Reply,
    Route,
    Writing,
)
from console.api.versions import VersionNumber, etag, is_known, must_match
from console.control import accounts, distributions, lifecycle
from console.control.field_check import Compare, compare_fields
from console.control.lifecycle import STEPS, Step
from console.control.plan import Planned
from schemas.access import Permission, may
from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from schemas.record import JsonObject
from store.accounts import Accounts
from store.distributions import Change, Control, KeptVersion

_FIRST = 2**31 - 1
"""Above every version."""
DistributionCall = Call[ById, Any, Any]


class OfVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a path that names a version."""

    id: Name
    version: VersionNumber


_Offline = Annotated[bool, Meta(description="Do not ask providers which fields they have.")]


class Checking(Writing, frozen=True, kw_only=True):
    """The parameters of checking."""

    offline: _Offline = False


class Applying(Overriding, frozen=True, kw_only=True):
    """The parameters of applying."""

    offline: _Offline = False


class DistributionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some distributions in their newest version, in the order of their ids."""

    items: list[Distribution]
    next: Cursor | None = None


class AppliedDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of a document, as `tidings apply` shows it: new, changed or unchanged, and what differs.

    `managed_from` is where in Git it is managed from; null where it is managed here.
    """

    distribution: str
    plan: str
    version: int
    status: str
    changes: list[str]
    warnings: list[str]
    managed_from: str | None
    dry_run: bool


class VersionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A version, and who applied it."""

    version: int
    status: str
    applied_by: str
    applied_at: Instant


class VersionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some versions, newest first."""

    items: list[VersionSummary]
    next: Cursor | None = None


class DistributionVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version whole, with its source as it was written; only its status changed where that is empty."""

    version: int
    applied_by: str
    applied_at: Instant
    source: str
    definition: Distribution


class StepTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution after a step; `at_once` says who gets it because of that."""

    distribution: str
    version: int
    status: DistributionStatus
    at_once: str | None
    dry_run: bool


class OfStatus(Paged, frozen=True, kw_only=True):
    """The parameters of the list."""

    status: Annotated[
        DistributionStatus | None, Meta(description="In this state; else all but those that are archived.")
    ] = None


async def list_distributions(call: Call[Any, OfStatus, None]) -> Reply:
    """A page of them."""
    after, limit = read_cursor(call.query.cursor, str) or "", call.query.limit
    found = await distributions.page(call.pool, call.project_id, after, limit + 1, status=call.query.status)
    rows, following = next_cursor(found, limit, lambda one: one.id)
    return Reply(DistributionPage(items=list(rows), next=following))


async def get_distribution(call: DistributionCall) -> Reply:
    """The newest version, as the matchers hold it."""
    found = await distributions.find(call.pool, call.project_id, call.path.id)
    headers = {"etag": etag(found.version)}
    if is_known(call.if_none_match, found.version):
        return Reply(None, 304, headers)
    return Reply(found, 200, headers)


async def put_distribution(call: Call[ById, Applying, JsonObject]) -> Reply:
    """Apply a document, as the command does."""
    identity = call.path.id
    must_be_named(call.body, "distribution", identity)
    before = await Control(call.pool).newest(call.project_id, identity)
    version = before.version if before else 0
    await must_be_at(call, before, version)
    planned, warnings = await _plan(call, offline=call.query.offline)
    _must_be_allowed(call, before, planned)
    keep = await keep_of_planned(call, "distribution", planned)
    if not call.query.dry_run:
        must_be_beside(planned, version)
        await distributions.save(call.pool, [planned], call.announce, actor=call.actor, now=call.now, keep=keep)
    is_made = planned.what == "new" and not call.query.dry_run
    headers = {} if call.query.dry_run else {"etag": etag(planned.version)}
    return Reply(await _applied(call, planned, warnings, dry_run=call.query.dry_run), 201 if is_made else 200, headers)


async def validate_distribution(call: Call[Any, Any, JsonObject]) -> Reply:
    """Check a document, and say what applying it would do."""
    planned, warnings = await _plan(call, offline=call.query.offline)
    return Reply(await _applied(call, planned, warnings, dry_run=True))


async def list_versions(call: Call[ById, Paged, None]) -> Reply:
    """A page of them."""
    before, limit = read_cursor(call.query.cursor, int) or _FIRST, call.query.limit
    if not 0 < before <= _FIRST:
        before = _FIRST
    found = await distributions.versions(call.pool, call.project_id, call.path.id, before, limit + 1)
    rows, following = next_cursor(found, limit, lambda one: one.version)
    return Reply(VersionPage(items=list(map(_summary, rows)), next=following))


async def get_version(call: Call[OfVersion, Any, None]) -> Reply:
    """One of them, whole."""
    one = await distributions.version(call.pool, call.project_id, call.path.id, call.path.version)
    return Reply(
        DistributionVersion(
            version=one.version,
            applied_by=one.applied_by,
            applied_at=one.applied_at,
            source=one.source,
            definition=one.definition,
        ),
        headers={"etag": etag(one.version)},
    )


async def take_step(step: Step, call: Call[ById, Any, None]) -> Reply:
    """Set live, pause, resume or stop."""
    before = await distributions.find(call.pool, call.project_id, call.path.id)
    await must_be_at(call, before, before.version)
    after = lifecycle.after_step(before, step, call.now)
    at_once = None
    if after is not before:
        at_once = await distributions.at_once(call.pool, call.project_id, before.id, step.status)
    keep = await keep_of(call, "distribution", before.id) if step.name == "live" and after is not before else None
    if not call.query.dry_run:
        after = await lifecycle.take(call.pool, before, step, call.announce, actor=call.actor, now=call.now, keep=keep)
    taken = StepTaken(
        distribution=after.id, version=after.version, status=step.status, at_once=at_once, dry_run=call.query.dry_run
    )
    return Reply(taken, headers={} if call.query.dry_run else {"etag": etag(after.version)})


async def _plan(call: Call[Any, Any, JsonObject], *, offline: bool) -> tuple[Planned[Change], list[str]]:
    """The plan of the one document, and what to look at."""
    warnings: list[str] = []
    document = document_of(call.body)
    compare = None if offline else comparison(call, warnings)
    project = await call.project()
    plan = await distributions.plan(call.pool, [document], project, call.now, compare, warnings.append)
    return plan[0], [one.strip() for one in warnings]


def comparison(call: Call[Any, Any, Any], warnings: list[str]) -> Compare:
    """Asks providers which fields they have; `warnings` takes in those that do not answer."""
    ask = partial(accounts.check, Accounts(call.pool), call.wiring.settings)
    return partial(compare_fields, ask=ask, warn=warnings.append)


async def must_be_at(call: Call[Any, Any, Any], before: Distribution | None, version: int) -> None:
    """Refuse a request that was made beside another version. Raises Refused, TryLater."""

    async def changed_since(number: int) -> Sequence[str]:
        return () if before is None else await distributions.changed_since(call.pool, before, number)

    await must_match(call.if_match, call.if_none_match, version, changed_since)


def _must_be_allowed(call: Call[Any, Any, Any], before: Distribution | None, planned: Planned[Change]) -> None:
    """Whoever changes what is live, or becomes so, needs more than to write."""
    needed: Permission = "distributions:set_live"
    if distributions.touches_live(before, planned) and not may(call.holder.role, needed):
        detail = f"to change what is live, or becomes so, needs {needed}; write it with status: DRAFT"
        raise Refused(Refusal("forbidden", detail, permission=needed))


async def _applied(
    call: Call[Any, Any, Any], planned: Planned[Change], warnings: list[str], *, dry_run: bool
) -> AppliedDistribution:
    return AppliedDistribution(
        distribution=planned.identity,
        plan=planned.what,
        version=planned.version,
        status=planned.change.distribution.status,
        changes=list(planned.lines),
        warnings=warnings,
        managed_from=await managed_from(call, "distribution", planned.identity),
        dry_run=dry_run,
    )


def _summary(one: KeptVersion) -> VersionSummary:
    return VersionSummary(
        version=one.version, status=one.definition.status, applied_by=one.applied_by, applied_at=one.applied_at
    )


_EXAMPLE: JsonObject = {
    "distribution": "winback",
    "trigger": "customer.order.paid",
    "consent": "transactional",
    "status": "DRAFT",
    "channels": [{"webhook": {"url": "https://shop.example.com/hooks", "type": "winback"}}],
}
_ID = {"id": "winback"}


def _step_route(step: Step) -> Route:
    return Route(
        "POST",
        f"/distributions/{{id}}/{step.name}",
        "distributions:set_live" if step.name == "live" else "distributions:operate",
        step.summary,
        partial(take_step, step),
        {200: StepTaken},
        path_type=ById,
        query_type=Overriding if step.name == "live" else Writing,
        etag=True,
        path_example=_ID,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/distributions", "distributions:read", "List distributions", list_distributions,
        {200: DistributionPage}, query_type=OfStatus,
    ),
    Route(
        "POST", "/distributions/validate", "distributions:read", "Check a document, and say what applying it would do",
        validate_distribution, {200: AppliedDistribution}, query_type=Checking,
        body=DocumentBody("distribution"), body_example=_EXAMPLE, is_safe=True,
    ),
    Route(
        "GET", "/distributions/{id}", "distributions:read", "Read a distribution in its newest version",
        get_distribution, {200: Distribution, 304: None}, path_type=ById, etag=True, path_example=_ID,
    ),
    Route(
        "PUT", "/distributions/{id}", "distributions:write", "Apply a distribution: make it, or a new version of it",
        put_distribution, {200: AppliedDistribution, 201: AppliedDistribution}, path_type=ById, query_type=Applying,
        body=DocumentBody("distribution"), etag=True, path_example=_ID, body_example=_EXAMPLE,
    ),
    Route(
        "GET", "/distributions/{id}/versions", "distributions:read", "List a distribution's versions, newest first",
        list_versions, {200: VersionPage}, path_type=ById, query_type=Paged, path_example=_ID,
    ),
    Route(
        "GET", "/distributions/{id}/versions/{version}", "distributions:read", "Read a version, with its source",
        get_version, {200: DistributionVersion}, path_type=OfVersion, path_example={**_ID, "version": 1},
    ),
    *map(_step_route, STEPS.values()),
)  # fmt: skip
