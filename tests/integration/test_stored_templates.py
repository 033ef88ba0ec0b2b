"""Templates in the database: those of before, and those that a preview asks for by name."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from channels.templates.engine import Templates
from console.control.preview.template import from_store, preview
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.template import LocalText, StoredTemplate
from store.distributions import Change, Control
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import DefinitionContext, parse_definition
from tests.factory import NOW, definition, order_event
from tests.unit.schemas.test_template import BEFORE_LOCALES

GOOD = StoredTemplate(
    name="hello", subject="Hi {{ customer.name }}", text="Order {{ order.id }}", locales={"pl": LocalText(text="Nr")}
)


def mailing(identity: str, template: StoredTemplate, **changes: Any) -> Distribution:
    """A distribution whose e-mail is this template."""
    files = {template.name: TemplateFiles(template.text, template.html, template.locales)}
    plan = {"account": "main", "subject": template.subject, "template": template.name}
    around = DefinitionContext("shop", 1, NOW + timedelta(seconds=len(identity)), {"email": ("main",)}, files)
    return parse_definition(
        definition(distribution=identity, channels=[{"email": plan}], **changes), around
    ).distribution


async def test_a_template_stored_before_locales_is_still_found_and_rendered(pool: asyncpg.Pool) -> None:
    digest = hashlib.sha256(BEFORE_LOCALES).hexdigest()
    put = "insert into templates (digest, name, body, created_at) values ($1, $2, $3, $4)"
    await pool.execute(put, digest, "hello", BEFORE_LOCALES.decode(), NOW)
    template = await Control(pool).template(digest)
    assert template is not None
    rendered = Templates().render(template, {"customer": {"name": "Jo"}, "order": {"id": "o1"}}, locale="pl-PL")
    assert (rendered.subject, rendered.text, rendered.html) == ("Hi Jo", "Order o1", None)


async def test_an_applied_template_is_shown_by_its_name_as_its_newest_distribution_has_it(pool: asyncpg.Pool) -> None:
    old = StoredTemplate(name="hello", subject="Old", text="Old")
    changes = [
        Change(mailing("a", old), "", (old,)),
        Change(mailing("newest", GOOD, consent="transactional"), "", (GOOD,)),
    ]
    await Control(pool).save(changes, applied_by="me", now=NOW)
    source = await from_store(pool, "shop", "hello", {})
    assert (source.template, source.consent) == (GOOD, "transactional")
    shown = preview(source, order_event(), "pl-PL", NOW)
    assert (shown.subject, shown.locale, shown.text, shown.html) == ("Hi Jo", "pl", "Nr\n", None)
    with pytest.raises(TidingsError, match='no template "helo". Did you mean "hello"'):
        await from_store(pool, "shop", "helo", {})
