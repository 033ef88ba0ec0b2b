"""Distributions as written, checked whole: the definition, and whether its e-mails can be written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from channels.http.ssrf import Reach
from channels.templates.author_lines import author_line
from channels.templates.bundle import bundled, wrong_sections
from channels.templates.engine import PARTS, check_source, check_template, names_in
from console.control.context import ProjectContext
from console.control.designs import default_templates
from console.control.documents import Document
from console.control.named_fields import with_template_fields
from console.control.plan import check_documents
from console.control.preview.trial import perhaps_problems, trial_problems
from console.control.preview.variables import variables
from console.control.segment_names import KnownSegments, slips
from deploy.settings.messages import Brand
from schemas.backfill import asks
from schemas.campaign import Campaign
from schemas.channels.email import AttachedUrl, EmailPlan
from schemas.channels.webhook import WebhookPlan
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem
from schemas.events.triggers import TRIGGERS
from schemas.formats.hosts import ascii_url
from schemas.template import StoredTemplate
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import Definition, DefinitionContext, parse_definition
from streams.documents.offers import how_it_comes
from streams.values.wording import unknown


@dataclass(frozen=True, slots=True)
class Offered:
    """The campaigns that a distribution may name, and where they were looked for."""

    campaigns: Mapping[str, Campaign]
    where: str = ""


_WHOLE_HOST = re.compile(r"https?://[^/{?#]+(?=[/?#]|$)")
"""The beginning of a template of an address, where no tag is in it."""

Offers = Callable[[Document], Offered]
"""The campaigns that one document may name. Raises DefinitionInvalid where a file of them is wrong."""


def offer(campaigns: Mapping[str, Campaign]) -> Offers:
    """The same campaigns to every document."""
    offered = Offered(campaigns)
    return lambda _: offered


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that definitions are held against. `templates` are those that need no files beside a document.

    `versions` are the newest ones; `to_save`: e-mails are tried without what not every event and profile has as well.
    `segments`: those that guards and backfills may name; None where nobody knows them.
    """

    offers: Offers
    templates: Mapping[str, TemplateFiles] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    to_save: bool = False
    segments: KnownSegments | None = None


def check(
    documents: Iterable[Document], project: ProjectContext, known: Known, now: datetime
) -> list[tuple[Document, Definition]]:
    """Every distribution, checked. Raises DefinitionInvalid with all problems, each with its line."""
    return check_documents(
        documents,
        "distribution",
        lambda document: _check(document, project, known, now),
        lambda definition: definition.distribution.id,
    )


def _check(document: Document, project: ProjectContext, known: Known, now: datetime) -> Definition:
    offered = known.offers(document)
    context = DefinitionContext(
        project_id=project.project_id,
        version=known.versions.get(document.identity("distribution"), 0) + 1,
        now=now,
        accounts=project.accounts,
        templates=document.beside.templates(),
        campaigns=offered.campaigns,
        campaigns_from=offered.where,
        complete=partial(bundled, brand=project.brand_texts),
        stored_templates=known.templates,
        shipped_templates=default_templates(project.brand.locale),
        consents=project.consents,
        consents_from=project.consents_from,
        zone=project.zone,
        timezone=project.timezone,
        control_group=project.control_group,
        staff=project.staff,
        quiet_hours=project.quiet_hours,
        country=project.country,
        caps=project.caps,
        has_links=project.has_links,
        read_file=lambda path: document.beside.file(path, project.file_limits.each),
    )
    definition = with_template_fields(parse_definition(document.plain, context))
    problems = email_problems(definition, project, to_save=known.to_save)
    problems += attachment_problems(definition.distribution)
    problems += size_problems(definition, project.file_limits.together)
    problems += slips(definition.distribution, known.segments)
    problems += backfill_problems(definition.distribution, known.segments)
    if known.to_save:
        problems += address_problems(definition.distribution, project.reach)
    if problems:
        raise DefinitionInvalid(problems)
    return definition


def email_problems(definition: Definition, project: ProjectContext, *, to_save: bool) -> tuple[Problem, ...]:
    """The problems that would keep a definition's e-mails from being sent, as far as they can be seen now."""
    seen = template_problems(definition) or trial_problems(definition, links=project.has_links)
    if to_save and not seen:
        seen = perhaps_problems(definition)
    return (*_brand_problems(definition, project.brand), *map(definition.located, seen))


