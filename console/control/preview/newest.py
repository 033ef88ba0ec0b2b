"""A distribution as it would send with the newest versions of its templates, before they are rolled out to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import asyncpg

from console.control import roll_out, templates
from console.control.context import ProjectContext
from console.control.preview.messages import Candidate
from store.templates import NamedTemplates


async def with_newest(pool: asyncpg.Pool, project: ProjectContext, candidate: Candidate, now: datetime) -> Candidate:
    """The same with the newest templates. Raises DefinitionInvalid where these do not fit it, TryLater."""
    newest = await NamedTemplates(pool).current(project.project_id)
    older = await templates.older_uses(pool, project.project_id, {name: one.version for name, one in newest.items()})
    mine = [use for use in older if use.distribution_id == candidate.distribution.id]
    plan = await roll_out.plan(pool, mine, newest, project, now)
    made = {template.ref.digest: template for one in plan for template in one.change.templates}
    rule = plan[0].change.distribution if plan else candidate.distribution
    return replace(candidate, distribution=rule, templates={**candidate.templates, **made})
