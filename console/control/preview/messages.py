"""What a distribution would send, word for word: each message for one event, rendered as the sender renders it."""

from __future__ import annotations

import email
import email.policy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from email.message import EmailMessage
from pathlib import Path
from typing import Any, assert_never

import msgspec
from rich.markup import escape

from agents.roles.sender.channels import channels_of
from agents.wiring import Wiring
from channels.email.channel import EmailRequest
from channels.email.mime import dated
from channels.http.api import HttpRequest
from channels.webhook.channel import OWN_HEADERS
from console.cli.context import database
from console.cli.terminal import say
from console.control import explain
from console.control.distributions import check_files
from console.control.files.campaigns import CampaignFiles
from console.control.preview.trial import perhaps_problems
from schemas.campaign import Campaign, Code, campaign_object, voucher_object
from schemas.closed import UNKNOWN, ChannelName
from schemas.decision import Decision
from schemas.delivery import Delivery
from schemas.distribution import TRANSACTIONAL, Distribution
from schemas.errors import RenderRefused, TemplateFailed, TidingsError
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS
from schemas.formats.blank import trimmed
from schemas.formats.days import zone_of
from schemas.names import did_you_mean
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from store.campaigns import Campaigns
from store.distributions import Control
from streams import selection
from streams.channels.payload import BROUGHT
from streams.channels.template_files import TemplateFiles


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as it would leave. `raw` is what is posted, or the whole mail; `failure` says why there is none."""

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
    """What `apply` would refuse: e-mails that need what not every event or profile has."""


def from_files(
    files: list[Path], wiring: Wiring, campaigns: CampaignFiles, templates: Mapping[str, TemplateFiles]
) -> list[Candidate]:
    """The distributions of some files, checked; they may name `campaigns` and `templates`. Raises DefinitionInvalid."""
    return [
        Candidate(
            made.distribution,
            {template.ref.digest: template for _, template in made.templates},
            _published(made.distribution, campaigns.of(document).campaigns),
            tuple(str(document.located(made.located(one))) for one in perhaps_problems(made)),
        )
        for document, made in check_files(files, wiring, {}, campaigns, templates)
    ]


async def from_store(identity: str, wiring: Wiring) -> Candidate:
    """A distribution that is applied. Raises TidingsError where there is none."""
    async with database(wiring) as pool:
        control = Control(pool)
        current = await control.current(wiring.project)
        if identity not in current:
            hint = did_you_mean(identity, current)
            raise TidingsError(f"there is no file and no distribution {identity}.{hint} tidings distributions list")
        rule = current[identity]
        digests = [plan.template.digest for plan in rule.channels if plan.template]
        found = {digest: await control.template(digest) for digest in digests}
        campaign = _published(rule, await Campaigns(pool).current(wiring.project))
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
    wiring: Wiring,
    now: datetime,
    channel: str | None = None,
) -> Previewed:
    """Render each channel's message, or those of one channel, whether or not they would be sent.

    Raises InvalidEvent, and TidingsError for an event that is none of the distribution's.
    """
    rule = candidate.distribution
    zone, brought = wiring.settings.zone, _with_brought(event, candidate, now)
    _, explained = explain.simulate(brought, [_unguarded(rule)], profile, now, zone)
    if not explained:
        said = f"{rule.id} reacts to {rule.trigger.event} in project {rule.project_id}"
        raise TidingsError(f"{said}; the event is {event.get('type')} in project {event.get('project_id')}")
    (one,) = explained
    if not one.selected:
        raise TidingsError(f"{rule.id} selects {selection.said(rule.trigger)}; the event is about another")
    skipped = [decision for decision in one.decisions if decision.outcome == "skipped"]
    for decision in skipped:
        if decision.channel is None:
            raise TidingsError(_why(decision))
    channels, signed = channels_of(wiring.settings), _signed_headers(wiring)
    made = [
        _rendered(channels, _as_decided(delivery, rule), candidate.templates, signed, now)
        for delivery in one.deliveries
    ]
    unreached = [
        Preview(decision.channel, "", failure=_why(decision))
        for decision in skipped
        if decision.channel is not None and decision.channel != UNKNOWN
    ]
    messages = tuple(message for message in (*made, *unreached) if channel in (None, message.channel))
    withheld = _withheld(rule, event, profile, now, zone)
    refused = tuple(f"apply would refuse {note}" for note in candidate.notes)
    return Previewed(rule, str(event.get("id")), messages, withheld, (*refused, *_unknown_zones(one.deliveries)))


def _unknown_zones(deliveries: Iterable[Delivery]) -> Iterator[str]:
    """What is said where a customer's timezone is passed over."""
    for name in dict.fromkeys(delivery.customer.timezone for delivery in deliveries if delivery.customer.timezone):
        try:
            zone_of(trimmed(name))
        except ValueError as error:
            yield f"customer.timezone: {error} Times are shown in the project's"


def _signed_headers(wiring: Wiring) -> tuple[str, ...]:
    """The names of what each attempt adds: they carry its time, so there is no value to show."""
    secrets = wiring.settings.webhook
    own = ("webhook-signature",) if secrets.secrets else ()
    legacy = ("x-voucherify-signature",) if secrets.legacy_secret.reveal() else ()
    return ("webhook-id", "webhook-timestamp", *own, *legacy)


def _unguarded(rule: Distribution) -> Distribution:
    """The same rule without what could hold its messages back."""
    without: dict[str, Any] = dict.fromkeys(("when", "starts_at", "ends_at", "publish", "promote"))
    return msgspec.structs.replace(rule, status="LIVE", consent=TRANSACTIONAL, **without)


