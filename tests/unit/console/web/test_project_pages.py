"""Pages of a project, each with texts from outside that must stay texts."""

from __future__ import annotations

import html
import re
from collections import Counter
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from console.control.distribution_versions import DiffLine
from console.web.chart import Bar, Chart, ChartPart
from console.web.pages import FieldProblem, respond
from console.web.project_pages import (
    PROJECT_PAGES,
    ChainLink,
    Choice,
    CustomerPage,
    CustomersPage,
    DistributionPage,
    FirstStepsPage,
    FoundRow,
    Letter,
    LetterStep,
    ProjectMessagePage,
    ProjectPage,
    SentMessagePage,
    ShownAttempt,
    ShownChange,
    ShownContent,
    ShownFirstStep,
    ShownHold,
    ShownProfile,
    ShownReason,
    ShownSegment,
    ShownStep,
    ShownVersion,
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
OURS = re.compile(r'<script src="(?:&#x2f;|/)static(?:&#x2f;|/)[\w.-]+"></script>')


class Tags(HTMLParser):
    """The tags of a page, their attributes, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.attributes, self.links = Counter[str](), set[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "action", "src")]


def frame() -> Any:
    navigation = [("/p/shop/distributions", "Distributions")]
    return {"who": EVIL, "project": EVIL, "projects": [EVIL], "navigation": navigation, "now": NOW, "zone": UTC}


CHECKS = [Check(test=EVIL, passed=passed, seen=EVIL) for passed in (True, False, None)]
LETTERS = [
    Letter(NOW, EVIL, EVIL, EVIL, "/p/shop/distributions/x", 3, CHECKS,
           [LetterStep(NOW, "sent", EVIL, EVIL, "/p/shop/messages/x"), LetterStep(NOW, "sent", EVIL, EVIL)])
]  # fmt: skip
FULL = CustomerPage(
    title="Customer c1",
    here="/p/shop/customers",
    customer=EVIL,
    distribution=EVIL,
    profile=ShownProfile([(EVIL, EVIL)], EVIL),
    letters=LETTERS,
    holds=[ShownHold(EVIL, "/d", EVIL, NOW, NOW), ShownHold(EVIL, "/d", EVIL, None, NOW)],
    segments=[ShownSegment(EVIL, NOW, None), ShownSegment(EVIL, None, EVIL)],
    choices=[EVIL],
    first="/p/shop/customers?id=c1",
    next="/p/shop/customers?id=c1&cursor=x",
    missing=EVIL,
    **frame(),
)


def one_distribution(**changes: Any) -> DistributionPage:
    lines = [DiffLine(kind, EVIL) for kind in ("same", "added", "removed", "gap")]
    given: dict[str, Any] = {
        "title": "Winback", "here": "/p/shop/distributions", "path": "/p/shop/distributions/x", "names_id": False,
        "distribution": EVIL, "status": "LIVE", "version": 3, "applied_by": EVIL, "applied_at": NOW,
        "sentences": [EVIL], "periods": [Choice("7 days", "/p/shop/distributions/x?since=7d", True)], "since": EVIL,
        "until": EVIL, "range_since": NOW, "range_until": NOW,
        "steps": [
            ShownStep("Matched", "events", 1234, 1, "", "none before", 100.0, None),
            ShownStep("Sent", "of those", 0, 0, "0 % of matched", "as before", 0.0, "/p/shop/messages?outcome=sent"),
        ],
        "chart": Chart(
            "hour", 3, [ChartPart(1, NOW, 3, 1, 0, [Bar("sent", 25.0, 75.0), Bar("skipped", 0.0, 25.0)], "/p/shop/m")],
            4, [NOW, NOW],
        ),
        "reasons": [ShownReason("skipped", EVIL, 12, "/p/shop/messages?outcome=skipped", "/r")],
        "versions": [ShownVersion(3, "LIVE", EVIL, NOW, "/p/shop/distributions/x?version=3#versions", True)],
        "older": "/p/shop/distributions/x?before=3#versions", "change": ShownChange(3, 2, [EVIL], lines),
        "yaml": EVIL, "missing": EVIL, "note": "", "acts": [("pause", "Pause"), ("stop", "Stop it")],
        "at_once": None, "is_managed": False, **frame(),
    }  # fmt: skip
    return DistributionPage(**(given | changes))


def one_message(**changes: Any) -> SentMessagePage:
    chain = [ChainLink("Event", EVIL, EVIL), ChainLink("Customer", EVIL, "", "/c"), ChainLink("Decision", None, "")]
    made: dict[str, Any] = {
        "here": "/p/shop/messages", "delivery": EVIL, "word": "sent", "text": EVIL, "sentences": [EVIL], "chain": chain,
        "attempts": [ShownAttempt(1, NOW, "sent", EVIL, 1234)], "letters": LETTERS,
        "content": ShownContent(EVIL, 3, [("text", EVIL)], EVIL), "content_note": "", "missing": EVIL, **frame(),
    }  # fmt: skip
    return SentMessagePage(**(made | changes))


def first_steps(*states: str, **changes: Any) -> FirstStepsPage:
    steps = [ShownFirstStep(EVIL, EVIL, state, "/p/shop/x", EVIL, EVIL, "") for state in states]
    steps.append(ShownFirstStep(EVIL, EVIL, "open", None, EVIL, "", EVIL))
    done = states.count("done")
    return FirstStepsPage(here="/p/shop/start", steps=steps, done=done, messages_path="/m", **frame(), **changes)


EXAMPLES: tuple[ProjectPage, ...] = (
    ProjectMessagePage(title="Nothing", text=EVIL, **frame()),
    FULL,
    CustomersPage(title="Customers", here="/p/shop/customers", **frame()),
    CustomersPage(title="Customers", here="/p/shop/customers", sought=EVIL, found=[], **frame()),
    CustomersPage(
        title="Customers",
        here="/p/shop/customers",
        sought=EVIL,
        found=[FoundRow(EVIL, "/c", EVIL, EVIL, EVIL, EVIL)],
        more=True,
        problems=[FieldProblem("text", EVIL)],
        **frame(),
    ),
    CustomerPage(title="Customer c1", here="/p/shop/customers", customer="c1", **frame()),
    one_distribution(),
    one_distribution(chart=Chart("week", 1, [], 0, [NOW, NOW])),
    one_distribution(
        status="PAUSED",
        acts=[("resume", "Go on"), ("archive", "Archive it")],
        at_once=EVIL,
        is_managed=True,
        note="It is so.",
        problems=[FieldProblem("step", EVIL)],
    ),
    one_distribution(names_id=True, change=ShownChange(3, 2, [], None), problems=[FieldProblem("since", EVIL)]),
    one_distribution(reasons=[], older=None, missing=None, change=ShownChange(1, None, [], ())),
    one_distribution(change=ShownChange(2, 1, [], ())),
    first_steps("next", "open"),
    first_steps("done", "done", live="/p/shop/start"),
    one_distribution(live="/p/shop/x?q=\"><script>alert(1)</script>' onload='alert(1)"),
    one_message(),
    one_message(attempts=[], letters=[], sentences=[], text="", content=None, content_note=EVIL, missing=None),
    one_message(content=ShownContent(None, None, [], None)),
)


def test_every_page_has_an_example() -> None:
    assert {type(one) for one in EXAMPLES} == set(PROJECT_PAGES)


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda one: type(one).__name__)
def test_a_page_is_readable_to_everybody_and_shows_nothing_as_markup(page: ProjectPage) -> None:
    hold(page)


def hold(page: ProjectPage) -> None:
    """Everything that is right of every page."""
    text = OURS.sub("", respond(page).text or "")
    read = Tags()
    read.feed(text)
    assert {"script", "style"}.isdisjoint(read.names)
    assert read.names["iframe"] == text.count("<iframe sandbox ") == len(re.findall("<iframe[^>]* title=", text))
    bars = len(page.steps) if isinstance(page, DistributionPage) else 0
    assert read.names["svg"] == text.count('class="gauge') + text.count('<figure class="chart">') >= bars
    assert not [one for one in read.attributes if one.startswith("on") or one == "style"]
    assert all(not link.startswith("javascript:") for link in read.links)
    assert '<body class="in-project">' in text
    assert "{{ 7 * 7 }}" in html.unescape(text)
    assert "49" not in re.sub(r"\d{4,}|/static/[^\"]*", "", html.unescape(text))
    seen = re.sub(r'value="[^"]*"|(?<=>)[^<]*(?=</textarea>)', "", text)  # which go back as they came
    assert not re.search("[\x00-\x08\x1b\u202a-\u202e\u2066-\u2069]", seen)
    head = text.partition("<body")[0]
    assert len(re.findall("<h1>", text)) == len(re.findall("<title>", head)) == len(re.findall("<main ", text)) == 1
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    labelled = re.findall(r'<label for="(\w+)"', text)
    assert set(re.findall(r'<(?:input|select|textarea) id="(\w+)"', text)) == set(labelled)
    assert re.findall(r'<nav id="column" popover aria-label="Project">', text)
    assert 'popovertarget="column"' in text
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        assert "<caption>" in table
        assert '<th scope="row">' in table or '<tbody id="records">\n</tbody>' in table, "into which rows come"
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in ids


def test_each_reason_has_a_sentence_of_its_own() -> None:
    assert set(REASONS) == set(members(Reason))
    assert len(set(REASONS.values())) == len(REASONS)
    assert (sentence("capped"), sentence(None), sentence("of_tomorrow")) == (REASONS["capped"], "", "of_tomorrow")


def test_a_letter_tells_marks_by_words_as_well() -> None:
    text = respond(FULL).text or ""
    assert [text.count(word) for word in (">passed<", ">failed<", ">not judged<")] == [1, 1, 1]
