"""Stored templates: the ones already written stay readable, and the same content has the same digest."""

from __future__ import annotations

import msgspec
import pytest

from schemas.template import LocalText, StoredTemplate

BEFORE_LOCALES = b'{"name":"hello","subject":"Hi {{ customer.name }}","text":"Order {{ order.id }}","html":null}'
"""As templates were stored before they had locales and a brand."""


def test_a_template_from_before_locales_is_read_and_renders_for_everyone() -> None:
    template = msgspec.json.decode(BEFORE_LOCALES, type=StoredTemplate)
    assert template == StoredTemplate(name="hello", subject="Hi {{ customer.name }}", text="Order {{ order.id }}")
    assert template.variant("pl-PL") == ""


@pytest.mark.parametrize(
    ("template", "digest"),
    [
        (
            StoredTemplate(name="a", subject="s", text="t"),
            "f3c1d7146b36fc1d5c351b3d6e57e9c57b4ed090d9e212cdbc5058bf6db504fb",
        ),
        (
            StoredTemplate(
                name="a",
                subject="s",
                text="t",
                html="h",
                locales={"pl": LocalText(subject="p", text="t"), "de": LocalText(html="h")},
                brand={"name": "Shop", "address": "Street 1"},
            ),
            "4bfa1cf8ead09318e571e4f8b9079f3eca017e3cf3617c0d82c67e77fcd9350c",
        ),
    ],
)
def test_a_digest_is_the_recorded_one(template: StoredTemplate, digest: str) -> None:
    assert template.ref.digest == digest


def test_a_digest_does_not_depend_on_the_order_of_locales_and_brand() -> None:
    pl, de = LocalText(text="p"), LocalText(text="d")
    one = StoredTemplate(name="a", subject="s", text="t", locales={"pl": pl, "de": de}, brand={"name": "n", "x": "y"})
    other = StoredTemplate(name="a", subject="s", text="t", locales={"de": de, "pl": pl}, brand={"x": "y", "name": "n"})
    assert one.ref == other.ref


def test_a_template_is_read_as_it_was_stored() -> None:
    template = StoredTemplate(name="a", subject="s", text="t", locales={"pl": LocalText(html="h")}, brand={"name": "n"})
    again = msgspec.json.decode(msgspec.json.encode(template), type=StoredTemplate)
    assert (again, again.ref) == (template, template.ref)
