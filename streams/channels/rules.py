"""The shape of what is pure about a channel, and what its plans are made in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from schemas.campaign import Campaign
from schemas.channels.plan import Plan
from schemas.delivery import Delivery
from schemas.record import JsonObject, Record
from schemas.template import StoredTemplate
from streams.channels.template_files import TemplateFiles
from streams.conditions.fields import Fields
from streams.event_context import Profile
from streams.values.kinds import Group
from streams.values.wording import Report, unknown
from streams.verdict import Skip

P = TypeVar("P", bound=Plan)
A = TypeVar("A", bound=Record)

Shared = dict[str, Any]
"""The fields that the deliveries of all channels have."""


class KeepTemplate(Protocol):
    """Completes a template and keeps it with the definition."""

    def __call__(self, template: StoredTemplate, files: TemplateFiles | None) -> StoredTemplate | None:
        """The whole template; None after the problem is reported. `files` are those that it was written in."""


def _nothing_beside(path: str) -> tuple[str, int]:
    raise ValueError(f"{path} cannot be read: no file came with the document; attach it by url")


@dataclass(frozen=True, slots=True)
class PlanContext:
    """The things that a plan may refer to, and who is told of problems. `at` is the path of the channel's own mapping.

    `templates` are those in files beside the document, which win over the `stored_templates` of the same name, and
    both over `shipped_templates`; `default_template` is the one for who names none, where the trigger is known.
    `fields` are what its messages may name, `transfer_fields` what its attributes at a provider may come from, where
    the trigger is known. `campaign` is the one that its codes are published from. `has_links`: customers
    reach pages of their own. `attach` keeps a file beside the document, and says its digest and size; it raises
    ValueError.
    """

    at: str
    report: Report
    distribution: str
    accounts: Collection[str]
    fields: Fields | None
    transfer_fields: Fields | None
    templates: Mapping[str, TemplateFiles]
    stored_templates: Mapping[str, TemplateFiles]
    shipped_templates: Mapping[str, TemplateFiles]
    default_template: str | None
    keep: KeepTemplate
    campaign: Campaign | None = None
    has_links: bool = False
    attach: Callable[[str], tuple[str, int]] = _nothing_beside

    def problem(self, message: str, key: str = "") -> None:
        """Report what is wrong with a key, or with all of them together."""
        self.report(f"{self.at}.{key}" if key else self.at, message)

    def account(self, name: object, kind: str, where: str) -> str | None:
        """The account of that name. `where` says how there come to be others."""
        if isinstance(name, str) and name in self.accounts:
            return name
        return self.problem(unknown(name, sorted(self.accounts), kind, where), "account")


@dataclass(frozen=True, slots=True)
class ChannelRules(Generic[P, A]):
    """All that is pure about a channel.

    `keys` is what an author writes below its name; `plan` makes of that, as it was read, the channel's plan, or None
    after reporting why not. What it makes while problems are reported is thrown away.
    `reach` is the customer's address on it, or why that is missing; `delivery` the message that goes there.
    """

    keys: Group
    plan: Callable[[JsonObject, PlanContext], P | None]
    reach: Callable[[P, Profile], A | Skip]
    delivery: Callable[[P, A, Shared], Delivery]


AnyRules = ChannelRules[Any, Any]
ChannelTable = Mapping[str, AnyRules]
"""Channel to its rules."""
