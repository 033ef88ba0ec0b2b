"""Messages to the audience, rendered as a sender renders them: what cannot be written, is missing, or too large."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from email.message import EmailMessage
from typing import Any

import msgspec

from channels.unsubscribe import PREFERENCES_PATH
from console.control.preflight.audience import Audience
from console.control.preflight.finding import Finding, found
from console.control.preflight.links import counted, fault_of, links_of
from console.control.preview.messages import Candidate, Preview, Rendering, as_decided, rendered, unguarded
from console.control.preview.trial import used_names
from schemas.delivery import Delivery
from schemas.distribution import TRANSACTIONAL, Distribution
from schemas.errors import TidingsError
from schemas.formats.languages import taken
from schemas.formats.paths import path_text, read_path, value_at
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from schemas.tracking import agrees

CLIPPED_FROM = 102_000
"""Bytes of HTML from which on Gmail shows a part alone. It publishes no number: 102 KB is what many have measured."""
_NAMED = 3
_HEADER = "List-Unsubscribe"


@dataclass(frozen=True, slots=True)
class Written:
    """One message to one customer: the place of its plan, and what would leave."""

    event_id: str
    at: str
    delivery: Delivery = field(repr=False)
    shown: Preview = field(repr=False)


def write_all(
    candidate: Candidate, audience: Audience, rendering: Rendering, zone: tzinfo, now: datetime
) -> list[Written]:
    """Every message that anybody could get, over each channel that they can be reached on."""
    rule = candidate.distribution
    each = replace(candidate, distribution=msgspec.structs.replace(rule, order="all", fallback_after=None))
    made = []
    for one in audience.recording.events:
        row = audience.rows.get(one.head.customer_id)
        profile: JsonObject | None = None if row is None else msgspec.json.decode(row)
        try:
            deliveries = unguarded(each, one.record, profile, zone, now).deliveries
        except TidingsError:
            continue  # it is nobody's yet: the decision about it says why
        for delivery in deliveries:
            whole = as_decided(delivery, rule)
            shown = rendered(rendering, whole, candidate.templates, now)
            made.append(Written(one.head.id, _place_of(rule, delivery), whole, shown))
    return made


def findings(
    candidate: Candidate, written: Sequence[Written], audience: Audience, brand_locale: str
) -> Iterator[Finding]:
    """Everything that is wrong with them, plan by plan."""
    by_place: dict[str, list[Written]] = {}
    for one in written:
        by_place.setdefault(one.at, []).append(one)
    for at, of_plan in by_place.items():
        yield from _failed(at, of_plan)
        yield from _links(at, of_plan)
        if of_plan[0].delivery.channel == "email":
            yield from _leaving(at, of_plan, candidate.distribution)
    for at, plan in candidate.distribution.plans():
        template = candidate.templates.get(plan.template.digest) if plan.template else None
        if template is not None:
            yield from _locales(at, template, by_place.get(at, ()), brand_locale)
    if audience.is_known:
        yield from _missing(candidate, audience)


def clipped(written: Sequence[Written], rendering: Rendering, candidate: Candidate, now: datetime) -> Finding | None:
    """A finding where e-mails are clipped, as they leave. `rendering` tracks links, where that is wanted.

    Of those who agree to that the largest mail is written once more, and what its links add is added to all of theirs.
    """
    mails = [one for one in written if one.shown.facts.get("html")]
    most = max((one for one in mails if agrees(one.delivery.data)), key=_html_size, default=None)
    added = 0
    if most is not None:
        tracked = rendered(rendering, most.delivery, candidate.templates, now)
        added = len(str(tracked.facts.get("html", "")).encode()) - _html_size(most)
    sizes = [(_html_size(one) + (added if agrees(one.delivery.data) else 0), one.at) for one in mails]
    large = [(size, at) for size, at in sizes if size > CLIPPED_FROM]
    if not large:
        return None
    size, at = max(large)
    text = f"{len(large):,} of {len(mails):,} e-mails, the largest with {size:,} bytes of HTML"
    return found("mail_clipped", at, text, count=len(large), of=len(mails))


def _html_size(one: Written) -> int:
    return len(str(one.shown.facts.get("html", "")).encode())


def _place_of(rule: Distribution, delivery: Delivery) -> str:
    """The place of the plan that a delivery is of: of its channel, its template and its account."""
    digest = delivery.template.digest if delivery.template else None
    fitting = [
        (at, plan)
        for at, plan in rule.plans()
        if plan.channel == delivery.channel and (plan.template.digest if plan.template else None) == digest
    ]
    of_account = [at for at, plan in fitting if getattr(plan, "account", None) == delivery.account]
    return next(iter((*of_account, *(at for at, _ in fitting))), "channels")


def _failed(at: str, of_plan: Sequence[Written]) -> Iterator[Finding]:
    reasons = Counter(one.shown.failure for one in of_plan if one.shown.failure is not None)
    if reasons:
        named = "; ".join(f"{number:,}: {reason}" for reason, number in reasons.most_common(_NAMED))
        text = f"{reasons.total():,} of {len(of_plan):,} cannot be written: {named}"
        yield found("message_fails", at, text, count=reasons.total(), of=len(of_plan))


def _links(at: str, of_plan: Sequence[Written]) -> Iterator[Finding]:
    """A finding for each link that leads nowhere, and of how many messages it is one."""
    texts = [one.shown.facts for one in of_plan if one.shown.failure is None]
    found_links = counted(links_of(facts.get("html"), facts.get("text")) for facts in texts)
    faults: Counter[tuple[Any, str]] = Counter()
    for link, number in found_links.items():
        fault = fault_of(link)
        if fault is not None:
            faults[fault] = max(faults[fault], number)
    for (kind, said), number in faults.items():
        yield found(kind, at, f"in {number:,} of {len(texts):,} messages: {said}", count=number, of=len(texts))


def _leaving(at: str, of_plan: Sequence[Written], rule: Distribution) -> Iterator[Finding]:
    """Findings where a customer cannot leave, or does not see how."""
    mails = [one for one in of_plan if one.shown.failure is None]
    if rule.consent == TRANSACTIONAL or not mails:
        return
    ways = [_ways(one.shown) for one in mails]
    without, hidden = ways.count("none"), ways.count("header")
    if without:
        text = f"{without:,} of {len(mails):,} e-mails have neither a link nor a mailbox to leave by"
        yield found("unsubscribe_missing", at, text, count=without, of=len(mails))
    if hidden:
        text = f"{hidden:,} of {len(mails):,} e-mails show no link to leave by in what is read"
        yield found("unsubscribe_hidden", at, text, count=hidden, of=len(mails))


def _ways(shown: Preview) -> str:
    """The place where one finds how to leave: none, the header alone, or the message."""
    head = email.message_from_bytes(shown.raw, _class=EmailMessage, policy=email.policy.default)
    header = str(head[_HEADER] or "")
    if not header:
        return "none"
    links = [part.strip(" <>\r\n\t") for part in header.split(",")]
    visible = links_of(shown.facts.get("html"), shown.facts.get("text"))
    is_there = any(link in visible for link in links) or any(PREFERENCES_PATH in link for link in visible)
    return "message" if is_there else "header"


def _locales(at: str, template: StoredTemplate, of_plan: Sequence[Written], brand_locale: str) -> Iterator[Finding]:
    """Locales without a part, and languages of customers that are not among them."""
    for tag, local in template.locales.items():
        lacks = [part for part in ("subject", "text", "html") if getattr(template, part) and not getattr(local, part)]
        if lacks:
            yield found("locale_incomplete", at, f"{template.name} in {tag} has no {' and no '.join(lacks)} of its own")
    if not template.locales:
        return
    locales = Counter(
        locale
        for one in of_plan
        if (locale := one.delivery.customer.locale)
        and not template.variant(locale)
        and not (brand_locale and taken([brand_locale.lower()], locale))
    )
    if locales:
        named = ", ".join(f"{locale} ({number:,})" for locale, number in locales.most_common(_NAMED))
        text = f"{locales.total():,} of {len(of_plan):,} get the default text; there is none in {named}"
        yield found("locale_missing", at, text, count=locales.total(), of=len(of_plan))


def _missing(candidate: Candidate, audience: Audience) -> Iterator[Finding]:
    """A finding for each value of events and profiles that templates show and some lack."""
    facts = [one.context(audience.rows.get(one.head.customer_id)).facts for one in audience.recording.events]
    for name in candidate.distribution.template_fields:
        path = read_path(name)
        number = sum(value_at(path, one) is None for one in facts)
        if number:
            at = _shows(candidate, path_text(path))
            text = f"{name} is missing for {number:,} of {len(facts):,}"
            yield found("value_missing", at, text, count=number, of=len(facts))


def _shows(candidate: Candidate, name: str) -> str:
    """The place of the first plan whose template shows a value."""
    for at, plan in candidate.distribution.plans():
        template = candidate.templates.get(plan.template.digest) if plan.template else None
        if template is not None and any(name in used_names(template.in_locale(tag)) for tag in ("", *template.locales)):
            return at
    return "channels"


Texts = Mapping[str, Sequence[Written]]
"""Text messages by the place of their plan."""


def texts_of(written: Iterable[Written]) -> Texts:
    """The text messages that can be written."""
    found_texts: dict[str, list[Written]] = {}
    for one in written:
        if one.delivery.channel == "sms" and one.shown.failure is None:
            found_texts.setdefault(one.at, []).append(one)
    return found_texts
