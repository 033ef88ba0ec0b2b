"""Pages of a project, each with texts from outside that must stay texts."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from console.web.pages import FieldProblem, respond
from console.web.project_pages import (
    PROJECT_PAGES,
    CustomerPage,
    DistributionRow,
    DistributionsPage,
    Letter,
    LetterStep,
    ProjectMessagePage,
    ProjectPage,
    ShownHold,
    ShownSegment,
)
from console.web.reasons import REASONS, sentence
from schemas.closed import Reason, members
from schemas.decision import Check

NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)
HOSTILE = (
    '"><script>alert(1)</script>&', "' onmouseover=alert(1) x='", "{{ 7 * 7 }}{% include 'base.html' %}",
    "</title><h1>", "<!--", "javascript:alert(1)", "a\u202egnp\u2066", "\x00\x1b[31m", "=HYPERLINK(1)",
    "<svg/onload=alert(1)>",
)  # fmt: skip
EVIL = " ".join(HOSTILE)


class Tags(HTMLParser):
    """The tags of a page, their attributes, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.attributes, self.links = set[str](), set[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "action", "src")]


def frame() -> Any:
    navigation = [("/p/shop/distributions", "Distributions")]
    return {"who": EVIL, "project": EVIL, "projects": [EVIL], "navigation": navigation, "now": NOW, "zone": UTC}


def row(**changes: Any) -> DistributionRow:
    given: dict[str, Any] = {
        "id": EVIL, "name": EVIL, "status": "LIVE", "trigger": EVIL, "channels": ["email"], "sent": 1234, "held": 1,
        "skipped": 2, "failed": 3, "changed_at": NOW, "path": "/p/shop/distributions/x",
    }  # fmt: skip
    return DistributionRow(**(given | changes))


def listed(**changes: Any) -> DistributionsPage:
    given: dict[str, Any] = {
        "here": "/p/shop/distributions", "rows": [row()], "text": EVIL, "status": "LIVE", "statuses": ["LIVE", "DRAFT"],
        "is_first": False, "next": "/p/shop/distributions?cursor=x", "table_json": "/j", "table_csv": "/c",
        "missing": EVIL, **frame(),
    }  # fmt: skip
    return DistributionsPage(**(given | changes))


CHECKS = [Check(test=EVIL, passed=passed, seen=EVIL) for passed in (True, False, None)]
FULL = CustomerPage(
    title="Customer c1",
    here="/p/shop/customers",
    customer=EVIL,
    distribution=EVIL,
    letters=[Letter(NOW, EVIL, EVIL, EVIL, 3, CHECKS, [LetterStep(NOW, "sent", EVIL, EVIL)])],
    holds=[ShownHold(EVIL, EVIL, NOW, NOW), ShownHold(EVIL, EVIL, None, NOW)],
    segments=[ShownSegment(EVIL, NOW, None), ShownSegment(EVIL, None, EVIL)],
    choices=[EVIL],
    first="/p/shop/customers?id=c1",
    next="/p/shop/customers?id=c1&cursor=x",
    missing=EVIL,
    **frame(),
)

EXAMPLES: tuple[ProjectPage, ...] = (
    ProjectMessagePage(title="Nothing", text=EVIL, **frame()),
    listed(),
    listed(rows=[], text="", status="", is_first=True, missing=None, next=None),
    listed(rows=[], missing=None, next=None),
    FULL,
    CustomerPage(title="Customers", here="/p/shop/customers", **frame()),
    CustomerPage(title="Customer c1", here="/p/shop/customers", customer="c1", **frame()),
    listed(rows=[], missing=None, next=None, problems=[FieldProblem("q", "Text: is wrong")]),
)


def test_every_page_has_an_example() -> None:
    assert {type(one) for one in EXAMPLES} == set(PROJECT_PAGES)


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda one: type(one).__name__)
def test_a_page_is_readable_to_everybody_and_shows_nothing_as_markup(page: ProjectPage) -> None:
    text = respond(page).text or ""
    read = Tags()
    read.feed(text)
    assert {"script", "svg", "style", "iframe"}.isdisjoint(read.names)
    assert not [one for one in read.attributes if one.startswith("on") or one == "style"]
    assert all(not link.startswith("javascript:") for link in read.links)
    assert "{{ 7 * 7 }}" in html.unescape(text)
    assert "49" not in re.sub(r"\d{4,}", "", text)
    seen = re.sub(r'value="[^"]*"', "", text)
    assert not re.search("[\x00-\x08\x1b\u202a-\u202e\u2066-\u2069]", seen)
    assert len(re.findall("<h1>", text)) == len(re.findall(r"<title>", text)) == len(re.findall("<main ", text)) == 1
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    labelled = re.findall(r'<label for="(\w+)"', text)
    assert set(re.findall(r'<(?:input|select) id="(\w+)"', text)) == set(labelled)
    assert re.findall(r'<nav id="column" popover aria-label="Project">', text)
    assert 'popovertarget="column"' in text
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        assert "<caption>" in table
        assert '<th scope="row">' in table
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in ids


def test_an_empty_list_says_the_command_that_makes_the_first_one() -> None:
    new = respond(EXAMPLES[2]).text or ""
    assert "tidings apply distributions/ --project" in new
    filtered = respond(EXAMPLES[3]).text or ""
    assert ("No distribution fits" in filtered, "tidings apply" in filtered) == (True, False)


def test_each_reason_has_a_sentence_of_its_own() -> None:
    assert set(REASONS) == set(members(Reason))
    assert len(set(REASONS.values())) == len(REASONS)
    assert (sentence("capped"), sentence(None), sentence("of_tomorrow")) == (REASONS["capped"], "", "of_tomorrow")


def test_a_letter_tells_marks_by_words_as_well() -> None:
    text = respond(FULL).text or ""
    assert [text.count(word) for word in (">passed<", ">failed<", ">not judged<")] == [1, 1, 1]
