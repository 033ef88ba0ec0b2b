"""Text messages, as far as they are pure: what an author may write, and whom it reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.channels.sms import SmsAddress, SmsPlan
from schemas.errors import DefinitionInvalid
from schemas.template import LocalText
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.factory import CONTEXT, NOW, context, customer, definition, rule

TEXT = {"account": "main", "text": "Thank you, {{ customer.name }}"}


def written(**sms: Any) -> dict[str, Any]:
    return definition(channels=[{"sms": {**TEXT, **sms}}])


@pytest.mark.parametrize(
    ("sms", "path", "said"),
    [
        ({"account": "mian"}, "account", 'Did you mean "main"?'),
        ({"text": None}, "", "needs text, or template"),
        ({"text": ""}, "text", "must be a text, a template"),
        ({"template": "hello"}, "template", "stands instead of text"),
        ({"text": None, "template": "helo"}, "template", 'Did you mean "hello"?'),
        ({"text": None, "template": "picture"}, "template", '"picture" has no text part'),
        ({"region": "Poland"}, "region", '"Poland" is not valid: must be the two letters of a country, such as PL'),
        ({"region": "XX"}, "region", "must be the two letters of a country"),
        ({"max_parts": 0}, "max_parts", "a whole number from 1 to 10"),
        ({"max_parts": 11}, "max_parts", "a whole number from 1 to 10"),
        ({"maxparts": 1}, "maxparts", 'Did you mean "max_parts"?'),
        ({"text": "a" * 161, "max_parts": 1}, "text", "takes at least 2 parts of SMS"),
        ({"text": "ą" * 71, "max_parts": 1}, "text", "(U+0105), for which \"a\" costs less, at character 1"),
        ({"text": "a" * 1836}, "text", "takes at least 12 parts of SMS"),
        ({"subject": "x"}, "subject", "must be one of"),
    ],
)  # fmt: skip
def test_its_author_is_told_what_would_be_right(sms: dict[str, Any], path: str, said: str) -> None:
    context_with = replace(CONTEXT, templates={**CONTEXT.templates, "picture": TemplateFiles(None, "<b>x</b>")})
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(written(**sms), context_with)
    (problem,) = [one for one in caught.value.problems if said in one.message]
    assert problem.path == f"channels[0].sms{f'.{path}' if path else ''}"


def test_what_may_be_left_out_is_not_counted() -> None:
    long = "{% if order %}" + "a" * 400 + "{% endif %}{{ customer.name }}" + "{# " + "b" * 400 + " #}"
    parse_definition(written(text=long, max_parts=1), CONTEXT)
    parse_definition(written(text="a" * 159 + "{{ customer.a_name_that_is_very_long_indeed }}", max_parts=1), CONTEXT)


def test_the_text_parts_of_a_template_are_sent() -> None:
    files = TemplateFiles("hi", "<b>hi</b>", {"pl": LocalText(text="cześć"), "de": LocalText(html="<b>x</b>")})
    made = parse_definition(
        definition(channels=[{"sms": {"account": "main", "template": "hello"}}]),
        replace(CONTEXT, templates={"hello": files}),
    )
    ((at, template),) = made.templates
    assert (at, template.subject, template.text, template.html) == ("channels[0].sms", "", "hi", None)
    assert template.locales == {"pl": LocalText(text="cześć")}
    assert made.distribution.channels == [SmsPlan(account="main", template=template.ref)]


def matched(profile: dict[str, Any], **sms: Any) -> Any:
    index = RuleIndex()
    index.insert(rule(channels=[{"sms": {**TEXT, **sms}}]))
    return match_event(context(profile), index, NOW)


@pytest.mark.parametrize(
    ("phone", "region"), [(" +48 600-100-200 ", None), ("600 100 200", "PL"), ("0048600100200", "pl")]
)
def test_a_number_goes_out_as_e164_has_it(phone: str, region: str | None) -> None:
    (made,) = matched(customer(phone=phone), region=region, max_parts=3).deliveries
    assert made.sms == SmsAddress(to="+48600100200", template=made.template, max_parts=3)
    assert made.reaches == "+48600100200"


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({}, "the customer has no phone"),
        ({"phone": " "}, "the customer has no phone"),
        ({"phone": None}, "the customer has no phone"),
        ({"phone": "600100200"}, "phone: it has no country"),
        ({"phone": "call me"}, "phone: it has letters"),
    ],
)
def test_who_cannot_be_reached_is_skipped_with_the_reason(profile: dict[str, Any], said: str) -> None:
    outcome = matched(customer(**profile))
    (decision,) = outcome.decisions
    assert (outcome.deliveries, decision.outcome, decision.reason) == ([], "skipped", "no_address")
    assert said in decision.detail
