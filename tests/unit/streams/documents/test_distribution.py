"""Distributions as they are written."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.templates.bundle import bundled
from channels.templates.engine import OWN_VARIABLES, check_template
from console.control.distribution_check import template_problems
from console.control.files.documents import read_documents
from schemas.campaign import Campaign
from schemas.distribution import Promote, Publish
from schemas.errors import DefinitionInvalid
from schemas.events.triggers import TRIGGERS
from schemas.template import LocalText, StoredTemplate
from streams.conditions.predicates import ITEM_TESTS, PREDICATES
from streams.documents.distribution import Definition, parse_definition
from streams.documents.distribution_keys import DISTRIBUTION
from streams.documents.json_schema import definition_schema
from streams.documents.offers import how_it_comes
from tests import ROOT
from tests.factory import CONTEXT, definition

CAMPAIGNS = {
    "spring-codes": Campaign(
        id="spring-codes", project_id="shop", version=1, name="Spring", kind="DISCOUNT_COUPONS", type="AUTO_UPDATE",
        created_at=CONTEXT.now,
    )
}  # fmt: skip
EXAMPLES = sorted(
    file for folder in ("distributions", "waiting") for file in (ROOT / "examples" / folder).glob("*.yaml")
)


def problems(**changes: Any) -> dict[str, str]:
    source = {name: value for name, value in definition(**changes).items() if value is not ...}
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(source, CONTEXT)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"priorty": 1}, "priorty", 'Did you mean "priority"?'),
        ({"consent": ...}, "consent", "is missing"),
        (
            {"consent": "marketin"},
            "consent",
            '"marketin" is not a consent category: must be one of loyalty, marketing, surveys, transactional. '
            'Did you mean "marketing"? Others are declared as consents in the settings',
        ),
        ({"trigger": {"event": "customer.order.payd"}}, "trigger.event", 'Did you mean "customer.order.paid"?'),
        ({"trigger": {"event": "customer.order.paid", "segment": "x"}}, "trigger.segment", "must be one of event"),
        ({"channels": []}, "channels", "at least one"),
        ({"channels": [{"fax": {}}]}, "channels[0]", '"fax" is not a channel: must be one of'),
        ({"channels": [{"webhook": {"url": "ftp://x", "type": "t"}}]}, "channels[0].webhook.url", "must be an address"),
        (
            {"channels": [{"webhook": {"url": "https://☃.eu", "type": "t"}}]},
            "channels[0].webhook.url",
            "IDNA 2008",
        ),
        ({"channels": [{"webhook": {"url": "https://u:p@x", "type": "t"}}]}, "channels[0].webhook.url", "password"),
        (
            {"channels": [{"webhook": {"url": "https://x", "type": "t", "headers": {"Webhook-Id": "1"}}}]},
            "channels[0].webhook.headers.Webhook-Id",
            "lower-case",
        ),
        (
            {"channels": [{"webhook": {"url": "https://x", "type": "t", "headers": {"webhook-id": "1"}}}]},
            "channels[0].webhook.headers.webhook-id",
            "reserved",
        ),
        (
            {"channels": [{"email": {"account": "mian", "subject": "s", "text": "t"}}]},
            "channels[0].email.account",
            '"mian" is not an email account: must be one of main. Did you mean "main"?',
        ),
        (
            {"channels": [{"email": {"account": "main", "subject": "s", "template": "helo"}}]},
            "channels[0].email.template",
            'Did you mean "hello"?',
        ),
        (
            {"channels": [{"email": {"account": "main", "text": "t"}}]},
            "channels[0].email.subject",
            "is missing: must be a text: the subject line",
        ),
        (
            {"channels": [{"email": {"account": "main", "template": "hello"}}]},
            "channels[0].email.subject",
            "is missing: must be a text: the subject line",
        ),
        ({"again": "sometimes"}, "again", "once_per_customer"),
        ({"again": {"once_in": "soon"}}, "again.once_in", "as in 30m or 3d"),
        ({"again": {"once_per": "ordr.id"}}, "again.once_per", 'Did you mean "order"?'),
        ({"again": {"once_per": "order.items.amount"}}, "again.once_per", "order.items is a list and has no amount"),
        ({"again": {"once_per": "customer.email.x"}}, "again.once_per", "customer.email is a text and has no x"),
        ({"starts_at": "2026-11-21", "ends_at": "2026-11-20"}, "ends_at", "is not after starts_at"),
        ({"expires_after": 5}, "expires_after", "5 is not valid: must be a duration"),
        ({"expires_after": "999999w"}, "expires_after", "must be a duration of at most 36525d"),
        ({"again": {"once_in": "999999w"}}, "again.once_in", "must be a duration of at most 36525d"),
        ({"priority": "high"}, "priority", "whole number"),
        ({"status": "ON"}, "status", "DRAFT, LIVE"),
        ({"distribution": "a b"}, "distribution", "letters, digits"),
    ],
)
def test_a_wrong_key_says_where_and_what_would_be_right(changes: dict[str, Any], path: str, said: str) -> None:
    found = problems(**changes)
    assert list(found) == [path]
    assert said in found[path]


def test_every_problem_is_found_at_once() -> None:
    assert set(problems(priorty=1, consent=..., status="ON")) == {"priorty", "consent", "status"}


def parsed(text: str, subject: str = "s", event: str = "customer.order.paid") -> Definition:
    channel = {"email": {"account": "main", "subject": subject, "text": text}}
    return parse_definition(definition(trigger={"event": event}, channels=[channel]), CONTEXT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ custmer.name }}", 'there is no variable custmer. Did you mean "customer"?'),
        ("{{ customer.emial }}", 'Did you mean "customer.email"?'),
        ("{% if %}", "line 1: unexpected end of block"),
        ("{{ customer.name | nofilter }}", "filter nofilter is unknown"),
    ],
)
def test_a_wrong_template_is_refused_with_its_place(text: str, said: str) -> None:
    (problem,) = template_problems(parsed(text))
    assert problem.path == "channels[0].email.text"
    assert said in problem.message


@pytest.mark.parametrize(
    ("event", "variable", "meant"),
    [
        ("customer.order.paid", "segment", ""),
        ("customer.order.paid", "voucher", ""),
        ("customer.order.paid", "referer", ' Did you mean "referrer"?'),
        ("customer.segment.entered", "order", ""),
        ("customer.publication.succeeded", "balance", ""),
        ("customer.voucher.loyalty_card.points_added", "redemption", ""),
    ],
)
def test_an_object_that_the_trigger_never_has_is_refused_with_those_there_are(
    event: str, variable: str, meant: str
) -> None:
    (problem,) = template_problems(parsed(f"{{{{ {variable}.id }}}}", event=event))
    there, comes = ", ".join((*TRIGGERS[event].objects, *OWN_VARIABLES)), how_it_comes(variable, TRIGGERS[event])
    assert (
        problem.message == f"there is no variable {variable}.{meant} There are: {there}.{f' {comes}' if comes else ''}"
    )


@pytest.mark.parametrize("event", sorted(TRIGGERS))
def test_every_object_of_a_trigger_may_stand_in_its_templates(event: str) -> None:
    text = " ".join(f"{{{{ {name} }}}}" for name in (*TRIGGERS[event].objects, *OWN_VARIABLES))
    assert template_problems(parsed(text, event=event)) == ()


@pytest.mark.parametrize(
    ("action", "variable", "there"),
    [
        ({}, "voucher", False),
        ({}, "promotion_tier", False),
        ({"publish": Publish(campaign="c")}, "voucher", True),
        ({"publish": Publish(campaign="c")}, "publication", True),
        ({"publish": Publish(campaign="c")}, "campaign", True),
        ({"publish": Publish(campaign="c")}, "promotion_tier", False),
        ({"promote": Promote(campaign={}, promotion_tier={})}, "promotion_tier", True),
        ({"promote": Promote(campaign={}, promotion_tier={})}, "campaign", True),
        ({"promote": Promote(campaign={}, promotion_tier={})}, "voucher", False),
    ],
)
def test_the_objects_of_the_action_come_to_those_of_the_trigger(
    action: dict[str, Any], variable: str, there: bool
) -> None:
    made = parsed(f"{{{{ {variable}.id }}}}")
    found = template_problems(Definition(msgspec.structs.replace(made.distribution, **action), made.templates))
    assert [problem.message.split(".")[0] for problem in found] == (
        [] if there else [f"there is no variable {variable}"]
    )


def shown(html: str, action: dict[str, Any], event: str) -> list[tuple[str, str]]:
    """The problems of an e-mail with a piece of HTML."""
    channel = {"email": {"account": "main", "subject": "s", "html": html}}
    made = parse_definition(definition(trigger=event, channels=[channel]), CONTEXT)
    rule = msgspec.structs.replace(made.distribution, **action)
    return [(one.path, one.message) for one in template_problems(Definition(rule, made.templates))]


PUBLISHING = {"publish": Publish(campaign="c")}
PROMOTING = {"promote": Promote(campaign={}, promotion_tier={})}
IMG = '<img src="cid:{}">'


@pytest.mark.parametrize(
    ("html", "action", "event"),
    [
        (IMG.format("qr") + IMG.format("barcode"), PUBLISHING, "customer.order.paid"),
        (IMG.format("qr"), {}, "customer.publication.succeeded"),
        ('{% if voucher is defined %}<img src="cid:qr">{% endif %}', {}, "customer.redemption.succeeded"),
        ('<img src="{{ voucher.qr_url }}"> {{ voucher.barcode_url }}', PUBLISHING, "customer.order.paid"),
        ("cid:qr in a text, and {# <img src=cid:qr> #} in a comment", {}, "customer.order.paid"),
        (IMG.format("logo"), {}, "customer.order.paid"),
    ],
)
def test_a_picture_of_a_code_is_taken_where_there_is_one(html: str, action: dict[str, Any], event: str) -> None:
    assert shown(html, action, event) == []


@pytest.mark.parametrize(
    ("html", "action", "event", "said"),
    [
        (IMG.format("qr"), {}, "customer.order.paid", "A voucher comes with publish: {campaign: spring-codes}"),
        (IMG.format("barcode"), PROMOTING, "customer.order.paid", "A voucher comes with publish:"),
        ("<p style='background: url(cid:qr)'>", {}, "manual_distribution_schedule", "A voucher comes with publish:"),
        (
            IMG.format("qr"),
            {},
            "customer.loyalty.tier.joined",
            "On customer.loyalty.tier.joined nothing brings a voucher",
        ),
        (IMG.format("qr"), {}, "customer.loyalty.tier.joined", "the events that have one are: "),
    ],
)
def test_a_picture_of_a_code_is_refused_where_no_voucher_comes_and_what_brings_one_is_said(
    html: str, action: dict[str, Any], event: str, said: str
) -> None:
    ((path, message),) = shown(html, action, event)
    kind = "barcode" if "barcode" in html else "qr"
    assert path == "channels[0].email.html"
    assert message.startswith(f"cid:{kind} shows voucher.code, and there is no voucher here. ")
    assert said in message


def test_an_address_of_a_picture_is_refused_where_no_voucher_comes_and_a_slip_in_it_where_one_does() -> None:
    ((_, message),) = shown("{{ voucher.qr_url }}", {}, "customer.order.paid")
    assert message.startswith("there is no variable voucher.")
    assert message.endswith("A voucher comes with publish: {campaign: spring-codes}")
    ((_, message),) = shown("{{ voucher.qr_ulr }}", PUBLISHING, "customer.order.paid")
    assert message == 'voucher has no qr_ulr. Did you mean "voucher.qr_url"?'


def test_a_picture_of_a_code_in_a_locale_names_the_locale() -> None:
    template = StoredTemplate(name="n", subject="s", html="x", locales={"pl": LocalText(html=IMG.format("qr"))})
    (problem,) = check_template(template, {"order": ()}, "at")
    said = "in pl: cid:qr shows voucher.code, and there is no voucher here."
    assert (problem.path, problem.message) == ("at.html", said)


def test_a_wrong_variable_of_a_locale_names_the_locale() -> None:
    template = StoredTemplate(name="n", subject="s", text="t", locales={"pl": LocalText(text="{{ ordr.id }}")})
    (problem,) = check_template(template, {"order": ()}, "at")
    assert (problem.path, problem.message.split("?")[0]) == (
        "at.text",
        'in pl: there is no variable ordr. Did you mean "order"',
    )


def test_fields_that_upstream_may_add_are_accepted_in_templates() -> None:
    assert (
        template_problems(parsed("{{ customer.first_name | default('you') }} {{ order.metadata.x }} {{ delivery_id }}"))
        == ()
    )
    assert check_template(StoredTemplate(name="n", subject="{{ a.b }}"), {"a": ()}, "at") == ()


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_are_valid(file: Path) -> None:
    (document,) = read_documents([file])
    context = replace(
        CONTEXT, templates=document.beside.templates(), campaigns=CAMPAIGNS, complete=partial(bundled, brand={})
    )
    made = parse_definition(document.plain, context)
    assert template_problems(made) == ()
    assert made.distribution.id == file.stem


def test_a_problem_is_found_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(
        "distribution: x\nwhen:\n  all:\n    - order.amount: 1\n    - order.amount: {atleast: 2}\n"
        "channels:\n  - email: {}\n"
    )
    (document,) = read_documents([file])
    assert document.line('when.all[1]."order.amount".atleast') == 5
    assert document.line("channels[0].email.account") == 7
    assert document.line("consent") == 1


def test_yaml_that_is_none_says_on_which_line(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("a: 1\n  b: [\n")
    with pytest.raises(DefinitionInvalid, match=r"one.yaml:2"):
        read_documents([tmp_path])


def test_the_exported_schema_knows_every_key_and_test() -> None:
    schema = definition_schema()
    assert set(schema["properties"]) == set(DISTRIBUTION.keys)
    assert {*PREDICATES, *ITEM_TESTS} == set(schema["$defs"]["tests"]["properties"])
    assert schema["additionalProperties"] is False


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
VALUES = st.recursive(
    SCALARS | st.sampled_from([*TRIGGERS, "spring-codes", "main", "hello", "https://x.eu", "order.id", "a..b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["email", "webhook", "event", "campaign", "once_per", "once_in", "all", "url", "type"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(list(DISTRIBUTION.keys)) | st.text(max_size=5) | st.integers() | st.none()


@given(st.dictionaries(KEYS, VALUES), st.booleans())
def test_whatever_stands_under_whatever_key_is_taken_or_refused(written: dict[Any, Any], whole: bool) -> None:
    with contextlib.suppress(DefinitionInvalid):
        parse_definition({**definition(), **written} if whole else written, CONTEXT)
