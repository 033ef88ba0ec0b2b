"""New versions of distributions, with the newest version of the stored templates that they send; without their files.

Only the template changes, with the brand as it is now: subject, trigger, guard and all else stay as they were applied.
Templates are stored first; where that is all that was reached, the same command does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg
import msgspec

from channels.templates.bundle import bundled
from console.control.context import ProjectContext
from console.control.distribution_check import email_problems
from console.control.named_fields import with_template_fields
from console.control.plan import Planned
from schemas.channels.tables import ChannelPlan
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.template import NamedTemplate, StoredTemplate, TemplateRef
from store.distributions import Change, Control
from store.templates import TemplateUse
from streams.documents.distribution import Definition


async def plan(
    pool: asyncpg.Pool,
    older: Sequence[TemplateUse],
    newest: Mapping[str, NamedTemplate],
    project: ProjectContext,
    now: datetime,
) -> list[Planned[Change]]:
    """A new version of each distribution that sends an older one; `older` says which do.

    Raises DefinitionInvalid where a template names what a distribution's trigger does not have, or the brand lacks.
    """
    control = Control(pool)
    current = await control.current(project.project_id)
    planned = [
        await _planned(current[identity], newest, project, control, now)
        for identity in sorted({use.distribution_id for use in older})
    ]
    problems = [problem for one, found in planned for problem in _located(one, found)]
    if problems:
        raise DefinitionInvalid(tuple(problems))
    return [one for one, _ in planned if one.lines]


async def _planned(
    rule: Distribution, newest: Mapping[str, NamedTemplate], project: ProjectContext, control: Control, now: datetime
) -> tuple[Planned[Change], tuple[Problem, ...]]:
    after_of: dict[TemplateRef, TemplateRef] = {}
    made: list[tuple[str, StoredTemplate]] = []
    lines: list[str] = []
    for at, plan in rule.plans():
        if plan.template is None:
            continue
        before = await _sent(plan.template, control)
        named = newest.get(before.name)
        if named is None or before.version in (None, named.version):
            continue
        texts = msgspec.structs.replace(named.with_subject(before.subject), files=before.files)
        after = bundled(texts, project.brand_texts)
        made.append((f"{at}.template", after))
        lines.append(f"template {named.name}: v{before.version} → v{named.version}")
        after_of[plan.template] = after.ref
    changed = msgspec.structs.replace(_with_templates(rule, after_of), version=rule.version + 1, updated_at=now)
    definition = with_template_fields(Definition(changed, tuple(made)))
    shown = {*rule.template_fields, *definition.distribution.template_fields}  # templates beside those are as before
    changed = msgspec.structs.replace(changed, template_fields=sorted(shown))
    change = Change(changed, "", tuple(template for _, template in made))
    planned = Planned("changed", "distribution", rule.id, changed.version, change, tuple(dict.fromkeys(lines)))
    return planned, email_problems(definition, project, to_save=True)


def _with_templates(rule: Distribution, after_of: Mapping[TemplateRef, TemplateRef]) -> Distribution:
    """The same with other templates, in all its arms."""

    def changed(plan: ChannelPlan) -> ChannelPlan:
        after = after_of.get(plan.template) if plan.template else None
        return msgspec.structs.replace(plan, template=after) if after else plan

    arms = [msgspec.structs.replace(arm, channels=[changed(plan) for plan in arm.channels]) for arm in rule.arms]
    return msgspec.structs.replace(rule, channels=[changed(plan) for plan in rule.channels], arms=arms)


async def _sent(ref: TemplateRef, control: Control) -> StoredTemplate:
    template = await control.template(ref.digest)
    if template is None:
        raise TidingsError(f"template {ref.name} ({ref.digest[:8]}) is missing in the database")
    return template


def _located(one: Planned[Change], problems: Sequence[Problem]) -> list[Problem]:
    rule = one.change.distribution
    place = f"distribution {rule.id} (on {rule.trigger.event})"
    return [replace(problem, path=f"{place}  {problem.path}") for problem in problems]
