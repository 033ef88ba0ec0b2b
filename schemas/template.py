"""A stored e-mail template: kept by content, so that a retry or replay renders exactly what was decided."""

from __future__ import annotations

import hashlib

import msgspec

from schemas.distribution import TemplateRef
from schemas.record import Record


class StoredTemplate(Record, frozen=True, kw_only=True):
    """Subject, plain text and HTML in MiniJinja. At least one of `text` and `html` is there."""

    name: str
    subject: str
    text: str | None = None
    html: str | None = None

    @property
    def ref(self) -> TemplateRef:
        """Name and digest, as a distribution and its deliveries carry them."""
        return TemplateRef(name=self.name, digest=hashlib.sha256(msgspec.json.encode(self)).hexdigest())
