"""A distribution as its author writes it, checked to the last key: a `Distribution`, or every problem found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

import msgspec

from schemas.campaign import VOUCHER_TYPES, Campaign, campaign_object, tier_object
from schemas.channels.tables import ChannelPlan
from schemas.closed import CHANNELS, Action
from schemas.distribution import (
    CONSENTS,
    TRANSACTIONAL,
    Again,
    Arm,
    Cap,
    ControlGroup,
    Delay,
    Digest,
    Distribution,
    Promote,
    Publish,
    TriggerRef,
    Unless,
)
from schemas.errors import PartWrong, Problem
from schemas.events.triggers import TRIGGERS, Trigger
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from schemas.window import QuietHours
from streams.channels.default_templates import default_template
from streams.channels.payload import payload_fields, transfer_fields
from streams.channels.rules import ChannelTable, PlanContext
from streams.channels.tables import CHANNEL_RULES
from streams.channels.template_files import TemplateFiles
from streams.conditions.answer import a_kind
from streams.conditions.fields import Fields
from streams.conditions.parse import parse_condition
from streams.documents.arms import arms_form, channels_of_arm, check_shares
from streams.documents.backfill_key import backfill_of
from streams.documents.cap_keys import cap_of, misses_all
from streams.documents.digest_keys import stands_against
from streams.documents.distribution_keys import DISTRIBUTION
from streams.documents.distribution_kinds import ChannelList, WrittenChannel
from streams.documents.fallback_keys import fallback_of
from streams.documents.offers import why_not_offered
from streams.documents.single_value import one_value
from streams.documents.together import wrong_together
from streams.documents.windows import window_of
from streams.values.kinds import Group, plain_json
from streams.values.reader import DocumentReader


@dataclass(frozen=True, slots=True)
class DefinitionContext:
    """Everything that a definition may refer to, and what it does not say itself.

    `accounts` are the names of those that may be sent from, by channel. `templates` are those in files beside it,
    which win over the `stored_templates` of the same name, and both over the product's own, `shipped_templates`.
    """

    project_id: str
    version: int
    now: datetime
    accounts: Mapping[str, Collection[str]]
    templates: Mapping[str, TemplateFiles]
    campaigns: Mapping[str, Campaign] = field(default_factory=dict)
    campaigns_from: str = ""
    """Where campaigns were looked for, as the end of a problem, where that is a question."""
    complete: Callable[[StoredTemplate], StoredTemplate] = lambda template: template
    """Adds layout, sections and footer to a template. Raises PartWrong."""
    stored_templates: Mapping[str, TemplateFiles] = field(default_factory=dict)
    shipped_templates: Mapping[str, TemplateFiles] = field(default_factory=dict)
    consents: Collection[str] = CONSENTS
    consents_from: str = "the settings"
    """Where they are declared, as the end of a sentence."""
    channels: ChannelTable = field(default_factory=lambda: CHANNEL_RULES)
    zone: tzinfo = UTC
    """Where the project's days begin and end."""
    timezone: str | None = None
    """Its name, where the project says it itself."""
    control_group: ControlGroup | None = None
    staff: JsonObject | None = None
    quiet_hours: QuietHours | None = None
    country: str | None = None
    """That of customers whose address names none."""
    caps: Sequence[Cap] = ()
    has_links: bool = False
    """True where customers reach pictures of codes, and pages of their own."""
    read_file: Callable[[str], bytes] | None = None
    """Reads a file beside the document. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A valid distribution, and the templates that its e-mails need, with the place of each in the source."""

    distribution: Distribution
    templates: tuple[tuple[str, StoredTemplate], ...]
    written: Mapping[str, TemplateFiles] = field(default_factory=dict)
    """By the same places, the files of those that have some."""
    attached: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The contents of files that messages bring along, by digest."""

    def located(self, problem: Problem) -> Problem:
        """A problem of one of the templates, with its file."""
        files = self.written.get(problem.path.rpartition(".")[0])
        return files.located(problem) if files else problem


def parse_definition(source: object, context: DefinitionContext) -> Definition:
    """Check and complete a definition. Raises DefinitionInvalid with all problems, each with path and valid options."""
    reader = _Reader(context)
    distribution = reader.checked(reader.distribution(source))
    return Definition(distribution, tuple(reader.templates), reader.written, reader.attached)


class _Reader(DocumentReader):
    """Check what has to hold between the keys and with what the project has, beside what each key may hold."""

    def __init__(self, context: DefinitionContext) -> None:
        super().__init__(context.zone)
        self.templates: list[tuple[str, StoredTemplate]] = []
        self.written: dict[str, TemplateFiles] = {}
        self.attached: dict[str, bytes] = {}
        self._context = context

    def distribution(self, source: object) -> Distribution | None:
        keys = _with_channels(self._context.channels)
        written = self._document(source, "distribution", keys.keys)
        if written is None:
            return None
        read = self._value(keys, written, "") or {}
        trigger, action = TRIGGERS.get(read.get("trigger", {}).get("event")), _action(written)
        plans = partial(self._plans, read, trigger, action)
        channels = plans(read.get("channels", []))
        parts: dict[str, Any] = {
            **self._timing(read),
            "when": self._when(read.get("when"), trigger),
            "publish": self._publish(read.get("publish")),
            "promote": self._promote(read.get("promote")),
            "consent": self._consent(read.get("consent")),
            "channels": channels,
            "again": self._again(read.get("again") or Again(mode="every_event"), trigger),
            "delay": self._delay(read.get("delay"), trigger),
            "digest": self._digest(read, trigger),
            "backfill": backfill_of(read, trigger, self._problem),
            "fallback_after": fallback_of(read.get("fallback_after")),
            "unless": self._unless(read, trigger),
            **self._arms(read, trigger, channels, plans),
            "window": window_of(read.get("window"), self._problem),
            "caps": self._caps(read),
        }
        if written.get("publish") is not None and written.get("promote") is not None:
            self._problem("promote", "stands instead of publish; one distribution does one of them")
        for sent in (channels, *(arm.channels for arm in parts["arms"])):
            self._offered(trigger, action, sent)
        made = None if self.problems else self._made(read, parts)
        for at, why in wrong_together(made, self._context.channels) if made else ():
            self._problem(at, why)
        return None if self.problems else made

    def _made(self, read: JsonObject, parts: dict[str, Any]) -> Distribution:
        """A distribution of what was read; a key that is not written has the default of the record."""
        context, identity = self._context, read["distribution"]
        named = ("order", "expires_after", "priority", "holdout", "experiment")
        return Distribution(
            id=identity,
            project_id=context.project_id,
            version=context.version,
            timezone=context.timezone,
            control_group=context.control_group,
            staff=context.staff,
            quiet_hours=context.quiet_hours,
            country=context.country,
            updated_at=context.now,
            name=str(read.get("name", identity)),
            status=read.get("status", "LIVE"),
            trigger=TriggerRef(**read["trigger"]),
            **{name: read[name] for name in named if name in read},
            **parts,
        )

    def _timing(self, read: JsonObject) -> dict[str, Any]:
        start = self._instant(read.get("starts_at"), "starts_at")
        end = self._instant(read.get("ends_at"), "ends_at", is_end=True)
        if start and end and end <= start:
            self._problem("ends_at", "is not after starts_at")
        return {"starts_at": start, "ends_at": end}

    def _consent(self, value: str | None) -> str:
        """A category that the project has declared: of another one nobody has given any consent."""
        known = {name: name for name in (*self._context.consents, TRANSACTIONAL)}
        how = f"Others are declared as consents in {self._context.consents_from}"
        return (value and self._one_of(value, known, "consent", "a consent category", how)) or ""

    def _caps(self, read: JsonObject) -> list[Cap]:
        """Its own caps, then those of its project that count its messages."""
        consent, channels = read.get("consent", ""), {one.name for one in read.get("channels", [])}
        channels = set(CHANNELS) if read.get("arms") else channels
        own = []
        for place, keys in read.get("cap", []):
            cap = cap_of(place, keys, self._context.consents, self._problem)
            why = cap and consent and channels and misses_all(cap, consent, channels)
            if why:
                self._problem(place, why)
            elif cap:
                own.append(cap)
        return own + [cap for cap in self._context.caps if misses_all(cap, consent, CHANNELS) is None]

    def _offered(self, trigger: Trigger | None, action: Action, channels: list[ChannelPlan]) -> None:
        """The action has to be one of its trigger's."""
        if refused := trigger and why_not_offered(trigger, action, {plan.channel for plan in channels}):
            self._problem("channels" if action == "message" else action, refused)

    def _when(self, value: object, trigger: Trigger | None, at: str = "when") -> JsonObject | None:
        if value is None or trigger is None:
            return None
        plain = plain_json(value)
        _, problems = parse_condition(plain, Fields.of(trigger), at=at)
        self.problems.extend(problems)
        return plain if isinstance(plain, dict) else None

    def _publish(self, read: JsonObject | None) -> Publish | None:
        campaign = None if read is None else self._campaign(read.get("campaign"), "publish", gives_codes=True)
        return Publish(**{**(read or {}), "campaign": campaign.id}) if campaign else None

    def _promote(self, read: JsonObject | None) -> Promote | None:
        campaign = None if read is None else self._campaign(read.get("campaign"), "promote", gives_codes=False)
        if read is None or campaign is None:
            return None
        tiers = {tier.id: tier for tier in campaign.tiers}
        tier = self._one_of(read.get("tier"), tiers, "promote.tier", f"a tier of {campaign.id}")
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
            others = f"Fitting are: {', '.join(sorted(fitting)) or 'none'}"
            return self._problem(f"{at}.campaign", f"{other.id} is a {other.kind}, which {said}. {others}")
        return self._one_of(name, fitting, f"{at}.campaign", "a campaign", self._context.campaigns_from)

    def _plans(
        self, read: JsonObject, trigger: Trigger | None, action: Action, channels: Sequence[WrittenChannel]
    ) -> list[ChannelPlan]:
        identity = read.get("distribution", "")
        campaign = self._context.campaigns.get(str((read.get("publish") or {}).get("campaign")))
        context = partial(
            self._plan_context,
            identity=identity,
            trigger=trigger,
            action=action,
            campaign=campaign,
            gathers=bool(read.get("digest")),
        )
        plans = [(one, one.rules.plan(one.written, context(one))) for one in channels]
        return [self._with_common(one, plan) for one, plan in plans if plan is not None]

    def _with_common(self, channel: WrittenChannel, plan: ChannelPlan) -> ChannelPlan:
        """A plan with what any channel may say."""
        window = window_of(channel.common.get("window"), self._problem, f"{channel.at}.window")
        return msgspec.structs.replace(plan, window=window) if window else plan

    def _arms(
        self,
        read: JsonObject,
        trigger: Trigger | None,
        plain: list[ChannelPlan],
        plans: Callable[[Sequence[WrittenChannel]], list[ChannelPlan]],
    ) -> dict[str, Any]:
        """The arms, each whole; of channels that are wrong themselves no arm is made."""
        arms, channels = read.get("arms", {}), read.get("channels", [])
        check_shares(arms, self._problem)
        names = {name: name for name in arms}
        winner = read.get("winner") and self._one_of(read["winner"], names, "winner", "an arm")
        made = []
        for name, arm in arms.items() if len(plain) == len(channels) > 0 and not self.problems else ():
            written = channels_of_arm(arm, channels, f"arms.{name}", self._problem)
            sent = [
                one
                for index, changed in enumerate(written)
                for one in (plain[index : index + 1] if changed is None else plans([changed]))
            ]
            delay = self._delay(arm.get("delay") or read.get("delay"), trigger, f"arms.{name}.delay")
            made.append(Arm(id=name, share=arm["share"], channels=sent, delay=delay))
        return {"arms": made, "winner": winner}

    def _plan_context(
        self,
        channel: WrittenChannel,
        identity: str,
        trigger: Trigger | None,
        action: Action,
        campaign: Campaign | None,
        gathers: bool,
    ) -> PlanContext:
        context = self._context
        return PlanContext(
            at=channel.at,
            report=self._problem,
            distribution=identity,
            accounts=context.accounts.get(channel.name, ()),
            fields=payload_fields(trigger, action, gathers=gathers) if trigger else None,
            transfer_fields=transfer_fields(trigger, action, gathers=gathers) if trigger else None,
            templates=context.templates,
            stored_templates=context.stored_templates,
            shipped_templates=context.shipped_templates,
            default_template=default_template(trigger.type, action) if trigger else None,
            keep=partial(self._keep, channel.at),
            campaign=campaign,
            has_links=context.has_links,
            **({"attach": self._attach} if context.read_file else {}),
        )

    def _attach(self, path: str) -> tuple[str, int]:
        """Keep what is in a file beside the document. Raises ValueError."""
        data = self._context.read_file(path) if self._context.read_file else b""
        digest = hashlib.sha256(data).hexdigest()
        self.attached[digest] = data
        return digest, len(data)

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

    def _again(self, again: Again, trigger: Trigger | None) -> Again:
        if again.path is not None:
            one_value(again.path, "again.once_per", trigger, self._problem)
        return again

    def _delay(self, delay: Delay | None, trigger: Trigger | None, at: str = "delay") -> Delay | None:
        if delay is not None and delay.until is not None:
            kind = one_value(delay.until, f"{at}.until", trigger, self._problem)
            if kind in ("number", "boolean"):
                self._problem(f"{at}.until", f"is the path of a date; {delay.until} is {a_kind(kind)}")
        return delay

    def _digest(self, read: JsonObject, trigger: Trigger | None) -> Digest | None:
        """Events that are gathered: each has to have the path that parts them."""
        digest: Digest | None = read.get("digest")
        if digest is None:
            return None
        if digest.by is not None:
            one_value(digest.by, "digest.by", trigger, self._problem)
        for at, why in stands_against(read, trigger):
            self._problem(at, why)
        return digest

    def _unless(self, read: JsonObject, trigger: Trigger | None) -> Unless | None:
        """An event that may end it: both events have to have the path that they share."""
        written = read.get("unless")
        if written is None:
            return None
        ways = (read, *read.get("arms", {}).values())
        channels = [one for way in ways for one in way.get("channels", ())]
        has_window = read.get("window") or any(one.common.get("window") for one in channels)
        waits = has_window or read.get("digest") or read.get("fallback_after") or any(way.get("delay") for way in ways)
        if not waits:
            right = "a delay, a digest, a window or fallback_after"
            self._problem("unless", f"needs {right}: what is sent at once cannot be ended")
        named = written.get("trigger") or {}
        ending, same = TRIGGERS.get(named.get("event", "")), written.get("same")
        for one in (trigger, ending) if same else ():
            one_value(same, "unless.same", one, self._problem)
        when = self._when(written.get("when"), ending, "unless.when")
        return Unless(trigger=TriggerRef(**named), when=when, same=same) if ending else None


def _with_channels(table: ChannelTable) -> Group:
    """The keys of a distribution whose channels are those of a table."""
    channels = replace(DISTRIBUTION.keys["channels"], holds=ChannelList(table))
    arms = replace(DISTRIBUTION.keys["arms"], holds=arms_form(table))
    return Group({**DISTRIBUTION.keys, "channels": channels, "arms": arms})


def _action(source: Mapping[Any, Any]) -> Action:
    named: tuple[Action, ...] = ("publish", "promote")
    return next((one for one in named if source.get(one) is not None), "message")
