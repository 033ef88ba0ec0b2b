"""Everything of a project that a form of the builder offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from console.control.context import ProjectContext
from console.control.designs import default_templates
from schemas.campaign import VOUCHER_TYPES, Campaign
from schemas.distribution import TRANSACTIONAL, TriggerRef
from store.campaigns import Campaigns
from store.distributions import Control
from store.fields_seen import FieldsSeen
from store.segments import Segments
from store.templates import NamedTemplates

_MOST_FIELDS = 300


@dataclass(frozen=True, slots=True)
class Known:
    """The names that documents may hold, each as far as somebody has said it.

    Event schemas and tiers of loyalty programmes are upstream's: those are known that other distributions name.
    """

    segments: Sequence[str]
    campaigns: Mapping[str, Campaign]
    event_schemas: Sequence[str]
    tiers: Sequence[str]
    templates: Sequence[str]
    consents: Sequence[str]
    accounts: Mapping[str, Sequence[str]]
    fields: Sequence[str]

    def selected_by(self, key: str) -> Sequence[str]:
        """Those that a key of a trigger may name."""
        named = {"segment": self.segments, "campaign": list(self.campaigns), "event_schema": self.event_schemas}
        return named.get(key, self.tiers)

    @property
    def with_codes(self) -> list[str]:
        """The campaigns that give codes."""
        return [name for name, one in self.campaigns.items() if one.kind in VOUCHER_TYPES]

    @property
    def with_tiers(self) -> list[str]:
        """The campaigns that have promotion tiers."""
        return [name for name, one in self.campaigns.items() if one.tiers]

    def promotion_tiers(self) -> list[tuple[str, str]]:
        """The tiers of all of them, each with the name of its campaign."""
        return [(tier.id, f"{tier.id} ({name})") for name, one in self.campaigns.items() for tier in one.tiers]


async def known_to(pool: asyncpg.Pool, project: ProjectContext) -> Known:
    """The names of a project. Raises TryLater."""
    project_id = project.project_id
    triggers = [one.trigger for one in (await Control(pool).current(project_id)).values()]
    stored = await NamedTemplates(pool).current(project_id)
    return Known(
        sorted(await Segments(pool).ids(project_id)),
        dict(sorted((await Campaigns(pool).current(project_id)).items())),
        _named(triggers, "event_schema"),
        _named(triggers, "tier"),
        sorted({*stored, *default_templates(project.brand.locale)}),
        [*project.consents, TRANSACTIONAL],
        project.accounts,
        await FieldsSeen(pool).paths(project_id, _MOST_FIELDS),
    )


def _named(triggers: Sequence[TriggerRef], key: str) -> list[str]:
    return sorted({name for one in triggers if (name := getattr(one, key))})
