"""E-mails, as far as they are pure: what an author may say of one beside its content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.channels.email import AttachedUrl, EmailDelivery, EmailPlan
from schemas.errors import DefinitionInvalid
from schemas.template import LocalText
from streams.channels.email import preceded
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.factory import CONTEXT, NOW, context, definition, rule

URL = "https://x.example/{{ order.id }}.pdf"
PLAIN = {"account": "main", "subject": "s", "text": "hi", "html": "<b>hi</b>"}


def written(**email: Any) -> dict[str, Any]:
    return definition(channels=[{"email": {**PLAIN, **email}}])


@pytest.mark.parametrize(
    ("email", "path", "said"),
    [
        ({"reply_to": "help"}, "reply_to", '"help" is not valid: must be an e-mail address such as help@shop.example'),
        ({"reply_to": "a@b.example\r\nBcc: c@d.example"}, "reply_to", "must be an e-mail address"),
        ({"sender_name": " "}, "sender_name", "must be a text of at most 100 characters"),
        ({"sender_name": "x" * 101}, "sender_name", "must be a text of at most 100 characters"),
        ({"sendername": "x"}, "sendername", 'Did you mean "sender_name"?'),
        ({"preheader": "x", "html": None}, "preheader", "needs HTML"),
        ({"preheader": "x" * 301}, "preheader", "must be a text of at most 300 characters"),
        ({"utm": {}}, "utm.source", "is missing"),
        ({"utm": {"source": "a", "name": "b"}}, "utm.name", "must be one of source, medium, campaign, content, term"),
        ({"utm": "newsletter"}, "utm", "must be a mapping"),
        ({"attachments": []}, "attachments", "must be a list of at least one of {url:"),
        ({"attachments": [{"name": "x"}]}, "attachments[0]", "needs a url, or a file beside the document"),
        ({"attachments": [{"file": "a.pdf", "url": URL}]}, "attachments[0].file", "stands instead of url"),
        ({"attachments": [{"file": "a.exe"}]}, "attachments[0].file", "files of the type .exe"),
        ({"attachments": [{"file": "x/a:b.pdf"}]}, "attachments[0].file", "a:b.pdf is not a file's name"),
        ({"attachments": [{"file": "{{ a }}.pdf"}]}, "attachments[0].file", "is a template: a file beside"),
        ({"attachments": [{"file": "a.pdf", "name": "{{ a }}"}]}, "attachments[0].file", "is a template: a file"),
        (
            {"attachments": [{"file": "a.pdf"}]},
            "attachments[0].file",
            "no file came with the document; attach",
        ),
        ({"attachments": [{"file": 7}]}, "attachments[0].file", "must be a text: a file beside the document"),
        ({"attachments": [{"url": URL}] * 11}, "attachments", "has 11 entries; at most 10 are allowed"),
        ({"attachments": [{"url": "ftp://x.example/a"}]}, "attachments[0].url", "must be an https address"),
        ({"attachments": [{"url": "https://u:p@x.example/a"}]}, "attachments[0].url", "must be an https address"),
        ({"attachments": [{"url": "https://x.example/a b"}]}, "attachments[0].url", "must be an https address"),
        ({"attachments": [{"url": "https://x.example/a.exe?b=1"}]}, "attachments[0].url", "files of the type .exe"),
        ({"attachments": [{"url": URL, "name": "{{ order.id }}.js"}]}, "attachments[0].name", "files of the type .js"),
        ({"attachments": [{"url": URL, "name": "a/b.pdf"}]}, "attachments[0].name", "without / and"),
        ({"attachments": [{"url": URL, "name": "a\r\nb"}]}, "attachments[0].name", "without / and"),
    ],
)
def test_its_author_is_told_what_would_be_right(email: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(written(**email), CONTEXT)
    (problem,) = [one for one in caught.value.problems if said in one.message]
    assert problem.path == f"channels[0].email.{path}"


@pytest.mark.parametrize(
    ("utm", "expected"),
    [
        (None, {}),
        ({"source": "news"}, {"utm_source": "news", "utm_medium": "email", "utm_campaign": "thanks"}),
        (
            {"source": "news", "medium": "crm", "campaign": "spring", "content": "a", "term": "b"},
            {"utm_source": "news", "utm_medium": "crm", "utm_campaign": "spring", "utm_content": "a", "utm_term": "b"},
        ),
    ],
)
def test_links_say_what_the_author_wrote_and_else_the_distribution(utm: Any, expected: dict[str, str]) -> None:
    (plan,) = parse_definition({**written(utm=utm), "distribution": "thanks"}, CONTEXT).distribution.channels
    assert isinstance(plan, EmailPlan)
    assert plan.link_parameters == expected


def test_what_is_said_of_the_mail_reaches_its_delivery() -> None:
    said = {
        "sender_name": "Ann",
        "reply_to": "Help@SHOP.example",
        "utm": {"source": "news"},
        "attachments": [{"url": URL}, {"url": "{{ order.metadata.url }}", "name": "a.exe.pdf"}],
    }
    index = RuleIndex()
    index.insert(rule(channels=[{"email": {**PLAIN, **said}}]))
    (made,) = match_event(context(), index, NOW).deliveries
    assert isinstance(made, EmailDelivery)
    address = made.email
    assert (address.sender_name, address.reply_to) == ("Ann", "Help@shop.example")
    assert address.link_parameters["utm_source"] == "news"
    assert address.attachments == [
        AttachedUrl(url=URL),
        AttachedUrl(url="{{ order.metadata.url }}", name="a.exe.pdf"),
    ]
    assert made.redacted().email.attachments == []


def test_a_preheader_stands_in_each_locale() -> None:
    files = TemplateFiles("hi", "<b>hi</b>", {"pl": LocalText(html="<i>hej</i>"), "de": LocalText(text="hallo")})
    source = definition(
        channels=[{"email": {"account": "main", "subject": "s", "template": "hello", "preheader": "x"}}]
    )
    ((_, template),) = parse_definition(source, replace(CONTEXT, templates={"hello": files})).templates
    assert ">x</div><b>hi</b>" in (template.html or "")
    assert ">x</div><i>hej</i>" in (template.locales["pl"].html or "")
    assert template.locales["de"].html is None


@pytest.mark.parametrize(
    ("html", "before", "behind"),
    [
        ("<b>hi</b>", "", "<b>hi</b>"),
        ("<html><BODY class='a>b'>\n<p>hi</p></BODY></html>", "<html><BODY class='a>b'>", "\n<p>hi</p></BODY></html>"),
        ("<tbody><tr></tr></tbody>", "", "<tbody><tr></tr></tbody>"),
    ],
)
def test_a_preheader_is_the_first_of_the_body_and_moves_no_line(html: str, before: str, behind: str) -> None:
    made = preceded(html, "Tom & {{ customer.name | default('a & b') }}\n<3")
    assert made.startswith(f"{before}<div style=")
    assert made.endswith(f">Tom &amp; {{{{ customer.name | default('a & b') }}}} &lt;3</div>{behind}")
