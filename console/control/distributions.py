"""Distributions: check documents, plan, save all or nothing and tell Kafka; list, find, pause, resume, stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from agents.broker.outbox import publish_outbox
from agents.broker.producer import Producer
from agents.broker.wire import Wire
from console.control.backfills import Reached
from console.control.context import ProjectContext
from console.control.distribution_check import Known, check, offer
from console.control.documents import Document
from console.control.ending import NotFromHere, must_be_over, must_not_be_archived
from console.control.fallback_doubts import fallback_doubts
from console.control.field_check import Compare
from console.control.not_found import not_found
from console.control.plan import Planned, Wordings, arrow, changes, differences, planned, short, span_lines
from console.control.segment_names import KnownSegments, doubts
from console.control.template_source import stored_subject
from schemas.campaign import Campaign
from schemas.channels.tables import ChannelPlan
from schemas.closed import DistributionStatus
from schemas.distribution import Again, Backfill, Distribution
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.durations import format_duration
from store.campaigns import Campaigns
from store.distributions import Change, Control, KeptVersion
from store.managed import LOCKED, Keep
from store.segments import Segments
from store.templates import NamedTemplates
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import Definition

Announce = Callable[[Control], Awaitable[None]]
"""Announces to Kafka everything that was saved and not announced yet. Raises TryLater."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Things that are applied just before distributions are: these may name them."""

    campaigns: Mapping[str, Campaign] = field(default_factory=dict)
    templates: Mapping[str, TemplateFiles] = field(default_factory=dict)
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppliedVersion:
    """A version of a definition, and who applied it."""

    version: int
    applied_by: str
    applied_at: datetime


async def plan(
    pool: asyncpg.Pool,
    documents: Iterable[Document],
    project: ProjectContext,
    now: datetime,
    compare: Compare | None = None,
    warn: Callable[[str], None] = lambda _: None,
    pending: Pending = Pending(),
) -> list[Planned[Change]]:
    """The plan of applying some documents. Raises DefinitionInvalid with all problems, TryLater.

    `compare` holds those that are new or changed against what providers have; `warn` hears what may be wrong.
    """
    written, current = list(documents), await Control(pool).current(project.project_id)
    templates = NamedTemplates(pool)
    sent = {(use.distribution_id, use.name): use.version for use in await templates.uses(project.project_id)}
    known = Known(
        offer({**await Campaigns(pool).current(project.project_id), **pending.campaigns}),
        {**await stored_templates(pool, project.project_id), **pending.templates},
        {identity: distribution.version for identity, distribution in current.items()},
        to_save=True,
        segments=KnownSegments.beside(
            (*await Segments(pool).ids(project.project_id), *pending.segments), written, current.values()
        ),
    )
    checked, reached = check(written, project, known, now), Reached(pool, project.project_id, pending.segments)
    made, problems = list[Planned[Change]](), list[Problem]()
    for document, one in checked:
        found = doubts(one.distribution, known.segments)
        found += fallback_doubts(one.distribution, has_callbacks=project.has_links, tracking=project.tracking)
        for doubt in map(document.located, found):
            warn(f"{doubt.path}  {doubt.message}")
        before = current.get(one.distribution.id)
        problems += await _not_over(pool, before, document, one)
        at_once = await reached.line(before, one.distribution)
        made.append(_planned(before, document, one, sent, () if at_once is None else (at_once,)))
    if problems:
        raise DefinitionInvalid(tuple(problems))
    if compare is not None:
        pairs = zip((document for document, _ in checked), made, strict=True)
        await compare([(document, one.change.distribution) for document, one in pairs if one.what != "unchanged"])
    return made


async def _not_over(
    pool: asyncpg.Pool, before: Distribution | None, document: Document, after: Definition
) -> tuple[Problem, ...]:
    """Problems of a document that archives what is not over. Raises TryLater."""
    if before is None or after.distribution.status != "ARCHIVED":
        return ()
    try:
        await must_be_over(pool, before)
    except NotFromHere as error:
        return (document.located(Problem("status", str(error))),)
    return ()


async def stored_templates(pool: asyncpg.Pool, project_id: str) -> dict[str, TemplateFiles]:
    """Stored templates as a distribution takes them, by name. Raises TryLater."""
    current = await NamedTemplates(pool).current(project_id)
    return {
        name: TemplateFiles(one.text, one.html, one.locales, version=one.version, subject=stored_subject(one.files))
        for name, one in current.items()
    }


