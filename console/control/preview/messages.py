"""Messages of a distribution for one event, word for word: rendered as the sender renders them, and not sent."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from email.message import EmailMessage
from types import MappingProxyType
from typing import Any, assert_never

import asyncpg
import msgspec

from agents.channels import channels_of, shared_accounts
from channels.accounts import AccountBook, HeldAccount, Place
from channels.attachments import AnyFile
from channels.email.channel import EmailRequest
from channels.email.mime import dated
from channels.http.api import HttpRequest
from channels.registry import CHANNEL_TYPES
from channels.sms.request import SmsRequest
from channels.tracked import NO_TRACKED_LINKS, TrackedLinks
from console.control import distributions
from console.control.context import ProjectContext
from console.control.distribution_check import Known, check
from console.control.documents import Document
from console.control.explain import simulate
from console.control.preview.mailboxes import STAND_IN
from console.control.preview.trial import perhaps_problems
from deploy.settings.settings import Settings
from schemas.campaign import Campaign, Code, campaign_object, voucher_object
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.closed import UNKNOWN, ChannelName
from schemas.decision import Decision
from schemas.delivery import Delivery
from schemas.distribution import TRANSACTIONAL, Distribution
from schemas.errors import AccountHeld, RenderRefused, TemplateFailed, TidingsError
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS
from schemas.formats.blank import trimmed
from schemas.formats.days import zone_of
from schemas.formats.sms_text import parts_of
from schemas.record import JsonObject
from schemas.template import StoredTemplate, TemplateFile
from store.campaigns import Campaigns
from store.distributions import Control
from streams import selection
from streams.channels.payload import BROUGHT
from streams.digest import DIGEST, listed
from streams.match import Explained
from streams.values.wording import unknown


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as it would leave. `raw` is what is posted, or the whole mail; `failure` says what is in its way."""

    channel: ChannelName
    to: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = b""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Previewed:
    """A distribution's messages for one event, and why the rule as it stands would send none, where that is so."""

    distribution: Distribution
    event: str
    messages: tuple[Preview, ...]
    withheld: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A distribution to preview, with its templates by digest, and the campaign whose codes it publishes."""

    distribution: Distribution
    templates: Mapping[str, StoredTemplate]
    campaign: Campaign | None = None
    notes: tuple[str, ...] = ()
    """Reasons why `apply` would refuse it: e-mails that need what not every event or profile has."""
    attached: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The contents of files that its messages bring along, by digest, where it is not applied."""

    def in_arm(self, name: str) -> Candidate:
        """The same as everybody gets it while that arm is the winner. Raises TidingsError."""
        rule, arms = self.distribution, [one.id for one in self.distribution.arms]
        if name not in arms:
            raise TidingsError(f"{rule.id}: {unknown(name, arms, 'an arm')}")
        return replace(self, distribution=msgspec.structs.replace(rule, winner=name))


class _WithExamples(AccountBook):
    """Accounts of the settings, and an example in place of every other that a channel has one for."""

    def find(self, channel: ChannelName, project_id: str, name: str) -> Any | HeldAccount | None:
        found, example = super().find(channel, project_id, name), ACCOUNT_TYPES[channel].example
        if found is None and example is not None:
            return CHANNEL_TYPES[channel].account(name, example)
        return found


@dataclass(frozen=True, slots=True)
class Rendering:
    """The means of a sender. `signed` are the names of headers that each attempt adds: they carry its time."""

    channels: Mapping[ChannelName, Any]
    signed: tuple[str, ...]
    zone: tzinfo

    @classmethod
    def of(
        cls,
        settings: Settings,
        own: Mapping[Place, Any] = MappingProxyType({}),
        tracked: TrackedLinks = NO_TRACKED_LINKS,
    ) -> Rendering:
        """The means that a sender has. `own` are accounts that projects have themselves."""
        webhook = settings.webhook
        signature = ("webhook-signature",) if webhook.secrets else ()
        legacy = ("x-voucherify-signature",) if webhook.legacy_secret.reveal() else ()
        book = _WithExamples(shared_accounts(settings))
        book.replace(own)
        channels = channels_of(settings, book, tracked=tracked)
        return cls(channels, ("webhook-id", "webhook-timestamp", *signature, *legacy), settings.zone)


def from_documents(
    documents: Sequence[Document], project: ProjectContext, known: Known, now: datetime
) -> list[Candidate]:
    """The distributions of some documents, checked. Raises DefinitionInvalid."""
    return [
        Candidate(
            made.distribution,
            {template.ref.digest: template for _, template in made.templates},
            _published(made.distribution, known.offers(document).campaigns),
            tuple(str(document.located(made.located(one))) for one in perhaps_problems(made)),
            made.attached,
        )
        for document, made in check(documents, project, known, now)
    ]


