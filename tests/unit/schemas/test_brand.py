"""The closed list of what a brand has: the same for settings, documents and templates."""

from __future__ import annotations

from dataclasses import fields

from console.control.context import ProjectContext
from deploy.settings.messages import Brand
from deploy.settings.settings import Settings
from schemas.brand import BRAND_KEYS, BRAND_VARIABLES
from streams.documents.project import BRAND


def test_settings_and_documents_have_the_same_keys() -> None:
    assert {*BRAND_KEYS} == {*BRAND.keys} == {field.name for field in fields(Brand)} - {"locale"}


def test_templates_may_name_whatever_they_are_given_and_nothing_else() -> None:
    whole = Brand(**{field.name: "#000000" for field in fields(Brand)})
    given = ProjectContext.of(Settings(brand=whole, timezone="Europe/Warsaw"), "shop").brand_texts
    assert {*BRAND_VARIABLES} == {*given, "timezone"}
