"""A distribution in plain sentences: when it sends what to whom, and what holds it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from urllib.parse import urlsplit

from console.web.words import exact
from schemas.channels.tables import ChannelPlan
from schemas.distribution import TRANSACTIONAL, Cap, Delay, Digest, Distribution, TriggerRef
from schemas.events.triggers import TRIGGERS
from schemas.formats.durations import format_duration
from schemas.window import Window

_SENT: Mapping[str, str] = {"email": "an e-mail", "sms": "a text message", "webhook": "a webhook"}
_HUNDREDTHS = 100
_FAMILIES: Mapping[str, str] = {
    "events.segments": "Segments", "events.orders": "Orders", "events.custom": "Custom events",
    "events.redemptions": "Redemptions", "events.points": "Points and credits", "events.rewards": "Rewards",
    "events.publications": "Publications", "events.tiers": "Loyalty tiers", "events.referrals": "Referrals",
}  # fmt: skip


def trigger_words(trigger: TriggerRef) -> str:
    """The events that start it, as people write them: a type, and what they have to be about."""
    return f"{trigger.event}{_about(trigger)}"


def event_words(event: str) -> str:
    """An event type as the form offers it: `Orders: order paid`; as it is written, where it is not offered there."""
    trigger = TRIGGERS.get(event)
    if trigger is None or trigger.addressed:
        return event
    words = event.removeprefix("customer.").replace("_", " ").replace(".", " ")
    return f"{_FAMILIES[trigger.topic]}: {words}"


def _happens(trigger: TriggerRef) -> str:
    """The beginning of a sentence about what starts it."""
    if TRIGGERS[trigger.event].addressed:
        return "somebody sends it"
    return f"“{event_words(trigger.event)}”{_about(trigger)} happens"


def _about(trigger: TriggerRef) -> str:
    about = [one for one in (trigger.segment, trigger.campaign, trigger.event_schema, trigger.tier) if one]
    return f" ({', '.join(about)})" if about else ""


def sentences(rule: Distribution, zone: tzinfo) -> list[str]:
    """Everything that decides about its messages, but for the conditions, which its YAML has."""
    return [*_what(rule), _to_whom(rule), _how_often(rule), *_when(rule, zone), *_tried_out(rule)]


def _what(rule: Distribution) -> Iterator[str]:
    conditions = ", and its conditions hold" if rule.when else ""
    gives = ""
    if rule.publish:
        gives = f"a code of the campaign {rule.publish.campaign}, in "
    elif rule.promote:
        gives = "a promotion tier, told by "
    plans = _joined([_sent(plan) for plan in rule.channels])
    yield f"When {_happens(rule.trigger)}{conditions}, its customer gets {gives}{plans}."
    if rule.sends_once and len(rule.channels) > 1:
        yield "Only the first of these channels that can be used sends."
    if rule.fallback_after:
        span = format_duration(rule.fallback_after.seconds)
        yield f"The next channel sends as well, where the message is not {rule.fallback_after.unless} within {span}."
    if rule.unless:
        trigger = rule.unless.trigger
        yield f"While it waits, “{event_words(trigger.event)}”{_about(trigger)} of the same customer ends it."


def _sent(plan: ChannelPlan) -> str:
    said = _SENT.get(plan.channel, f"a message through {plan.channel}")
    if plan.template:
        said += f" made of {plan.template.name}"
    if url := getattr(plan, "url", None):
        return f"{said} at {urlsplit(url).hostname or 'its address'}"
    account = getattr(plan, "account", None)
    return f"{said} through the account {account}" if account else said


def _to_whom(rule: Distribution) -> str:
    if rule.consent == TRANSACTIONAL:
        return "It is transactional: it needs no consent."
    return f"It is for those who have given the consent {rule.consent}."


def _how_often(rule: Distribution) -> str:
    again = rule.again
    match again.mode:
        case "every_event":
            return "A customer gets it for every event."
        case "once_per_customer":
            return "A customer gets it once."
        case "once_per":
            return f"A customer gets it once for each {again.path}."
        case "once_in":
            return f"A customer gets it once in {format_duration(again.seconds or 0)}."


def _when(rule: Distribution, zone: tzinfo) -> Iterator[str]:
    if rule.starts_at:
        yield f"It starts on {exact(rule.starts_at, zone)}."
    if rule.ends_at:
        yield f"It ends on {exact(rule.ends_at, zone)}."
    if rule.delay:
        yield f"It waits {_delay(rule.delay)}, and is judged again then."
    if rule.digest:
        yield f"Events are gathered into one message {_digest(rule.digest)}."
    if rule.window:
        yield _window(rule.window)
    yield from (_cap(one) for one in rule.caps)
    if rule.expires_after:
        yield f"What could not be sent within {format_duration(rule.expires_after)} is not sent any more."
    if rule.priority:
        yield f"Its priority is {rule.priority}; higher ones go first."


def _delay(delay: Delay) -> str:
    span = format_duration(delay.seconds) if delay.seconds else ""
    if delay.until:
        return f"until {f'{span} before ' if span else ''}{delay.until}"
    return f"{span} after the event"


def _digest(digest: Digest) -> str:
    by = f", each {digest.by} by itself" if digest.by else ""
    if digest.at:
        return f"at {digest.at}{_on(digest.days)}{by}"
    return f"for {format_duration(digest.seconds or 0)}{by}"


def _window(window: Window) -> str:
    outside = {"hold": "waits", "skip": "is not sent", "next_channel": "goes over the next channel"}
    hours = f"from {window.begins} to {window.ends}{_on(window.days)}, by the customer's clock"
    holidays = ", and not on public holidays" if window.closed_on_holidays else ""
    return f"It is sent {hours}{holidays}; at other times it {outside.get(window.outside, window.outside)}."


def _cap(cap: Cap) -> str:
    within = f"within {format_duration(cap.seconds or 0)}" if cap.within == "span" else f"a {cap.within}"
    of = f"of the {cap.scope} {cap.name}" if cap.name else f"of one {cap.scope}"
    by = ", as the project says" if cap.of_project else ""
    return f"A customer gets at most {cap.at_most} message{'' if cap.at_most == 1 else 's'} {of} {within}{by}."


def _on(days: Sequence[str]) -> str:
    return f" on {', '.join(days)}" if days else ""


def _tried_out(rule: Distribution) -> Iterator[str]:
    if rule.holdout:
        yield f"{_percent(rule.holdout)} of its customers get nothing, so that both can be compared."
    if rule.arms:
        arms = _joined([f"{arm.id} ({_percent(arm.share)})" for arm in rule.arms])
        yield f"Customers are shared out between the arms {arms}."
    if rule.winner:
        yield f"The arm {rule.winner} has won: everybody gets it."


def _percent(hundredths: int) -> str:
    return f"{hundredths / _HUNDREDTHS:g} %"


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