async def from_store(pool: asyncpg.Pool, project_id: str, identity: str) -> Candidate:
    """A distribution that is applied. Raises NotFound, TryLater."""
    control = Control(pool)
    rule = await distributions.find(pool, project_id, identity)
    digests = [plan.template.digest for _, plan in rule.plans() if plan.template]
    found = {digest: await control.template(digest) for digest in digests}
    campaign = _published(rule, await Campaigns(pool).current(project_id))
    return Candidate(rule, {digest: template for digest, template in found.items() if template}, campaign)


def _published(rule: Distribution, campaigns: Mapping[str, Campaign]) -> Campaign | None:
    return campaigns.get(rule.publish.campaign) if rule.publish else None


def sample_event(distribution: Distribution, project_id: str, profile: JsonObject | None = None) -> JsonObject:
    """The sample of its trigger's type, about what the distribution names and, where one is given, a customer."""
    trigger = TRIGGERS[distribution.trigger.event]
    sample = trigger.sample(project_id=project_id)
    named = {one.object: getattr(distribution.trigger, one.key) for one in trigger.selectors}
    if trigger.addressed:
        named = {"distribution": distribution.id}
    for name, identity in named.items():
        if identity is not None:
            sample["data"][name] = {**sample["data"][name], "id": identity}
    if profile is not None:
        sample["data"]["customer"] = profile
    return sample


def preview(
    candidate: Candidate,
    event: JsonObject,
    profile: JsonObject | None,
    rendering: Rendering,
    now: datetime,
    channel: str | None = None,
) -> Previewed:
    """Render each channel's message, or those of one channel, whether or not they would be sent.

    Raises InvalidEvent, and TidingsError for an event that the distribution does not ask for.
    """
    rule, zone = candidate.distribution, rendering.zone
    one = unguarded(candidate, event, profile, zone, now)
    skipped = [decision for decision in one.decisions if decision.outcome == "skipped"]
    made = [rendered(rendering, as_decided(delivery, rule), candidate.templates, now) for delivery in one.deliveries]
    unreached = [
        Preview(decision.channel, "", failure=_why(decision))
        for decision in skipped
        if decision.channel is not None and decision.channel != UNKNOWN
    ]
    messages = tuple(message for message in (*made, *unreached) if channel in (None, message.channel))
    withheld, waits = _as_it_stands(rule, event, profile, now, zone)
    refused = tuple(f"apply would refuse {note}" for note in candidate.notes)
    return Previewed(
        rule,
        str(event.get("id")),
        messages,
        withheld,
        (*refused, *waits, *_arm_of(one), *_unknown_zones(one.deliveries)),
    )


def unguarded(
    candidate: Candidate, event: JsonObject, profile: JsonObject | None, zone: tzinfo, now: datetime
) -> Explained:
    """The decision about an event without what could hold its messages back. Raises InvalidEvent, TidingsError."""
    rule = candidate.distribution
    outcomes = simulate(_with_brought(event, candidate, now), [_unguarded(rule)], profile, now, zone).outcomes
    if not outcomes:
        reacts = f"{rule.id} reacts to {rule.trigger.event} in project {rule.project_id}"
        raise TidingsError(f"{reacts}; the event is {event.get('type')} in project {event.get('project_id')}")
    (one,) = outcomes
    if not one.selected:
        raise TidingsError(f"{rule.id} selects {selection.in_words(rule.trigger)}; the event is about another")
    for decision in one.decisions:
        if decision.outcome == "skipped" and decision.channel is None:
            raise TidingsError(_why(decision))
    return one


def _arm_of(one: Explained) -> Iterator[str]:
    """A note of the arm that is shown, where there are others."""
    arms = one.distribution.arms
    shown = next((decision.arm for decision in one.decisions), None)
    if arms:
        others = ", ".join(f"--arm {arm.id}" for arm in arms if arm.id != shown)
        yield f"this is {f'arm {shown}' if shown else 'the plain one'}; others are shown with {others}"


def _unknown_zones(deliveries: Iterable[Delivery]) -> Iterator[str]:
    """A note for each timezone of a customer that is passed over."""
    for name in dict.fromkeys(delivery.customer.timezone for delivery in deliveries if delivery.customer.timezone):
        try:
            zone_of(trimmed(name))
        except ValueError as error:
            yield f"customer.timezone: {error} Times are shown in the project's"


def _unguarded(rule: Distribution) -> Distribution:
    """The same rule without what could hold its messages back."""
    timing = ("starts_at", "ends_at", "delay", "digest", "window")
    without: dict[str, Any] = dict.fromkeys(("when", "publish", "promote", *timing))
    arms = [msgspec.structs.replace(arm, delay=None) for arm in rule.arms]
    return msgspec.structs.replace(rule, status="LIVE", consent=TRANSACTIONAL, holdout=0, arms=arms, **without)