def address_problems(distribution: Distribution, reach: Reach) -> tuple[Problem, ...]:
    """The webhooks and files of a distribution that would be refused wherever their names lead."""
    urls = [(f"{at}.url", plan.url) for at, plan in distribution.plans() if isinstance(plan, WebhookPlan)]
    urls += [(f"{at}.url", found[0]) for at, one in _attachments(distribution) if (found := _WHOLE_HOST.match(one.url))]
    return tuple(Problem(at, problem) for at, url in urls if (problem := reach.problem(ascii_url(url))))


def attachment_problems(distribution: Distribution) -> tuple[Problem, ...]:
    """Variables that the addresses and names of files show, and there are not with this trigger."""
    objects = variables(TRIGGERS[distribution.trigger.event], distribution.action, gathers=bool(distribution.digest))
    return tuple(
        Problem(f"{at}.{key}", problem)
        for at, one in _attachments(distribution)
        for key, source in (("url", one.url), ("name", one.name or ""))
        for _, problem in check_source(source, objects)
    )


def size_problems(definition: Definition, most: int) -> tuple[Problem, ...]:
    """Messages whose files beside the document are too large together."""
    sizes = ((at, sum(file.size for file in template.files)) for at, template in definition.templates)
    return tuple(
        Problem(
            f"{at}.attachments",
            f"the files have {size:,} bytes together; at most {most:,} (sender.attachments_max_bytes) are allowed",
        )
        for at, size in sizes
        if size > most
    )


def backfill_problems(distribution: Distribution, segments: KnownSegments | None) -> tuple[Problem, ...]:
    """A backfill for a segment of which nobody knows the members: it is upstream's own, or not applied yet."""
    named = distribution.trigger.segment
    if segments is None or named in segments.defined or not asks(distribution):
        return ()
    said = unknown(named, segments.defined, "a segment of ours, which backfill needs", "Others: tidings segments apply")
    return (Problem("trigger.segment", said),)


def _attachments(distribution: Distribution) -> Iterator[tuple[str, AttachedUrl]]:
    for at, plan in distribution.plans():
        for number, one in enumerate(plan.attachments if isinstance(plan, EmailPlan) else ()):
            yield f"{at}.attachments[{number}]", one


def _brand_problems(definition: Definition, brand: Brand) -> tuple[Problem, ...]:
    """The brand's gaps, of which a definition's e-mails need every one filled."""
    missing = ", ".join(f"brand.{name}" for name in brand.missing())
    reason = f"e-mail needs brand details for its footer; `tidings brand set` writes them. Missing: {missing}"
    return tuple(Problem(at, reason) for at, one in definition.templates if one.subject) if missing else ()


def template_problems(definition: Definition) -> tuple[Problem, ...]:
    """Problems of a definition's templates, seen with the objects of its trigger."""
    rule = definition.distribution
    trigger = TRIGGERS[rule.trigger.event]
    objects = variables(trigger, rule.action, gathers=bool(rule.digest))
    how = partial(how_it_comes, trigger=trigger)
    found = [check_template(template, objects, at, how) for at, template in definition.templates]
    found += [_reaching_out(template, at) for at, template in definition.templates]
    mailed = {plan.template.digest for plan in rule.channels if isinstance(plan, EmailPlan)}
    found += [_without_page(one, at) for at, one in definition.templates if one.ref.digest not in mailed]
    return tuple(problem for problems in found for problem in problems)


def _without_page(template: StoredTemplate, at: str) -> tuple[Problem, ...]:
    """Messages of other channels have no page for a browser."""
    variants = [(tag, part, template.in_locale(tag)) for tag in ("", *template.locales) for part in PARTS]
    return tuple(
        Problem(f"{at}.{part}", "view_url is the page of an e-mail, which this is not", _line(source, "view_url"), tag)
        for tag, part, one in variants
        if (source := getattr(one, part)) and "view_url" in names_in(source)
    )


def _line(source: str, word: str) -> int:
    return author_line(source, source.find(word)).line


def _reaching_out(template: StoredTemplate, at: str) -> tuple[Problem, ...]:
    """Templates take nothing from elsewhere but sections, and those are in them by now."""
    parts = [(tag, part, getattr(template.in_locale(tag), part)) for tag in ("", *template.locales) for part in PARTS]
    return tuple(
        Problem(f"{at}.{part}", reason, line, tag)
        for tag, part, source in parts
        if source
        for line, reason in wrong_sections(source)
    )
