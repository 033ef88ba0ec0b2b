"""Lists of a project, each with texts from outside that must stay texts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from console.web.pages import FieldProblem, respond
from console.web.project_lists import (
    LIST_PAGES,
    AuditedRow,
    AuditPage,
    Covering,
    Filter,
    ListPage,
    SuppressedRow,
    SuppressionsPage,
)
from tests.unit.console.web.test_project_pages import EVIL, NOW, frame, hold

HASH = "ab" * 32


def around(**changes: Any) -> Any:
    given: dict[str, Any] = {
        "filters": [Filter("thing", "To the id", EVIL), Filter("state", "State", "x", [("x", "words")])],
        "is_filtered": True, "is_first": False, "first": "/f", "next": "/n", "table_json": "/j", "table_csv": "/c",
        **frame(),
    }  # fmt: skip
    return given | changes


CHANGE = {"before": {EVIL: 1, "name": EVIL}, "after": {"name": "b"}}
AUDITED = [
    AuditedRow(12, NOW, EVIL, "distribution.changed", EVIL, 3, CHANGE, EVIL, EVIL, EVIL, HASH, "/p/shop/x"),
    AuditedRow(11, NOW, EVIL, "key.created", EVIL, None, {}, None, None, None, HASH, None),
    AuditedRow(10, NOW, EVIL, "suppressions.added", EVIL, None, {EVIL: EVIL}, None, None, None, HASH, None),
]
SUPPRESSED = [
    SuppressedRow(EVIL, "email", EVIL, EVIL, NOW, NOW, EVIL),
    SuppressedRow(EVIL, "", EVIL, "", None, NOW, "x"),
]
SUPPRESSIONS: dict[str, Any] = {
    "here": "/p/shop/suppressions", "rows": SUPPRESSED, "may_write": True, "channels": [("email", "email")],
    "reasons": [("requested", "somebody asked for it")], "note": "Taken off the list: 1 entry.",
}  # fmt: skip
FORM = {"keys": EVIL, "on": "email", "why": "requested", "source": EVIL, "until": EVIL}
MADE: tuple[tuple[type[ListPage], dict[str, Any]], ...] = (
    (AuditPage, {"here": "/p/shop/audit", "rows": AUDITED}),
    (SuppressionsPage, SUPPRESSIONS),
    (SuppressionsPage, {**SUPPRESSIONS, "may_write": False, "note": "", "covering": Covering(EVIL, [], False, [])}),
    (SuppressionsPage, {**SUPPRESSIONS, "given": FORM, "covering": Covering(EVIL, SUPPRESSED, True, ["email"])}),
)
EMPTY: dict[str, Any] = {"rows": [], "is_filtered": False, "is_first": True, "next": None}
EXAMPLES: tuple[ListPage, ...] = tuple(
    kind(**around(**given, **changes))
    for kind, full in MADE
    for given, changes in (
        (full, {}), (full | EMPTY, {}), (full | {"rows": []}, {}), (full | {"filters": []}, {}),
        (full | EMPTY, {"problems": [FieldProblem("thing", EVIL), FieldProblem("state", EVIL)]}),
    )
)  # fmt: skip


def test_every_list_has_an_example() -> None:
    assert {type(one) for one in EXAMPLES} == set(LIST_PAGES)


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda one: type(one).__name__)
def test_a_list_is_readable_to_everybody_and_shows_nothing_as_markup(page: ListPage) -> None:
    hold(page)


@pytest.mark.parametrize(("kind", "full"), MADE, ids=lambda one: getattr(one, "__name__", ""))
def test_a_list_without_rows_says_why(kind: type[ListPage], full: dict[str, Any]) -> None:
    new, filtered = (
        re.sub(r"<[^>]*>", "", (respond(kind(**around(**full | EMPTY | more))).text or "").partition("</form>")[2])
        for more in ({}, {"is_filtered": True})
    )
    assert ("Nothing fits" in filtered, "Nothing fits" in new) == (True, False)
    assert "tidings " in new, "the command that makes the first one"
