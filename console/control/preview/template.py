"""A template as one customer would get it, rendered as the sender does it, and not sent."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg

from channels.accounts import fixed_accounts
from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.templates.bundle import bundled
from channels.templates.engine import Templates
from channels.unsubscribe import UnsubscribeLinks
from console.control import templates
from console.control.designs import default_templates
from console.control.explain import simulate
from console.control.not_found import not_found
from console.control.template_source import TemplateSource, stored_subject, usable
from schemas.channels.email import EmailAddress, EmailDelivery, EmailPlan
from schemas.delivery import DistributionRef, EventRef, Recipient
from schemas.distribution import Distribution
from schemas.errors import PartWrong, Problem, TemplateFailed, TidingsError
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from store.distributions import Control
from store.templates import NamedTemplates
from streams.channels.template_files import TemplateFiles

NO_SUBJECT = "(no distribution beside it names this template)"

_ACCOUNT = EmailAccount(
    name="preview",
    host="localhost",
    port=25,
    security="none",
    sender="preview@example.com",
    unsubscribe_url="https://example.com/unsubscribe/{delivery_id}",
)
_PAGES = UnsubscribeLinks("https://example.com", ("preview",))


@dataclass(frozen=True, slots=True)
class Source:
    """A complete template, and the distribution's consent: it decides about the unsubscribe link.

    `locale` is that of the file that was named, where it is one of a locale; `files` are where it is written, if it is
    not stored. `is_stored`: under its name, so that the brand of now is in it.
    """

    template: StoredTemplate
    consent: str
    locale: str | None = None
    files: TemplateFiles | None = None
    is_stored: bool = False

    def place_of(self, part: str, line: int | None, variant: str, beside: str) -> str:
        """File and line of a part, for a message; empty for a stored template."""
        if self.files is None:
            return ""
        found = self.files.located(Problem(part, "", line, variant, beside))
        return f"{found.file}:{found.line or 1}: " if found.file else ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The mail that the customer would see. `locale` is the template's own that was taken; empty is the default."""

    subject: str
    locale: str
    text: str
    html: str | None
    raw: bytes = b""
    """The whole mail."""


def from_source(
    source: TemplateSource, brand: Mapping[str, str], *, subject: str | None, consent: str, tag: str = ""
) -> Source:
    """A template as written; `tag` is the locale that was named, empty for none. Raises TidingsError."""
    files = usable(source)
    if files.wrong:
        raise TidingsError(files.wrong)
    template = files.template(source.name, subject or files.subject or NO_SUBJECT)
    found = Source(template, consent, tag or None, files)
    try:
        return replace(found, template=bundled(template, brand))
    except PartWrong as error:
        raise TidingsError(found.place_of(error.part, error.line, error.variant, error.file) + str(error)) from error


async def from_store(
    pool: asyncpg.Pool, project_id: str, name: str, brand: Mapping[str, str], version: int | None = None
) -> Source:
    """A version of a template that is stored under its name, or the newest; else one that a distribution brought along.

    Subject and consent are those of the newest distribution that names it; a default that is nowhere is the product's.
    Raises NotFound, and TidingsError for an unknown version; TryLater.
    """
    plans = dict(_plans((await Control(pool).current(project_id)).values()))
    digest, consent = plans.get(name, ("", "marketing"))
    if version is None and await NamedTemplates(pool).find(project_id, name) is None:
        shipped = default_templates(brand.get("locale"))
        if name in shipped and name not in plans:
            return Source(bundled(shipped[name].template(name, None), brand), consent, is_stored=True)
        return await _brought_along(pool, project_id, name, plans)
    kept = await templates.find(pool, project_id, name, version)
    sent = await Control(pool).template(digest) if digest else None
    subject = sent.subject if sent else stored_subject(kept.template.files)
    whole = kept.template.with_subject(subject or NO_SUBJECT)
    return Source(bundled(whole, brand), consent, is_stored=True)


async def _brought_along(
    pool: asyncpg.Pool, project_id: str, name: str, plans: Mapping[str, tuple[str, str]]
) -> Source:
    """A template that was applied with its newest distribution, complete with the brand of then."""
    if name not in plans:
        raise not_found("template", name, {*plans, *await NamedTemplates(pool).current(project_id)})
    digest, consent = plans[name]
    template = await Control(pool).template(digest)
    if template is None:
        raise TidingsError(f"template {name} ({digest[:8]}) is missing in the database")
    return Source(template, consent)


def preview(source: Source, event: Any, locale: str | None, now: datetime) -> Preview:
    """Fill in an event's objects. Raises TemplateFailed, InvalidEvent."""
    delivery = _delivery(source, event, locale, now)
    template = source.template
    chosen = template.variant(delivery.customer.locale)
    try:
        accounts = fixed_accounts("email", {_ACCOUNT.name: _ACCOUNT})
        request = Email(accounts, Templates(), unsubscribe=_PAGES).render(delivery, template)
    except TemplateFailed as error:
        place = source.place_of(error.part, error.line, chosen, error.file)
        raise TemplateFailed(f"{place}{error}", error.part, error.line, error.file) from error
    message = email.message_from_bytes(request.message, policy=email.policy.default)
    ends = {part.get_content_type(): part for part in message.walk() if part.get_content_maintype() == "text"}
    parts = {kind: part.get_content().replace("\r\n", "\n").strip("\n") + "\n" for kind, part in ends.items()}
    return Preview(
        str(message["Subject"]), chosen, parts.get("text/plain", ""), parts.get("text/html"), request.message
    )


def _delivery(source: Source, event: Any, locale: str | None, now: datetime) -> EmailDelivery:
    if not isinstance(event, dict):
        raise TidingsError("the event is a JSON object with id, project_id, type, created_at and data")
    head = simulate(event, [], None, now).event
    profile: JsonObject = event["data"]["customer"]
    return EmailDelivery(
        delivery_id="preview",
        project_id=head.project_id,
        distribution=DistributionRef(id="preview", version=1, name="Preview"),
        event=EventRef(id=head.id, type=head.type, created_at=head.created_at),
        customer=Recipient(
            id=head.customer_id,
            locale=locale or source.locale or profile.get("locale"),
            timezone=profile.get("timezone"),
        ),
        account=_ACCOUNT.name,
        priority=0,
        category=source.consent,
        data=event["data"],
        email=EmailAddress(to="customer@example.com", template=source.template.ref),
    )


def _plans(distributions: Iterable[Distribution]) -> Iterator[tuple[str, tuple[str, str]]]:
    for one in sorted(distributions, key=lambda rule: rule.updated_at):
        for _, plan in one.plans():
            if isinstance(plan, EmailPlan):
                yield plan.template.name, (plan.template.digest, one.consent)