async def known_to_drafts(pool: asyncpg.Pool, project_id: str) -> Known:
    """All that a distribution that is tried, and not applied, is held against. Raises TryLater."""
    versions = {identity: one.version for identity, one in (await Control(pool).current(project_id)).items()}
    campaigns = offer(await Campaigns(pool).current(project_id))
    return Known(campaigns, await stored_templates(pool, project_id), versions)


async def save(
    pool: asyncpg.Pool,
    plan: Sequence[Planned[Change]],
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    keep: Keep = LOCKED,
) -> None:
    """Save what differs, in one transaction, and announce it. Raises VersionConflict, ManagedFromGit, TryLater."""
    control = Control(pool)
    await control.save(changes(plan), applied_by=actor, now=now, keep=keep)
    await announce(control)


def touches_live(before: Distribution | None, plan: Planned[Change]) -> bool:
    """True of a plan that changes what is live, or makes it so: that asks for more than to write."""
    is_live = plan.change.distribution.status == "LIVE" or (before is not None and before.status == "LIVE")
    return plan.what != "unchanged" and is_live


async def set_status(
    pool: asyncpg.Pool,
    project_id: str,
    identity: str,
    status: DistributionStatus,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    lock: Keep = LOCKED,
) -> Distribution:
    """Pause, resume or stop a distribution: a new version that differs in its status alone.

    What was not paused is set live by where it is managed. Raises NotFound, NotFromHere where it is archived,
    VersionConflict, ManagedFromGit, TryLater.
    """
    before = await find(pool, project_id, identity)
    must_not_be_archived(before)
    keep = lock if status == "LIVE" and before.status not in ("LIVE", "PAUSED") else None
    return await save_status(pool, before, status, announce, actor=actor, now=now, keep=keep)


async def save_status(
    pool: asyncpg.Pool,
    before: Distribution,
    status: DistributionStatus,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    keep: Keep | None = None,
) -> Distribution:
    """The same from a version that somebody has looked at. Raises VersionConflict, TryLater, and what `keep` raises."""
    control = Control(pool)
    after = await control.set_status(before, status, applied_by=actor, now=now, keep=keep)
    await announce(control)
    return after


async def at_once(pool: asyncpg.Pool, project_id: str, identity: str, status: DistributionStatus) -> str | None:
    """The line that says who gets a distribution at once with another status; None where nobody does.

    Raises NotFound, TryLater.
    """
    before = await find(pool, project_id, identity)
    return await Reached(pool, project_id).line(before, msgspec.structs.replace(before, status=status))


async def listed(pool: asyncpg.Pool, project_id: str) -> list[Distribution]:
    """Every distribution in its newest version, but those that are archived. Raises TryLater."""
    return [one for one in (await Control(pool).current(project_id)).values() if one.status != "ARCHIVED"]


async def archived(pool: asyncpg.Pool, project_id: str) -> list[Distribution]:
    """Those that are archived. Raises TryLater."""
    return [one for one in (await Control(pool).current(project_id)).values() if one.status == "ARCHIVED"]


async def ids(pool: asyncpg.Pool, project_id: str) -> frozenset[str]:
    """The ids that distributions have, also those that are archived. Raises TryLater."""
    return frozenset(await Control(pool).current(project_id))


async def page(
    pool: asyncpg.Pool,
    project_id: str,
    after: str,
    limit: int,
    *,
    status: DistributionStatus | None = None,
    text: str | None = None,
) -> list[Distribution]:
    """Some distributions in their newest version, in the order of their ids: those behind one. Raises TryLater.

    Only those in a state, or with a text in their id or their name, where one is given; those that are archived only
    where that is the state.
    """
    return await Control(pool).after(project_id, after, limit, status=status, text=text)


async def find(pool: asyncpg.Pool, project_id: str, identity: str) -> Distribution:
    """The newest version of one distribution. Raises NotFound, TryLater."""
    found = await Control(pool).newest(project_id, identity)
    if found is None:
        raise not_found("distribution", identity, await Control(pool).current(project_id))
    return found


async def history(pool: asyncpg.Pool, project_id: str, identity: str) -> list[AppliedVersion]:
    """Every version with who applied it and when, newest first. Raises NotFound, TryLater."""
    rows = await Control(pool).history(project_id, identity)
    if not rows:
        await find(pool, project_id, identity)
    return [AppliedVersion(row["version"], row["applied_by"], row["applied_at"]) for row in rows]


async def versions(pool: asyncpg.Pool, project_id: str, identity: str, before: int, limit: int) -> list[KeptVersion]:
    """Some versions of a distribution, newest first: those before a number. Raises NotFound, TryLater."""
    found = await Control(pool).versions(project_id, identity, before, limit)
    if not found:
        await find(pool, project_id, identity)
    return found


