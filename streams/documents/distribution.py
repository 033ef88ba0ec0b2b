"""A distribution as its author writes it, checked to the last key: a `Distribution`, or every problem found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, get_args

from schemas.campaign import VOUCHER_TYPES, Campaign, campaign_object, tier_object
from schemas.channels.tables import ChannelPlan
from schemas.closed import Action, DistributionStatus, WhenEmpty
from schemas.distribution import CONSENTS, TRANSACTIONAL, Again, Distribution, Promote, Publish, TriggerRef
from schemas.errors import PartWrong, Problem
from schemas.events.triggers import TRIGGERS, Trigger
from schemas.formats.paths import read_names
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from streams.channels.payload import payload_fields
from streams.channels.rules import ChannelTable, PlanContext
from streams.channels.tables import CHANNEL_RULES
from streams.channels.template_files import TemplateFiles
from streams.conditions.answer import a_kind
from streams.conditions.fields import Fields, Unknown
from streams.conditions.parse import parse_condition, without_inside
from streams.documents.offers import why_not_offered
from streams.values.kinds import Identifier, Span, Whole, plain_json
from streams.values.reader import DocumentReader

KEYS = (
    "distribution", "name", "trigger", "when", "publish", "promote", "consent", "channels", "again", "starts_at",
    "ends_at",
    "expires_after", "priority", "status",
)  # fmt: skip
"""The keys of a distribution, in the order in which they read best."""

REQUIRED = ("distribution", "trigger", "consent", "channels")
IDENTITY = Identifier("winback")
PRIORITY = Whole(-1_000_000, 1_000_000, "; higher goes first")


@dataclass(frozen=True, slots=True)
class DefinitionContext:
    """What a definition may refer to, and what it does not say itself.

    `accounts` are the names of those that may be sent from, by channel. `templates` are those in files beside it,
    which win over the `stored_templates` of the same name.
    """

    project_id: str
    version: int
    now: datetime
    accounts: Mapping[str, Collection[str]]
    templates: Mapping[str, TemplateFiles]
    campaigns: Mapping[str, Campaign] = field(default_factory=dict)
    campaigns_from: str = ""
    """Where campaigns were looked for, as the end of a complaint, where that is a question."""
    complete: Callable[[StoredTemplate], StoredTemplate] = lambda template: template
    """Adds layout, sections and footer to a template. Raises PartWrong."""
    stored_templates: Mapping[str, TemplateFiles] = field(default_factory=dict)
    consents: Collection[str] = CONSENTS
    channels: ChannelTable = field(default_factory=lambda: CHANNEL_RULES)
    zone: tzinfo = UTC
    """Where the project's days begin and end."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A valid distribution, and the templates that its e-mails need, with the place of each in the source."""

    distribution: Distribution
    templates: tuple[tuple[str, StoredTemplate], ...]
    written: Mapping[str, TemplateFiles] = field(default_factory=dict)
    """By the same places, the files of those that have some."""

    def located(self, problem: Problem) -> Problem:
        """A problem of one of the templates, with its file."""
        files = self.written.get(problem.path.rpartition(".")[0])
        return files.located(problem) if files else problem


def parse_definition(source: object, context: DefinitionContext) -> Definition:
    """Check and complete a definition. Raises DefinitionInvalid with all problems, each with path and valid options."""
    reader = _Reader(context)
    distribution = reader.checked(reader.distribution(source))
    return Definition(distribution, tuple(reader.templates), reader.written)