def _with_brought(event: JsonObject, candidate: Candidate, now: datetime) -> JsonObject:
    """The event with what the rule's action brings: a promotion as it is, of a code that is not drawn an example."""
    rule, data = candidate.distribution, event.get("data")
    brought: JsonObject = {}
    if rule.promote:
        brought = {"campaign": rule.promote.campaign, "promotion_tier": rule.promote.promotion_tier}
    elif rule.publish:
        brought = {name: OBJECTS[name] for name in BROUGHT["publish"]}
        brought["campaign"] = {**brought["campaign"], "id": rule.publish.campaign}
        brought |= _of_campaign(candidate.campaign, data, now) if candidate.campaign else {}
    return {**event, "data": {**data, **brought}} if isinstance(data, dict) and brought else event


def _of_campaign(campaign: Campaign, data: object, now: datetime) -> JsonObject:
    """What is published of a campaign, worth what it says; only the code is an example."""
    customer = data.get("customer") if isinstance(data, dict) else None
    holder = str(customer.get("id")) if isinstance(customer, dict) else ""
    example: Any = OBJECTS["voucher"]
    code = Code(code=example["code"], created_at=now)
    return {"campaign": campaign_object(campaign), "voucher": voucher_object(campaign, code, holder, now)}


def _withheld(
    rule: Distribution, event: JsonObject, profile: JsonObject | None, now: datetime, zone: tzinfo
) -> str | None:
    """Why the rule as it stands would not send: the first test of its guard that fails, or the reason."""
    _, (one,) = explain.simulate(event, [rule], profile, now, zone)
    if one.answer is False:
        failed = next((check for check in one.checks if check.passed is False), None)
        return f"{failed.test} fails, it is {failed.seen or 'absent'}" if failed else "the guard does not hold"
    return next((_why(decision) for decision in one.decisions if decision.channel is None), None)


def _why(decision: Decision) -> str:
    return f"{decision.reason}: {decision.detail}" if decision.detail else str(decision.reason)


def _as_decided(delivery: Delivery, distribution: Distribution) -> Delivery:
    return msgspec.structs.replace(delivery, category=distribution.consent)


def _rendered(
    channels: Mapping[ChannelName, Any],
    delivery: Delivery,
    templates: Mapping[str, StoredTemplate],
    signed: tuple[str, ...],
    now: datetime,
) -> Preview:
    channel = delivery.channel
    template = templates.get(delivery.template.digest) if delivery.template else None
    try:
        request: HttpRequest | EmailRequest = channels[channel].render(delivery, template)
    except (TemplateFailed, RenderRefused) as error:
        return Preview(channel, delivery.account, failure=str(error))
    match request:
        case HttpRequest():
            return _posted(request, signed)
        case EmailRequest():
            return _mailed(request, now)
        case _:
            assert_never(request)


def _posted(request: HttpRequest, signed: tuple[str, ...]) -> Preview:
    headers = {**request.headers, **OWN_HEADERS}
    facts = {"headers": headers, "signed": signed, "body": msgspec.Raw(request.body)}
    return Preview("webhook", request.url, facts, request.body)


def _mailed(request: EmailRequest, now: datetime) -> Preview:
    message = email.message_from_bytes(request.message, _class=EmailMessage, policy=email.policy.default)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    facts = {"from": str(message["From"]), "subject": str(message["Subject"])} | {
        name: part.get_content() for name, part in (("text", parts["plain"]), ("html", parts["html"])) if part
    }
    return Preview("email", request.recipient, facts, dated(request.message, now))


# -- how it is shown ----------------------------------------------------------------------------------------------


def show(found: Previewed) -> None:
    """For people."""
    rule = found.distribution
    say(f"[bold]{escape(rule.id)}[/bold]  {rule.trigger.event}  event {escape(found.event)}")
    if found.withheld:
        say(f"[yellow]![/yellow] as it stands, this event sends nothing: {escape(found.withheld)}")
    for note in found.notes:
        say(f"[yellow]![/yellow] {escape(note)}")
    if rule.publish:
        say("[dim]code and publication are examples: a code is drawn only when one is sent[/dim]")
    for message in found.messages:
        _show_message(message)


def as_json(found: Previewed) -> JsonObject:
    """For programs."""
    messages = [
        {"channel": one.channel, "to": one.to, **one.facts, **({"failure": one.failure} if one.failure else {})}
        for one in found.messages
    ]
    return {
        "distribution": found.distribution.id,
        "event": found.event,
        "withheld": found.withheld,
        "messages": messages,
        **({"notes": list(found.notes)} if found.notes else {}),
    }


def show_raw(messages: Sequence[Preview]) -> None:
    """The bytes alone, of one message; of several each with a line end after it."""
    sys.stdout.flush()
    for message in messages:
        sys.stdout.buffer.write(message.raw + (b"\n" if len(messages) > 1 else b""))
    sys.stdout.buffer.flush()


def _show_message(message: Preview) -> None:
    say(f"\n[bold]{message.channel}[/bold]  {escape(message.to)}")
    if message.failure is not None:
        say(f"  [red]✗[/red] {escape(message.failure)}")
    elif message.channel == "webhook":
        for name, value in message.facts["headers"].items():
            say(f"  {escape(name)}: {escape(value)}")
        say(f"  [dim]and at each attempt {', '.join(message.facts['signed'])}[/dim]")
        _write(msgspec.json.format(message.raw, indent=2).decode())
    else:
        say(f"  From: {escape(message.facts['from'])}\n  Subject: {escape(message.facts['subject'])}\n")
        _write(message.facts.get("text", ""))
        if "html" in message.facts:
            say(f"  [dim]and {len(message.facts['html'])} characters of HTML; --raw shows the whole mail[/dim]")


def _write(text: str) -> None:
    """As it is: no markup, no wrapping."""
    sys.stdout.write(text.rstrip("\n") + "\n")
