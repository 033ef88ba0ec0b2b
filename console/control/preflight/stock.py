"""Everything that a distribution needs beside its messages: codes, segments, dates, an approval; and whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import asyncpg
import msgspec

from console.control.context import ProjectContext
from console.control.fallback_doubts import fallback_doubts
from console.control.preflight.finding import Finding, found
from console.control.segment_names import KnownSegments, doubts, named_segments, slips
from schemas.access import roles_with
from schemas.campaign import Campaign
from schemas.distribution import Distribution
from schemas.events.triggers import MANUAL
from schemas.managed import ManagedThing
from store.codes.pool import Codes
from store.distributions import Control
from store.managed import Managed
from store.segments import Segments


async def codes(
    pool: asyncpg.Pool, rule: Distribution, campaign: Campaign | None, expected: int, now: datetime
) -> list[Finding]:
    """The campaign whose codes are published, and whether they suffice. Raises TryLater."""
    if rule.publish is None:
        return []
    at = "publish.campaign"
    if campaign is None:
        return [found("campaign_missing", at, f'there is no campaign "{rule.publish.campaign}"')]
    begins = max(now, rule.starts_at or now)
    made = list(_dates(campaign, begins))
    for count in await Codes(pool).counts(rule.project_id, now, [campaign.id]):
        if not count.gives_codes:
            continue
        if count.left <= 0:
            what = f"what is then done is `when_empty: {rule.publish.when_empty}`"
            made.append(found("codes_gone", at, f"{campaign.id} has none left; {what}"))
        elif count.left < expected:
            text = f"{campaign.id} has {count.left:,} left, and {expected:,} are expected to get one"
            made.append(found("codes_short", at, text, count=count.left, of=expected))
    return made


def _dates(campaign: Campaign, begins: datetime) -> Iterator[Finding]:
    at = "publish.campaign"
    if not campaign.active:
        yield found("campaign_over", at, f"{campaign.id} is not active")
    if campaign.expiration_date is not None and campaign.expiration_date <= begins:
        yield found("campaign_over", at, f"{campaign.id} ended on {campaign.expiration_date:%Y-%m-%d %H:%M}Z")
    if campaign.start_date is not None and campaign.start_date > begins:
        yield found("campaign_not_begun", at, f"{campaign.id} begins on {campaign.start_date:%Y-%m-%d %H:%M}Z")


async def segments(pool: asyncpg.Pool, rule: Distribution) -> list[Finding]:
    """The segments that it names: defined, computed, and able to judge everybody. Raises TryLater."""
    current = {one.definition.id: one for one in await Segments(pool).current(rule.project_id)}
    known = KnownSegments.beside(current, (), (await Control(pool).current(rule.project_id)).values())
    live = msgspec.structs.replace(rule, status="LIVE")
    unknown = (*doubts(live, known), *slips(live, known))
    made = [found("segment_unknown", one.path, one.message) for one in unknown]
    for named in dict.fromkeys(named_segments(rule)):
        summary = current.get(named.segment)
        if summary is None:
            continue
        if not summary.is_computed:
            text = f"{named.segment} is compared with {summary.computed:,} customers so far"
            made.append(found("segment_computing", named.at, text))
        if summary.unjudged:
            of = summary.members + summary.unjudged
            text = f"{named.segment} cannot judge {summary.unjudged:,} customers: it has {summary.members:,} members"
            made.append(found("segment_unjudged", named.at, text, count=summary.unjudged, of=of))
    return made


def dates(rule: Distribution, now: datetime) -> Iterator[Finding]:
    """Beginnings and ends that are past."""
    if rule.ends_at is not None and rule.ends_at <= now:
        yield found("is_over", "ends_at", f"it ended on {rule.ends_at:%Y-%m-%d %H:%M}Z")
    if rule.starts_at is not None and rule.starts_at < now and rule.status != "LIVE":
        yield found("began_before", "starts_at", f"starts_at is {rule.starts_at:%Y-%m-%d %H:%M}Z, which is past")


def fallbacks(rule: Distribution, project: ProjectContext) -> Iterator[Finding]:
    """Fallbacks of which nobody tells how far the message before came."""
    for doubt in fallback_doubts(rule, has_callbacks=project.has_links, tracking=project.tracking):
        yield found("fallback_for_all", doubt.path, doubt.message)


def approval(rule: Distribution, project: ProjectContext, total: int) -> Iterator[Finding]:
    """The approval that a send to so many needs."""
    if rule.trigger.event == MANUAL and project.approve_above is not None and total > project.approve_above:
        who = " or ".join(roles_with("sends:approve"))
        text = f"a send to {total:,} is above {project.approve_above:,}: somebody else with the role {who} approves it"
        yield found("approval_needed", "", text)


async def ownership(pool: asyncpg.Pool, rule: Distribution, project: ProjectContext) -> list[Finding]:
    """The place that it is managed from, where that is not here. Raises TryLater."""
    sources = await Managed(pool).sources([ManagedThing(rule.project_id, "distribution", rule.id)])
    right = "" if project.git_lock else "Set it live here, and take that into the folder: tidings pull."
    return [
        found("managed_from_git", "", f"{rule.id} is managed from Git ({source})", right=right)
        for source in sources.values()
    ]
