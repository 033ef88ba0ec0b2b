"""Campaigns over HTTP: list, read, apply, check."""

from __future__ import annotations

from typing import Any

import msgspec

from console.api.documents import document_of, keep_of_planned, managed_from, must_be_beside, must_be_named
from console.api.pages import page_of
from console.api.route import ById, Call, Cursor, DocumentBody, Instant, Overriding, Paged, Reply, Route
from console.api.versions import etag, is_known, must_match
from console.control import campaigns
from console.control.campaigns import CampaignSummary
from console.control.plan import Planned
from schemas.campaign import Campaign, CampaignKind, PoolType
from schemas.record import JsonObject
from store.campaigns import CampaignChange

_MOST_BYTES = 4 * 1024 * 1024


class CampaignShown(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign in its newest version. `type` and `left` are null where it gives no codes.

    `left` are codes that can still be given, and those that its pattern can still make.
    """

    campaign: str
    name: str
    version: int
    kind: CampaignKind
    type: PoolType | None
    active: bool
    left: int | None
    start_date: Instant | None
    expiration_date: Instant | None


class CampaignPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some campaigns, in the order of their ids."""

    items: list[CampaignShown]
    next: Cursor | None = None


class AppliedCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of a document, as `tidings campaigns apply` shows it: new, changed or unchanged, and what differs.

    `managed_from` is where in Git it is managed from; null where it is managed here.
    """

    campaign: str
    plan: str
    version: int
    changes: list[str]
    managed_from: str | None
    dry_run: bool


async def list_campaigns(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    found = await campaigns.listed(call.pool, call.project_id, call.now)
    rows, following = page_of(found, call.query.cursor, call.query.limit, lambda one: one.campaign.id, str)
    return Reply(CampaignPage(items=list(map(_shown, rows)), next=following))


async def get_campaign(call: Call[ById, Any, None]) -> Reply:
    """One of them, as claims hold it."""
    found = await campaigns.find(call.pool, call.project_id, call.path.id)
    headers = {"etag": etag(found.version)}
    return Reply(None, 304, headers) if is_known(call.if_none_match, found.version) else Reply(found, 200, headers)


async def put_campaign(call: Call[ById, Overriding, JsonObject]) -> Reply:
    """Apply a document, as the command does."""
    identity, dry_run = call.path.id, call.query.dry_run
    must_be_named(call.body, "campaign", identity)
    before = await campaigns.version(call.pool, call.project_id, identity)
    await must_match(call.if_match, call.if_none_match, before)
    planned = await _plan(call)
    keep = await keep_of_planned(call, "campaign", planned)
    if not dry_run:
        must_be_beside(planned, before)
        await campaigns.save(call.pool, [planned], actor=call.actor, now=call.now, keep=keep)
    is_made = planned.what == "new" and not dry_run
    headers = {} if dry_run else {"etag": etag(planned.version)}
    return Reply(await _applied(call, planned, dry_run=dry_run), 201 if is_made else 200, headers)


async def validate_campaign(call: Call[Any, Any, JsonObject]) -> Reply:
    """Check a document, and say what applying it would do."""
    return Reply(await _applied(call, await _plan(call), dry_run=True))


async def _plan(call: Call[Any, Any, JsonObject]) -> Planned[CampaignChange]:
    document = document_of(call.body)
    (planned,) = await campaigns.plan(call.pool, [document], await call.project(), call.now)
    return planned


def _shown(one: CampaignSummary) -> CampaignShown:
    made = one.campaign
    return CampaignShown(
        campaign=made.id, name=made.name, version=made.version, kind=made.kind,
        type=made.type if campaigns.has_codes(made) else None, active=made.active, left=one.left,
        start_date=made.start_date, expiration_date=made.expiration_date,
    )  # fmt: skip


async def _applied(
    call: Call[Any, Any, JsonObject], planned: Planned[CampaignChange], *, dry_run: bool
) -> AppliedCampaign:
    return AppliedCampaign(
        campaign=planned.identity, plan=planned.what, version=planned.version, changes=list(planned.lines),
        managed_from=await managed_from(call, "campaign", planned.identity), dry_run=dry_run,
    )  # fmt: skip


_EXAMPLE: JsonObject = {
    "campaign": "spring", "kind": "DISCOUNT_COUPONS", "type": "AUTO_UPDATE",
    "discount": {"type": "PERCENT", "percent_off": 10}, "code_config": {"pattern": "SPRING-######"},
}  # fmt: skip
_ID = {"id": "spring"}
_BODY: dict[str, Any] = {"body": DocumentBody("campaign"), "body_example": _EXAMPLE, "most_bytes": _MOST_BYTES}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/campaigns", "campaigns:read", "List campaigns, each with how many codes are left", list_campaigns,
        {200: CampaignPage}, query_type=Paged,
    ),
    Route(
        "POST", "/campaigns/validate", "campaigns:read", "Check a campaign, and say what applying it would do",
        validate_campaign, {200: AppliedCampaign}, is_safe=True, **_BODY,
    ),
    Route(
        "GET", "/campaigns/{id}", "campaigns:read", "Read a campaign", get_campaign, {200: Campaign, 304: None},
        path_type=ById, etag=True, path_example=_ID,
    ),
    Route(
        "PUT", "/campaigns/{id}", "campaigns:write", "Apply a campaign: make it, or a new version of it", put_campaign,
        {200: AppliedCampaign, 201: AppliedCampaign}, path_type=ById, query_type=Overriding, etag=True,
        path_example=_ID, **_BODY,
    ),
)  # fmt: skip
