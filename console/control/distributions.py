"""From files to live distributions: check everything, show the plan, save all or nothing, tell Kafka."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from agents.broker.outbox import publish_outbox
from agents.broker.producer import Producer
from agents.clock import utc_now
from agents.wiring import Wiring
from channels.templates.bundle import bundled, wrong_sections
from channels.templates.engine import PARTS, check_template
from console.cli.context import database
from console.control.files.campaigns import CampaignFiles, Offered
from console.control.files.documents import Document
from console.control.plan import Planned, arrow, changes, check_documents, planned, short, span_lines
from console.control.preview.trial import perhaps_problems, trial_problems
from console.control.preview.variables import variables
from deploy.settings.messages import Brand
from deploy.settings.settings import Settings
from schemas.campaign import Campaign
from schemas.channels.tables import ChannelPlan
from schemas.closed import DistributionStatus
from schemas.distribution import Again, Distribution
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.events.triggers import TRIGGERS
from schemas.formats.durations import format_duration
from schemas.template import StoredTemplate
from store.campaigns import Campaigns
from store.distributions import Change, Control
from store.templates import NamedTemplates
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import Definition, DefinitionContext, parse_definition
from streams.documents.offers import how_it_comes

_NO_TEMPLATES: Mapping[str, TemplateFiles] = {}


def check_files(
    paths: list[Path],
    wiring: Wiring,
    versions: Mapping[str, int],
    campaigns: Mapping[str, Campaign] | CampaignFiles,
    templates: Mapping[str, TemplateFiles] = _NO_TEMPLATES,
    *,
    to_save: bool = False,
) -> list[tuple[Document, Definition]]:
    """Every distribution of some files, checked. Raises DefinitionInvalid with all problems, each with its line.

    `to_save`: e-mails are tried without what not every event and profile has as well. `campaigns` are those that they
    may name, or where they are found; `templates` those that need no files beside them.
    """
    return check_documents(
        paths,
        "distribution",
        lambda document: _check(document, wiring, versions, campaigns, templates, to_save=to_save),
        lambda definition: definition.distribution.id,
    )


def _check(
    document: Document,
    wiring: Wiring,
    versions: Mapping[str, int],
    campaigns: Mapping[str, Campaign] | CampaignFiles,
    templates: Mapping[str, TemplateFiles],
    *,
    to_save: bool,
) -> Definition:
    settings = wiring.settings
    offered = campaigns.of(document) if isinstance(campaigns, CampaignFiles) else Offered(campaigns)
    context = DefinitionContext(
        project_id=wiring.project,
        version=versions.get(document.identity("distribution"), 0) + 1,
        now=utc_now(),
        accounts={"email": tuple(settings.email_accounts)},
        templates=document.templates(),
        campaigns=offered.campaigns,
        campaigns_from=offered.where,
        complete=partial(bundled, brand=brand_texts(settings.brand)),
        stored_templates=templates,
        consents=settings.consents,
        zone=settings.zone,
    )
    definition = parse_definition(document.plain, context)
    problems = email_problems(definition, settings, to_save=to_save)
    if problems:
        raise DefinitionInvalid(problems)
    return definition


def brand_texts(brand: Brand) -> dict[str, str]:
    """The brand as templates see it: what is empty is not there."""
    return {name: text for name, text in asdict(brand).items() if text}


def email_problems(definition: Definition, settings: Settings, *, to_save: bool) -> tuple[Problem, ...]:
    """What would keep a definition's e-mails from being sent, as far as it can be told now."""
    links = bool(settings.console.public_url)
    seen = template_problems(definition) or trial_problems(definition, links=links)
    if to_save and not seen:
        seen = perhaps_problems(definition)
    return (*_brand_problems(definition, settings.brand), *map(definition.located, seen))


def _brand_problems(definition: Definition, brand: Brand) -> tuple[Problem, ...]:
    """What the brand lacks for a definition's e-mails."""
    missing = ", ".join(f"brand.{name}" for name in brand.missing())
    said = f"e-mail needs brand details for its footer. Missing in the settings: {missing}"
    return tuple(Problem(at, said) for at, _ in definition.templates) if missing else ()


