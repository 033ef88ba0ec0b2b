"""Examples of the pages on which templates are edited, looked at and tried."""

from __future__ import annotations

from typing import Any

from console.control.distribution_versions import DiffLine
from console.control.preview.offered import Offered, OfferedGroup
from console.web.pages import FieldProblem
from console.web.project_templates import (
    CardField,
    EditedFile,
    Meanwhile,
    NewTemplatePage,
    PreviewPage,
    SectionsPage,
    ShownCard,
    ShownMessage,
    TemplateEditPage,
    new_template_form,
    occasion_form,
)
from tests.unit.console.web.test_project_pages import EVIL, frame

LINES = [DiffLine(kind, EVIL) for kind in ("same", "added", "removed", "gap")]
OFFERED = [
    OfferedGroup("customer", [Offered("{{ customer.name }}", "customer.name", EVIL), Offered(EVIL)]),
    OfferedGroup("Asked for most", [], is_object=False),
]
OCCASION = dict.fromkeys(occasion_form(), EVIL)


def edit(**changes: Any) -> TemplateEditPage:
    given: dict[str, Any] = {
        "title": "Edit template hello", "here": "/p/shop/templates", "path": "/p/shop/templates/x", "back": "/t",
        "name": EVIL, "version": 3, "files": [EditedFile(0, EVIL, EVIL, 4), EditedFile(1, EVIL, "\n" + EVIL, 4)],
        "frame": "/p/shop/templates/x/preview", "triggers": [("customer.order.paid", "customer.order.paid")],
        "locales": [EVIL], "variables": OFFERED, "occasion": OCCASION,
        "note": EVIL, **frame(),
    }  # fmt: skip
    return TemplateEditPage(**(given | changes))


def new(**changes: Any) -> NewTemplatePage:
    given: dict[str, Any] = {
        "here": "/p/shop/templates", "path": "/p/shop/new-template", "designs": [(EVIL, EVIL)], **frame(),
    }  # fmt: skip
    return NewTemplatePage(**(given | changes))


def preview(**changes: Any) -> PreviewPage:
    made = [
        ShownMessage("email", (), "/p/shop/preview/frame", ""), ShownMessage("sms", [("Text", EVIL)], "", ""),
        ShownMessage("webhook", (), "", EVIL),
    ]  # fmt: skip
    given: dict[str, Any] = {
        "title": "Preview x", "here": "/p/shop/distributions", "path": "/p/shop/preview", "distribution": EVIL,
        "distribution_path": "/d", "version": 3, "arms": [EVIL], "channels": ["email", "sms"],
        "asked": dict.fromkeys(("distribution", "arm", "channel", "customer", "message", "locale", "newest"), EVIL),
        "messages": made, "withheld": EVIL, "notes": [EVIL], "may_test": True, "note": EVIL, "to": EVIL,
        "whose": EVIL, **frame(),
    }  # fmt: skip
    return PreviewPage(**(given | changes))


ASKED = [FieldProblem(one, EVIL) for one in ("main", "to", "channel", "customer", "message", "locale")]


def sections(**changes: Any) -> SectionsPage:
    cards = [
        ShownCard(0, "Subject", [CardField("f_0_subject", "Subject", EVIL)], False),
        ShownCard(1, "Text", [CardField("f_1_body", "Text", "\n" + EVIL, 4)], True), ShownCard(2, "Divider", [], True),
    ]  # fmt: skip
    given: dict[str, Any] = {
        "title": "Sections of x", "here": "/p/shop/templates", "path": "/p/shop/templates/x", "back": "/t",
        "name": EVIL, "version": 3, "file": EVIL, "others": [(EVIL, "/o")], "state": "e30=", "cards": cards,
        "frame": "/f",
        "kinds": [("text", "Text")], "variables": OFFERED, "changed": True, "note": EVIL, **frame(),
    }  # fmt: skip
    return SectionsPage(**(given | changes))


UNWRITABLE = [FieldProblem(one, EVIL) for one in ("main", "f_0_subject", "f_1_body")]
WRONG = [FieldProblem(one, EVIL) for one in ("main", "text_0", "text_1")]
PAGES = (
    sections(), sections(problems=UNWRITABLE, others=[], changed=False, note=""),
    sections(meanwhile=Meanwhile(4, EVIL, [(EVIL, LINES)]), problems=[FieldProblem("meanwhile", EVIL)]),
    preview(), preview(problems=ASKED), preview(messages=[], withheld="", notes=[], may_test=False, arms=[], note=""),
    edit(), edit(problems=WRONG, occasion=occasion_form(), note=""), edit(files=[], frame="", locales=[]),
    edit(meanwhile=Meanwhile(4, EVIL, [(EVIL, LINES), (EVIL, None)]), problems=[FieldProblem("meanwhile", EVIL)]),
    new(), new(given=dict.fromkeys(new_template_form(), EVIL), problems=[FieldProblem("name", EVIL)]),
)  # fmt: skip
