"""A template as one customer would get it, rendered as the sender does it and not sent."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.templates.bundle import bundled
from channels.templates.engine import Templates
from console.control import stored_templates
from console.control.distributions import brand_texts
from console.control.explain import simulate
from console.control.files.documents import Document, read_documents
from console.control.files.templates import named_file, read_templates
from deploy.settings.messages import Brand
from schemas.channels.email import EmailAddress, EmailDelivery, EmailPlan
from schemas.delivery import DistributionRef, EventRef, Recipient
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, PartWrong, Problem, TemplateFailed, TidingsError
from schemas.names import did_you_mean
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from store.distributions import Control
from store.templates import NamedTemplates
from streams.channels.template_files import TemplateFiles

NO_SUBJECT = "(no distribution beside it names this template)"
SAMPLE_BRAND = Brand(
    name="Your brand",
    address="Street 1, Town",
    contact="contact@example.com",
    privacy_url="https://example.com/privacy",
    terms_url="https://example.com/terms",
    logo_url="https://example.com/logo.png",
    permission_reminder="You get this because you are a customer of ours.",
)
"""Stands where the settings have no brand."""

_ACCOUNT = EmailAccount(
    name="preview",
    host="localhost",
    port=25,
    security="none",
    sender="preview@example.com",
    unsubscribe_url="https://example.com/unsubscribe/{delivery_id}",
)
_YAML = ("*.yaml", "*.yml", "*.json")


@dataclass(frozen=True, slots=True)
class Source:
    """A complete template, and the distribution's consent: it decides about the unsubscribe link.

    `locale` is that of the file that was named, where it is one of a locale; `files` are where it is written, if it is
    not stored.
    """

    template: StoredTemplate
    consent: str
    locale: str | None = None
    files: TemplateFiles | None = None

    def place_of(self, part: str, line: int | None, variant: str, beside: str) -> str:
        """File and line of what is wrong, for a message; empty for what is stored."""
        if self.files is None:
            return ""
        found = self.files.located(Problem(part, "", line, variant, beside))
        return f"{found.file}:{found.line or 1}: " if found.file else ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the customer would see. `locale` is the template's own that was taken; empty is the default."""

    subject: str
    locale: str
    text: str
    html: str | None


def from_file(file: Path, brand: Brand) -> Source:
    """A template in a file, with the files beside it; subject and consent are those of a distribution that names it.

    Raises TidingsError.
    """
    name, tag = named_file(file)
    files = read_templates([file.parent]).get(name)
    if files is None:
        raise TidingsError(f"{file} is no template: its name ends in .mjml, .html or .txt, and layout.mjml is none")
    if files.wrong:
        raise TidingsError(files.wrong)
    subject, consent = _distribution_of(name, file.parent)
    locales = dict(files.locales)
    template = StoredTemplate(name=name, subject=subject, text=files.text, html=files.html, locales=locales)
    source = Source(template, consent, tag or None, files)
    try:
        return replace(source, template=bundled(template, brand_texts(brand)))
    except PartWrong as error:
        raise TidingsError(source.place_of(error.part, error.line, error.variant, error.file) + str(error)) from error


async def from_named(
    name: str, project_id: str, pool: asyncpg.Pool, brand: Brand, version: int | None = None
) -> Source | None:
    """A version of a template that is stored under its name, or the newest; None where none is.

    Subject and consent are those of the newest distribution that names it. Raises TidingsError for an unknown version,
    TryLater.
    """
    templates, control = NamedTemplates(pool), Control(pool)
    if version is None and await templates.find(project_id, name) is None:
        return None
    kept = await stored_templates.find(name, project_id, templates, version)
    digest, consent = dict(_plans((await control.current(project_id)).values())).get(name, ("", "marketing"))
    sent = await control.template(digest) if digest else None
    whole = kept.template.with_subject(sent.subject if sent else NO_SUBJECT)
    return Source(bundled(whole, brand_texts(brand)), consent)


async def from_store(name: str, project_id: str, pool: asyncpg.Pool) -> Source:
    """A template that was applied, by its name, as its newest distribution has it. Raises TidingsError, TryLater."""
    control = Control(pool)
    plans = dict(_plans((await control.current(project_id)).values()))
    if name not in plans:
        known = {*plans, *await NamedTemplates(pool).current(project_id)}
        hint = did_you_mean(name, known)
        names = ", ".join(sorted(known)) or "none"
        raise TidingsError(f'no file, no stored and no applied template "{name}".{hint} There are: {names}')
    digest, consent = plans[name]
    template = await control.template(digest)
    if template is None:
        raise TidingsError(f"template {name} ({digest[:8]}) is missing in the database")
    return Source(template, consent)


def preview(source: Source, event: Any, locale: str | None, now: datetime) -> Preview:
    """Fill in an event's objects. Raises TemplateFailed, InvalidEvent."""
    delivery = _delivery(source, event, locale, now)
    template = source.template
    chosen = template.variant(delivery.customer.locale)
    try:
        request = Email({_ACCOUNT.name: _ACCOUNT}, Templates()).render(delivery, template)
    except TemplateFailed as error:
        place = source.place_of(error.part, error.line, chosen, error.file)
        raise TemplateFailed(f"{place}{error}", error.part, error.line, error.file) from error
    message = email.message_from_bytes(request.message, policy=email.policy.default)
    ends = {part.get_content_type(): part for part in message.walk() if not part.is_multipart()}
    parts = {kind: part.get_content().replace("\r\n", "\n").strip("\n") + "\n" for kind, part in ends.items()}
    return Preview(str(message["Subject"]), chosen, parts.get("text/plain", ""), parts.get("text/html"))


def _delivery(source: Source, event: Any, locale: str | None, now: datetime) -> EmailDelivery:
    if not isinstance(event, dict):
        raise TidingsError("the event is a JSON object with id, project_id, type, created_at and data")
    head, _ = simulate(event, [], None, now)
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


def _distribution_of(name: str, folder: Path) -> tuple[str, str]:
    """Subject and consent of the first distribution that names a template: in the places from which it is read."""
    for document in _documents([folder.parent, *sorted(folder.parent.iterdir())]):
        body = document.plain if isinstance(document.plain, dict) else {}
        channels = body.get("channels")
        for channel in channels if isinstance(channels, list) else []:
            plan = channel.get("email") if isinstance(channel, dict) else None
            if isinstance(plan, dict) and plan.get("template") == name:
                return str(plan.get("subject", NO_SUBJECT)), str(body.get("consent", "marketing"))
    return NO_SUBJECT, "marketing"


def _documents(folders: Iterable[Path]) -> Iterator[Document]:
    """What can be read: here a broken distribution is not what was asked about."""
    for folder in folders:
        for file in sorted(found for ending in _YAML for found in folder.glob(ending) if folder.is_dir()):
            try:
                yield from read_documents([file])
            except DefinitionInvalid:
                continue


def _plans(distributions: Iterable[Distribution]) -> Iterator[tuple[str, tuple[str, str]]]:
    for one in sorted(distributions, key=lambda rule: rule.updated_at):
        for plan in one.channels:
            if isinstance(plan, EmailPlan):
                yield plan.template.name, (plan.template.digest, one.consent)


def with_samples(brand: Brand) -> Brand:
    """The brand of the settings, and a sample for each key that is missing there."""
    missing = {name: getattr(SAMPLE_BRAND, name) for name in brand.missing()}
    return Brand(**{**brand_texts(brand), **missing})