def template_problems(definition: Definition) -> tuple[Problem, ...]:
    """What is wrong with a definition's templates, seen with the objects of its trigger."""
    rule = definition.distribution
    trigger = TRIGGERS[rule.trigger.event]
    objects, how = variables(trigger, rule.action), partial(how_it_comes, trigger=trigger)
    found = [check_template(template, objects, at, how) for at, template in definition.templates]
    found += [_reaching_out(template, at) for at, template in definition.templates]
    return tuple(problem for problems in found for problem in problems)


def _reaching_out(template: StoredTemplate, at: str) -> tuple[Problem, ...]:
    """What a template takes from elsewhere: nothing but sections, which are in it by now."""
    parts = [(tag, part, getattr(template.in_locale(tag), part)) for tag in ("", *template.locales) for part in PARTS]
    return tuple(
        Problem(f"{at}.{part}", reason, line, tag)
        for tag, part, source in parts
        if source
        for line, reason in wrong_sections(source)
    )


async def stored_templates(project_id: str, templates: NamedTemplates) -> dict[str, TemplateFiles]:
    """Stored templates as a distribution takes them, by name."""
    current = await templates.current(project_id)
    return {name: TemplateFiles(one.text, one.html, one.locales, version=one.version) for name, one in current.items()}


async def plan(
    paths: list[Path], wiring: Wiring, control: Control, campaigns: Campaigns, templates: NamedTemplates
) -> list[Planned[Change]]:
    """What applying some files would do."""
    project = wiring.project
    current, there = await control.current(project), await campaigns.current(project)
    stored = await stored_templates(project, templates)
    sent = {(use.distribution_id, use.name): use.version for use in await templates.uses(project)}
    versions = {identity: distribution.version for identity, distribution in current.items()}
    return [
        _planned(current.get(definition.distribution.id), document, definition, sent)
        for document, definition in check_files(paths, wiring, versions, there, stored, to_save=True)
    ]


def _planned(
    before: Distribution | None, document: Document, definition: Definition, sent: Mapping[tuple[str, str], int]
) -> Planned[Change]:
    """`sent` are the versions of stored templates that go out now, by distribution and name."""
    after = definition.distribution
    change = Change(after, document.source, tuple(template for _, template in definition.templates))
    new = "; ".join(
        ("live from now on" if after.status == "LIVE" else after.status, *span_lines(after.starts_at, after.ends_at))
    )
    said: dict[str, Callable[[Any, Any], str]] = {
        "when": _guard_difference,
        "channels": _channel_difference,
        "expires_after": _span_difference,
        "again": _again_difference,
    }
    return planned("distribution", before, after, change, new=new, said=said, besides=_brought_up(definition, sent))


def _brought_up(definition: Definition, sent: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
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


def _parts(when: dict[str, object]) -> list[str]:
    parts = when["all"] if list(when) == ["all"] and isinstance(when["all"], list) else [when]
    return [msgspec.json.encode(part).decode() for part in parts]


async def save(plan: Sequence[Planned[Change]], wiring: Wiring, control: Control) -> None:
    """Save what differs, in one transaction, and publish it, with all that was not published yet.

    Raises VersionConflict, TryLater.
    """
    await control.save(changes(plan), applied_by=getpass.getuser(), now=utc_now())
    await publish(wiring, control)


async def publish(wiring: Wiring, control: Control) -> None:
    """Tell Kafka everything that was saved."""
    producer = Producer(wiring.settings.kafka.client())
    try:
        await publish_outbox(control, wiring, producer)
    finally:
        producer.close(1.0)


async def set_status(wiring: Wiring, identity: str, status: DistributionStatus, now: datetime) -> Distribution:
    """Pause, resume or stop a distribution: a new version that differs in its status alone."""
    async with database(wiring) as pool:
        control = Control(pool)
        before = (await control.current(wiring.project)).get(identity)
        if before is None:
            raise TidingsError(f"there is no distribution {identity}")
        after = await control.set_status(before, status, applied_by=getpass.getuser(), now=now)
        await publish(wiring, control)
        return after