async def version(pool: asyncpg.Pool, project_id: str, identity: str, number: int) -> KeptVersion:
    """One version of a distribution. Raises NotFound, TryLater."""
    found = await versions(pool, project_id, identity, number + 1, 1)
    if not found or found[0].version != number:
        raise not_found("version", str(number), see="the list of its versions")
    return found[0]


async def changed_since(pool: asyncpg.Pool, after: Distribution, number: int) -> tuple[str, ...]:
    """The difference between a version and a later one, a line a field; empty where there is no such version.

    Raises TryLater.
    """
    found = await Control(pool).versions(after.project_id, after.id, number + 1, 1)
    before = next((one.definition for one in found if one.version == number), None)
    return () if before is None else changes_between(before, after)


def changes_between(before: Distribution, after: Distribution) -> tuple[str, ...]:
    """The difference between two versions, a line a field."""
    return differences(before, after, _WORDINGS)


def announcer(wire: Wire) -> Announce:
    """Announces over a connection of its own, for a process that announces once."""

    async def announce(control: Control) -> None:
        producer = Producer(wire.kafka.client())
        try:
            await publish_outbox(control, wire, producer)
        finally:
            producer.close(1.0)

    return announce


# -- how a plan reads -------------------------------------------------------------------------------------------


def _planned(
    before: Distribution | None,
    document: Document,
    definition: Definition,
    sent: Mapping[tuple[str, str], int],
    at_once: tuple[str, ...] = (),
) -> Planned[Change]:
    """`sent` are the versions of stored templates that go out now, by distribution and name; `at_once` says to whom."""
    after = definition.distribution
    change = Change(
        after, document.source, tuple(template for _, template in definition.templates), definition.attached
    )
    new = "; ".join(
        (
            "live from now on" if after.status == "LIVE" else after.status,
            *span_lines(after.starts_at, after.ends_at),
            *at_once,
        )
    )
    upgraded = (*_upgraded(definition, sent), *at_once)
    return planned("distribution", before, after, change, new=new, wordings=_WORDINGS, besides=upgraded)


def _upgraded(definition: Definition, sent: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """Old → new version of each stored template that is sent in another one from now on."""
    made = dict.fromkeys((template.name, template.version) for _, template in definition.templates if template.version)
    versions = [(name, sent.get((definition.distribution.id, name)), version) for name, version in made]
    return tuple(f"template {name}: v{old} → v{new}" for name, old, new in versions if old and old != new)


def _guard_difference(before: object, after: object) -> str:
    """The parts that differ."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return arrow(before, after)
    old, new = _parts(before), _parts(after)
    gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
    return "" if before == after else f"{short(', '.join(gone))} → {short(', '.join(come))}"


def _span_difference(before: int | None, after: int | None) -> str:
    """Spans as they are written."""
    return arrow(*(None if span is None else format_duration(span) for span in (before, after)))


def _again_difference(before: Again, after: Again) -> str:
    """As it is written: once_in 30d."""
    return arrow(_again_text(before), _again_text(after))


def _watched_difference(before: list[str], after: list[str]) -> str:
    """Said once of what an earlier release applied: with other templates other fields are shown anyway."""
    return "are watched from now on" if after and not before else ""


def _backfill_difference(before: Backfill | None, after: Backfill | None) -> str:
    """As it is written: only_later; not when it was set live."""
    return arrow(*(one.who if one else "only_later" for one in (before, after)))


def _again_text(again: Again) -> str:
    span = format_duration(again.seconds) if again.seconds else None
    return " ".join(part for part in (again.mode, again.path, span) if part)


def _channel_difference(before: list[ChannelPlan], after: list[ChannelPlan]) -> str:
    """The fields that differ, where the channels are the same ones."""
    gone, come = [one for one in before if one not in after], [one for one in after if one not in before]
    if not gone or [one.channel for one in gone] != [one.channel for one in come]:
        return arrow(before, after)
    return ", ".join(
        f"{old.channel}.{name} {arrow(getattr(old, name), getattr(new, name))}"
        for old, new in zip(gone, come, strict=True)
        for name in old.__struct_fields__
        if getattr(old, name) != getattr(new, name)
    )


def _parts(when: dict[str, Any]) -> list[str]:
    parts = when["all"] if list(when) == ["all"] and isinstance(when["all"], list) else [when]
    return [msgspec.json.encode(part).decode() for part in parts]


_WORDINGS: Wordings = {
    "when": _guard_difference,
    "channels": _channel_difference,
    "expires_after": _span_difference,
    "again": _again_difference,
    "template_fields": _watched_difference,
    "backfill": _backfill_difference,
}
