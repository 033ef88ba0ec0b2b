"""Pages of the builder, each with texts from outside that must stay texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.control.distribution_versions import DiffLine
from console.web.builder.records import (
    BUILDER_PAGES,
    BackfillChoice,
    BuilderFormPage,
    BuilderPage,
    BuilderSummaryPage,
    BuilderTextPage,
    Button,
    FormField,
    Output,
    Place,
    Section,
    ShownCame,
    ShownFinding,
    ShownMeanwhile,
    ShownPreflight,
    ShownWeek,
    Tab,
    Tried,
    Wrong,
    WrongLine,
)
from console.web.pages import FieldProblem
from schemas.decision import Check
from tests.unit.console.web.template_pages import OFFERED
from tests.unit.console.web.test_project_pages import EVIL, NOW, frame, hold

MEANWHILE = ShownMeanwhile(3, EVIL, NOW, [EVIL], [DiffLine(kind, EVIL) for kind in ("same", "added", "removed", "gap")])


def around(**changes: Any) -> dict[str, Any]:
    """The fields that all of them have."""
    given: dict[str, Any] = {
        "title": "Edit winback", "here": "/p/shop/distributions", "action": "/p/shop/distributions/winback/edit",
        "step": "yaml", "tabs": [Tab("yaml", "YAML", True)], "text": EVIL, "seen": 2, "status": "DRAFT",
        "save_text": "Save as draft", "note": EVIL, **frame(),
    }  # fmt: skip
    return given | changes


WRONG = [FieldProblem("yaml", EVIL)]
SECTIONS = [
    Section(EVIL, (FormField("a", EVIL, EVIL, EVIL, takes="text"),
                   FormField("b", EVIL, EVIL, kind="lines", takes="html")), EVIL, kept=EVIL),
    Section("", (FormField("c", EVIL, EVIL, kind="choice", choices=[(EVIL, EVIL)], nothing="none"),), is_row=True,
            remove=Button("drop:0", "", EVIL), buttons=[Button("stay", EVIL, EVIL)]),
    Section(EVIL, rows=[Section(EVIL, (FormField("f", EVIL, EVIL, known_of="d", takes="path"),), columns=4)],
            output=Output("output_0", [(EVIL, EVIL)], EVIL, EVIL), number=0),
    Section(EVIL, (FormField("g", EVIL, EVIL),), output=Output("output_1", frame="/p/shop/x?channel=1"), number=1),
    Section("More", more=[FormField("d", EVIL, known=[EVIL]), FormField("e", EVIL, EVIL)]),
]  # fmt: skip
CHECKS = [Check(test=EVIL, passed=passed, seen=EVIL) for passed in (True, False, None)]
SUMMARY = BuilderSummaryPage(
    **around(), canonical=EVIL, may_set_live=True, may_test=True, event=EVIL, is_ready=True, sentences=[EVIL],
    plan=[EVIL],
    warnings=[EVIL], backfills=[BackfillChoice("only_later", EVIL, True), BackfillChoice("members_now", EVIL, False)],
    tried=Tried(EVIL, CHECKS, [EVIL], EVIL), week=ShownWeek(EVIL, [ShownCame(EVIL, EVIL, 3)]),
    preflight=ShownPreflight(EVIL, [
        ShownFinding("blocker", EVIL, EVIL, EVIL, EVIL, "1 of 2"),
        ShownFinding("note", EVIL, EVIL, EVIL, EVIL, "", Place("trigger", "trigger_event", EVIL)),
        ShownFinding("note", EVIL, EVIL, EVIL, EVIL, "", Place("trigger", "", EVIL)),
    ], False),
)  # fmt: skip
EXAMPLES: tuple[BuilderPage, ...] = (
    BuilderTextPage(**around(note="")),
    BuilderTextPage(**around(), plan=[EVIL], warnings=[EVIL]),
    BuilderTextPage(
        **around(problems=WRONG * 2), wrong=[WrongLine(EVIL, EVIL, EVIL, EVIL), WrongLine("", "", EVIL, "")]
    ),
    BuilderTextPage(**around(problems=WRONG, meanwhile=MEANWHILE)),
    BuilderTextPage(**around(problems=WRONG, meanwhile=ShownMeanwhile(3, EVIL, NOW, [], None))),
    BuilderTextPage(**around(problems=WRONG, meanwhile=ShownMeanwhile(3, EVIL, NOW, [], ()), is_managed=True)),
    BuilderFormPage(**around(), hint="What it is.", sections=SECTIONS, variables=OFFERED, event=EVIL),
    BuilderFormPage(
        **around(problems=[FieldProblem("a", EVIL), FieldProblem("f", EVIL), FieldProblem("main", EVIL)]),
        hint="",
        sections=SECTIONS,
        event="",
        event_note=EVIL,
    ),
    SUMMARY,
    BuilderSummaryPage(
        **around(),
        canonical=EVIL,
        may_set_live=False,
        may_test=False,
        event="",
        wrong=[Wrong("mode", EVIL), Wrong("trigger", EVIL, "trigger_event"), Wrong("yaml", EVIL)],
        late=EVIL,
    ),
    replace(
        SUMMARY,
        may_set_live=False,
        is_by_hand=True,
        tried=None,
        preflight=ShownPreflight(EVIL, [], True),
        problems=[FieldProblem("event", EVIL)],
    ),
)


def test_every_page_has_an_example() -> None:
    assert {type(one) for one in EXAMPLES} == set(BUILDER_PAGES)


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda one: type(one).__name__)
def test_a_page_is_readable_to_everybody_and_shows_nothing_as_markup(page: BuilderPage) -> None:
    hold(page)