class _Reader(DocumentReader):
    """One method a key."""

    def __init__(self, context: DefinitionContext) -> None:
        super().__init__(context.zone)
        self.templates: list[tuple[str, StoredTemplate]] = []
        self.written: dict[str, TemplateFiles] = {}
        self._context = context
        self._id = ""
        self._sent: Fields | None = None

    def distribution(self, source: object) -> Distribution | None:
        written = self._document(source, "distribution", KEYS)
        return None if written is None else self._distribution(written)

    def _distribution(self, source: Mapping[Any, Any]) -> Distribution | None:
        self._known_keys(source, KEYS, "")
        self._id = self._value(IDENTITY, source.get("distribution"), "distribution") or ""
        trigger_ref, trigger = self._trigger(source.get("trigger"))
        fields = Fields.of(trigger) if trigger else None
        action = _action(source)
        self._sent = payload_fields(trigger, action) if trigger else None
        parts: dict[str, Any] = {
            "when": self._when(source.get("when"), fields),
            "publish": self._publish(source.get("publish")),
            "promote": self._promote(source.get("promote")),
            "consent": self._consent(source.get("consent")),
            "channels": self._channels(source.get("channels")),
            "again": self._again(source.get("again"), fields),
            "starts_at": self._instant(source.get("starts_at"), "starts_at"),
            "ends_at": self._instant(source.get("ends_at"), "ends_at", is_end=True),
            "expires_after": self._seconds(source.get("expires_after"), "expires_after"),
            "priority": self._value(PRIORITY, source.get("priority", 0), "priority"),
            "status": self._closed(source.get("status", "LIVE"), get_args(DistributionStatus), "status", "DRAFT"),
            "name": self._word(source.get("name", self._id or "?"), "name", ": what people call it"),
        }
        if source.get("publish") is not None and source.get("promote") is not None:
            self._problem("promote", "stands instead of publish; one distribution does one of them")
        self._offered(trigger, action, parts["channels"])
        if parts["starts_at"] and parts["ends_at"] and parts["ends_at"] <= parts["starts_at"]:
            self._problem("ends_at", "is not after starts_at")
        if self.problems or trigger_ref is None:
            return None
        context = self._context
        head: dict[str, Any] = {
            "id": self._id,
            "project_id": context.project_id,
            "version": context.version,
            "updated_at": context.now,
        }
        return Distribution(trigger=trigger_ref, **head, **parts)

    # -- one method a key ---------------------------------------------------------------------------------------

    def _trigger(self, value: object) -> tuple[TriggerRef | None, Trigger | None]:
        if isinstance(value, str):
            value = {"event": value}
        body = self._mapping(value, "trigger", "{event: customer.order.paid}")
        trigger = None if body is None else self._one_of(body.get("event"), TRIGGERS, "trigger.event", "an event type")
        if body is None or trigger is None:
            return None, None
        self._known_keys(body, ("event", *trigger.selector_keys), "trigger")
        named = {key: body[key] for key in trigger.selector_keys if body.get(key) is not None}
        selection = {key: self._word(one, f"trigger.{key}", f": the id of one {key}") for key, one in named.items()}
        return TriggerRef(event=trigger.type, **selection), trigger

    def _consent(self, value: object) -> str:
        """A category that the project has declared: of another one nobody has given any consent."""
        if not self._word(value, "consent", f": a consent category such as marketing, or {TRANSACTIONAL}"):
            return ""
        known = {name: name for name in (*self._context.consents, TRANSACTIONAL)}
        how = "Others are declared as consents in the settings"
        return self._one_of(value, known, "consent", "a consent category", how) or ""

    def _offered(self, trigger: Trigger | None, action: Action, channels: list[ChannelPlan]) -> None:
        """The action has to be one of its trigger's."""
        refused = trigger and why_not_offered(trigger, action, {plan.channel for plan in channels})
        if refused:
            self._problem("channels" if action == "message" else action, refused)

    def _when(self, value: object, fields: Fields | None) -> JsonObject | None:
        if value is None or fields is None:
            return None
        plain = plain_json(value)
        _, problems = parse_condition(plain, fields)
        self.problems.extend(problems)
        return plain if isinstance(plain, dict) else None

    def _publish(self, value: object) -> Publish | None:
        body = None if value is None else self._mapping(value, "publish", "{campaign: spring-codes, when_empty: wait}")
        if body is None:
            return None
        self._known_keys(body, ("campaign", "when_empty"), "publish")
        campaign = self._campaign(body.get("campaign"), "publish", gives_codes=True)
        when_empty: Any = self._closed(
            body.get("when_empty", "stop"), get_args(WhenEmpty), "publish.when_empty", "stop"
        )
        return Publish(campaign=campaign.id, when_empty=when_empty) if campaign else None

    def _promote(self, value: object) -> Promote | None:
        body = None if value is None else self._mapping(value, "promote", "{campaign: spring-promotion, tier: gold}")
        if body is None:
            return None
        self._known_keys(body, ("campaign", "tier"), "promote")
        campaign = self._campaign(body.get("campaign"), "promote", gives_codes=False)
        if campaign is None:
            return None
        tiers = {tier.id: tier for tier in campaign.tiers}
        tier = self._one_of(body.get("tier"), tiers, "promote.tier", f"a tier of {campaign.id}")
        if tier is None:
            return None
        return Promote(campaign=campaign_object(campaign), promotion_tier=tier_object(campaign, tier))

    def _campaign(self, name: object, at: str, *, gives_codes: bool) -> Campaign | None:
        """A campaign that is there and of the right kind; the right ones are named."""
        fitting = {
            one.id: one for one in self._context.campaigns.values() if (one.kind in VOUCHER_TYPES) == gives_codes
        }
        other = self._context.campaigns.get(str(name))
        if other is not None and other.id not in fitting:
            said = "gives no codes" if gives_codes else "gives codes and has no tiers"
            there = f"Fitting are: {', '.join(sorted(fitting)) or 'none'}"
            return self._problem(f"{at}.campaign", f"{other.id} is a {other.kind}, which {said}. {there}")
        return self._one_of(name, fitting, f"{at}.campaign", "a campaign", self._context.campaigns_from)

    def _channels(self, value: object) -> list[ChannelPlan]:
        if not isinstance(value, list) or not value:
            self._invalid(value, "channels", f"a list of at least one of {', '.join(self._context.channels)}")
            return []
        plans = [self._channel(channel, f"channels[{index}]") for index, channel in enumerate(value)]
        return [plan for plan in plans if plan is not None]

    def _channel(self, value: object, at: str) -> ChannelPlan | None:
        known = self._context.channels
        if not isinstance(value, Mapping) or len(value) != 1:
            return self._invalid(value, at, f"a mapping with exactly one of {', '.join(known)}", shown=False)
        ((name, body),) = value.items()
        rules = self._one_of(name, known, at, "a channel")
        if rules is None:
            return None
        if not isinstance(body, Mapping):
            return self._invalid(body, f"{at}.{name}", "a mapping", shown=False)
        written = self._value(rules.keys, body, f"{at}.{name}") or {}
        plan: ChannelPlan | None = rules.plan(written, self._plan_context(str(name), f"{at}.{name}"))
        return plan

    def _plan_context(self, channel: str, at: str) -> PlanContext:
        context = self._context
        return PlanContext(
            at=at,
            report=self._problem,
            distribution=self._id,
            accounts=context.accounts.get(channel, ()),
            fields=self._sent,
            templates=context.templates,
            stored_templates=context.stored_templates,
            keep=partial(self._keep, at),
        )

    def _keep(self, at: str, template: StoredTemplate, files: TemplateFiles | None) -> StoredTemplate | None:
        """Complete a template and keep it, with the files that problems of it are shown in."""
        if files is not None:
            self.written[at] = files
        try:
            whole = self._context.complete(template)
        except PartWrong as error:
            problem = error.problem(at)
            self.problems.append(files.located(problem) if files else problem)
            return None
        self.templates.append((at, whole))
        return whole

    def _again(self, value: object, fields: Fields | None) -> Again:
        again = Again(mode="every_event")
        match value:
            case None | "every_event":
                pass
            case "once_per_customer":
                again = Again(mode="once_per_customer")
            case {"once_per": str(path), **rest} if not rest:
                self._once_per(path, fields)
                again = Again(mode="once_per", path=path)
            case {"once_in": span, **rest} if not rest:
                again = Again(mode="once_in", seconds=self._value(Span(), span, "again.once_in"))
            case _:
                options = "every_event, once_per_customer, {once_per: order.id} or {once_in: 30d}"
                self._invalid(value, "again", f"one of {options}")
        return again

    def _once_per(self, path: str, fields: Fields | None) -> None:
        try:
            names = read_names(path)
        except ValueError as error:
            return self._problem("again.once_per", str(error))
        found = fields.find(names) if fields else None
        holder = without_inside(names, fields) if fields else None
        if isinstance(found, Unknown):
            self._problem("again.once_per", found.message)
        elif holder:
            self._problem("again.once_per", holder.partition(";")[0])
        elif found and found.kind in ("list", "object"):
            self._problem("again.once_per", f"is a field that holds one value; {path} is {a_kind(found.kind)}")
        return None


def _action(source: Mapping[Any, Any]) -> Action:
    return (
        "publish"
        if source.get("publish") is not None
        else "promote"
        if source.get("promote") is not None
        else "message"
    )