def _with_brought(event: JsonObject, candidate: Candidate, now: datetime) -> JsonObject:
    """The event with what the rule's action brings: a promotion as it is, of a code that is not drawn an example.

    A digest shows it twice.
    """
    rule, data = candidate.distribution, event.get("data")
    brought: JsonObject = {}
    if rule.promote:
        brought = {"campaign": rule.promote.campaign, "promotion_tier": rule.promote.promotion_tier}
    elif rule.publish:
        brought = {name: OBJECTS[name] for name in BROUGHT["publish"]}
        brought["campaign"] = {**brought["campaign"], "id": rule.publish.campaign}
        brought |= _of_campaign(candidate.campaign, data, now) if candidate.campaign else {}
    if rule.digest and isinstance(data, dict):
        brought[DIGEST] = listed([data, data], 2)
    return {**event, "data": {**data, **brought}} if isinstance(data, dict) and brought else event


def _of_campaign(campaign: Campaign, data: object, now: datetime) -> JsonObject:
    """The objects published of a campaign, worth what it says; only the code is an example."""
    customer = data.get("customer") if isinstance(data, dict) else None
    holder = str(customer.get("id")) if isinstance(customer, dict) else ""
    example: Any = OBJECTS["voucher"]
    code = Code(code=example["code"], created_at=now)
    return {"campaign": campaign_object(campaign), "voucher": voucher_object(campaign, code, holder, now)}


def _as_it_stands(
    rule: Distribution, event: JsonObject, profile: JsonObject | None, now: datetime, zone: tzinfo
) -> tuple[str | None, Iterator[str]]:
    """The reason why the rule as it stands would not send (the first test that fails, or the decision's), and notes.

    One that waits first sends later, unless something is against it then.
    """
    (one,) = simulate(event, [rule], profile, now, zone).outcomes
    if one.answer is False:
        failed = next((check for check in one.checks if check.passed is False), None)
        said = f"{failed.test} fails, it is {failed.seen or 'absent'}" if failed else "the guard does not hold"
        return said, iter(())
    waits = (f"waits until {decision.until}: {decision.detail}" for decision in one.decisions if decision.until)
    of_all = (one for one in one.decisions if one.channel is None and one.outcome != "deferred")
    return next(map(_why, of_all), None), waits


def _why(decision: Decision) -> str:
    return f"{decision.reason}: {decision.detail}" if decision.detail else str(decision.reason)


def as_decided(delivery: Delivery, distribution: Distribution) -> Delivery:
    """A delivery of `unguarded` in the category that its distribution has."""
    return msgspec.structs.replace(delivery, category=distribution.consent)


def rendered(
    rendering: Rendering, delivery: Delivery, templates: Mapping[str, StoredTemplate], now: datetime
) -> Preview:
    """One message as the sender renders it, or the reason why it cannot."""
    channel = delivery.channel
    template = templates.get(delivery.template.digest) if delivery.template else None
    try:
        request: HttpRequest | EmailRequest = rendering.channels[channel].render(delivery, template)
    except (TemplateFailed, RenderRefused, AccountHeld) as error:
        return Preview(channel, delivery.account, failure=str(error))
    match request:
        case SmsRequest():
            return _texted(request)
        case HttpRequest():
            return _posted(channel, request, rendering)
        case EmailRequest():
            return _mailed(request, now)
        case _:
            assert_never(request)


def _texted(request: SmsRequest) -> Preview:
    parts = parts_of(request.text)
    return Preview("sms", request.to, {"text": request.text, "parts": parts.count, "said": parts.said}, request.body)


def _posted(channel: ChannelName, request: HttpRequest, rendering: Rendering) -> Preview:
    headers = {**request.headers, **rendering.channels[channel].own_headers}
    signed = rendering.signed if channel == "webhook" else ()
    facts = {"method": request.method, "headers": headers, "signed": signed, "body": _shown_body(request.body)}
    return Preview(channel, request.url, facts, request.body)


def _shown_body(body: bytes) -> object:
    """JSON as it is; of a form its text."""
    try:
        msgspec.json.decode(body)
    except ValueError:
        return body.decode(errors="replace")
    return msgspec.Raw(body)


def _attachment(file: AnyFile) -> dict[str, Any]:
    if isinstance(file, TemplateFile):
        return {"name": file.name, "type": file.content_type, "bytes": file.size}
    return {"name": file.name, "url": file.url}


def _mailed(request: EmailRequest, now: datetime) -> Preview:
    message = email.message_from_bytes(request.message, _class=EmailMessage, policy=email.policy.default)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    answers = {"reply_to": str(message["Reply-To"])} if message["Reply-To"] else {}
    sender = {} if request.account == STAND_IN else {"from": str(message["From"])}
    facts: dict[str, Any] = {**sender, **answers, "subject": str(message["Subject"])} | {
        name: part.get_content().replace("\r\n", "\n")
        for name, part in (("text", parts["plain"]), ("html", parts["html"]))
        if part
    }
    if request.files:  # which a preview does not fetch
        facts["attachments"] = [_attachment(file) for file in request.files]
    return Preview("email", request.recipient, facts, dated(request.message, now))
