"""A stored e-mail template: kept by content, so that a retry or replay renders exactly what was decided."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schemas.formats.languages import taken
from schemas.record import JsonObject, Record, doc
from schemas.stable_hash import stable_hash


class TemplateRef(Record, frozen=True, kw_only=True):
    """A stored template, by content: the same digest is always the same text."""

    name: str
    digest: Annotated[str, doc("SHA-256 of the stored template, hex.")]


class LocalText(Record, frozen=True, kw_only=True):
    """The texts of one locale that differ; a missing subject is the default one."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


class TemplateFile(Record, frozen=True, kw_only=True):
    """A file that every message of a template brings along; what is in it is kept once, by its digest."""

    name: str
    content_type: str
    size: Annotated[int, doc("Bytes.")]
    digest: Annotated[str, doc("SHA-256 of what is in it, hex.")]


class StoredTemplate(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Subject, plain text and HTML in MiniJinja, complete: layout, sections and footer are part of them.

    At least one of `text` and `html` is there. `locales` are by lower-case tag, as in pl-pl; `brand` is what `brand.*`
    says. `version` is that of the named template it was made from; one made from files beside a distribution has none.
    `files` are those that the distribution attaches from its folder.
    """

    name: str
    subject: str
    text: str | None = None
    html: str | None = None
    locales: dict[str, LocalText] = {}
    brand: JsonObject = {}
    version: int | None = None
    files: list[TemplateFile] = []

    @property
    def ref(self) -> TemplateRef:
        """Name and digest, as a distribution and its deliveries carry them."""
        return TemplateRef(name=self.name, digest=stable_hash(self))

    def variant(self, locale: str | None) -> str:
        """The tag of `locales` that a customer's locale takes; empty for the default."""
        return taken(self.locales, locale)

    def in_locale(self, tag: str) -> StoredTemplate:
        """The template as one tag of `locales` has it; the empty tag is the template itself."""
        local = self.locales.get(tag)
        if local is None:
            return self
        subject = local.subject or self.subject
        return msgspec.structs.replace(self, subject=subject, text=local.text, html=local.html)


class NamedTemplate(Record, frozen=True, kw_only=True):
    """One version of a template that is kept under its name.

    `files` are its files as they were written, by file name; with them the layout, where it is the author's own.
    `text`, `html` and `locales` are what they make: MJML is compiled; brand and footer come with the distribution.
    """

    project_id: str
    name: str
    version: int
    files: dict[str, str]
    text: str | None = None
    html: str | None = None
    locales: dict[str, LocalText] = {}

    def variant(self, locale: str | None) -> str:
        """The tag of `locales` that a customer's locale takes; empty for the default."""
        return taken(self.locales, locale)

    def with_subject(self, subject: str) -> StoredTemplate:
        """As a distribution with this subject sends it; brand and footer are yet to come."""
        whole = StoredTemplate(name=self.name, subject=subject, text=self.text, html=self.html)
        return msgspec.structs.replace(whole, locales=dict(self.locales), version=self.version)
