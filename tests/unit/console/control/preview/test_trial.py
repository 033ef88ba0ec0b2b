"""Trials on save: they find what an e-mail may have to do without."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from console.control.preview.trial import perhaps_problems, trial_problems
from schemas.closed import WhenEmpty
from schemas.distribution import Publish
from schemas.template import LocalText, StoredTemplate
from streams.documents.distribution import Definition, parse_definition
from tests.factory import CONTEXT, definition

GUARDED = "Hi.{% if voucher %} Code {{ voucher.code }}, worth {{ voucher.gift.amount }}.{% endif %}"


def said(*, links: bool, when_empty: WhenEmpty = "send_without", locales: Any = None, **parts: Any) -> list[str]:
    """Of a template of a distribution that publishes codes."""
    made = parse_definition(definition(), CONTEXT).distribution
    rule = msgspec.structs.replace(made, publish=Publish(campaign="c", when_empty=when_empty))
    template = StoredTemplate(name="n", subject="s", locales=locales or {}, **parts)
    return [one.message for one in trial_problems(Definition(rule, (("at", template),)), links=links)]


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("{{ voucher.code }}", False),
        (GUARDED, True),
        ("{% if voucher.code %}x{% endif %}", True),
        ("{{ voucher.code if voucher else 'none' }}", True),
        ("{{ publication.id }}", False),
        ("{{ campaign.name }}", False),
        ("{{ customer.metadata.unknown_to_samples }} {{ voucher.code }}", False),
    ],
)
def test_a_template_that_goes_out_without_a_code_can_be_written_without_one(text: str, is_right: bool) -> None:
    found = said(text=text, links=True)
    assert len(found) == (not is_right)
    assert all("write {% if voucher %} around what shows one" in one and "undefined" in one for one in found)
    assert said(text=text, links=True, when_empty="wait") == []


def test_a_picture_of_a_code_needs_a_code() -> None:
    image = '<img src="cid:qr">'
    assert len(said(html=image, links=True)) == 1
    assert said(html=f"{{% if voucher %}}{image}{{% endif %}}", links=True) == []


def test_an_address_of_a_picture_needs_the_address_of_the_console() -> None:
    shows = "{% if voucher %}{{ voucher.qr_url }}{% endif %}"
    (found,) = said(text=shows, links=False)
    assert "console.public_url in the settings" in found
    assert said(text=shows, links=True) == []
    assert said(text="{% if voucher.qr_url %}{{ voucher.qr_url }}{% endif %}", links=False, when_empty="stop") == []


def test_each_locale_is_tried() -> None:
    found = said(text=GUARDED, links=True, locales={"pl": LocalText(text="Kod {{ voucher.code }}")})
    assert [one.split(":")[0] for one in found] == ["in pl"]


def refused(text: str, *, event: str = "customer.order.paid", when: Any = None) -> list[tuple[str, int | None, str]]:
    """The answer to saving a distribution with a text: where, the line, and the first of the message."""
    source = definition(trigger={"event": event}, when=when, channels=[{"webhook": {"url": "https://x", "type": "t"}}])
    made = parse_definition(source, CONTEXT).distribution
    template = StoredTemplate(name="n", subject="s", text=text)
    found = perhaps_problems(Definition(made, (("at", template),)))
    return [(one.path, one.line, one.message.split(" around")[0]) for one in found]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("\n{{ referrer.name | default('A friend') }}", None),
        ("\n{{ referrer.id }}", "referrer"),
        ("\n{% if referrer %}{{ referrer.id }}{% endif %}", None),
        ("\n{{ redemption.amount }}", "redemption"),
        ("\n{{ customer.name }}", "customer.name"),
        ("\n{{ customer.address.city }}", "customer.address"),
        ("\n{{ customer.address.city | default('your city') }}", None),
        ("\n{% if customer.birthday %}{{ customer.birthday | date }}{% endif %}", None),
        ("\n{{ customer.birthday | date }}", "customer.birthday"),
        ("\n{{ customer.email }} {{ order.id }} {{ order.amount | money('EUR') }}", None),
        ("\n{{ order.metadata.note }} {{ customer.phone }}", "customer.phone"),
    ],
)
def test_an_e_mail_is_tried_without_what_is_there_perhaps(text: str, path: str | None) -> None:
    advice = f'write {{{{ {path} | default("…") }}}} or {{% if {path} %}}'
    assert refused(text) == ([] if path is None else [("at.text", 2, advice)])


def test_what_the_guard_asks_for_is_there() -> None:
    guard = {"customer.name": {"is_set": True}}
    assert refused("{{ customer.name }}", when=guard) == []
    assert refused("{{ customer.name }}", when={"any": [guard]}) == []
    assert len(refused("{{ customer.phone }}", when=guard)) == 1
    assert refused("{{ referrer.id }}", event="customer.referred") == []


@pytest.mark.parametrize("name", ["view_url", "preferences_url"])
def test_pages_of_ours_are_there_only_where_customers_reach_them(name: str) -> None:
    shows = f"{{{{ {name} }}}}"
    (found,) = said(text=shows, links=False, when_empty="stop")
    assert "view_url and preferences_url are there only with console.public_url" in found
    assert said(text=shows, links=True, when_empty="stop") == []
    assert said(text=f"{{% if {name} %}}{shows}{{% endif %}}", links=False, when_empty="stop") == []
