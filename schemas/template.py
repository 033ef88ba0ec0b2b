"""A stored e-mail template: kept by content, so that a retry or replay renders exactly what was decided."""

from __future__ import annotations

import hashlib

import msgspec

from schemas.distribution import TemplateRef
from schemas.record import JsonObject, Record


class LocalText(Record, frozen=True, kw_only=True):
    """What one locale says otherwise; a missing subject is the default one."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


class StoredTemplate(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Subject, plain text and HTML in MiniJinja, complete: layout, sections and footer are part of them.

    At least one of `text` and `html` is there. `locales` are by lower-case tag, as in pl-pl; `brand` is what `brand.*`
    says.
    """

    name: str
    subject: str
    text: str | None = None
    html: str | None = None
    locales: dict[str, LocalText] = {}
    brand: JsonObject = {}

    @property
    def ref(self) -> TemplateRef:
        """Name and digest, as a distribution and its deliveries carry them."""
        encoded = msgspec.json.encode(self, order="deterministic")
        return TemplateRef(name=self.name, digest=hashlib.sha256(encoded).hexdigest())

    def variant(self, locale: str | None) -> str:
        """The tag of `locales` that a customer's locale takes; empty for the default."""
        return next((tag for tag in fallbacks(locale) if tag in self.locales), "")

    def in_locale(self, tag: str) -> StoredTemplate:
        """The template as one tag of `locales` has it; the empty tag is the template itself."""
        local = self.locales.get(tag)
        if local is None:
            return self
        subject = local.subject or self.subject
        return msgspec.structs.replace(self, subject=subject, text=local.text, html=local.html)


def fallbacks(locale: str | None) -> tuple[str, ...]:
    """The tags to look for, best first: zh_Hant_TW gives zh-hant-tw, zh-hant, zh (RFC 4647, lookup)."""
    parts = (locale or "").strip().replace("_", "-").lower().split("-")
    return tuple("-".join(parts[:length]) for length in range(len(parts), 0, -1) if parts[0])
