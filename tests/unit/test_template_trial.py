"""What an e-mail may have to do without is found on save."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from console.template_trial import trial_problems
from schemas.closed import WhenEmpty
from schemas.distribution import Publish
from schemas.template import LocalText, StoredTemplate
from streams.definition import Definition, parse_definition
from tests.factory import AROUND, definition

GUARDED = "Hi.{% if voucher %} Code {{ voucher.code }}, worth {{ voucher.gift.amount }}.{% endif %}"


def said(*, links: bool, when_empty: WhenEmpty = "send_without", locales: Any = None, **parts: Any) -> list[str]:
    """Of a template of a distribution that publishes codes."""
    made = parse_definition(definition(), AROUND).distribution
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
        ("{{ customer.metadata.unknown_to_samples }} {{ voucher.code }}", True),
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
