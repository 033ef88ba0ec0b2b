"""Examples of the pages of sends by hand."""

from __future__ import annotations

from typing import Any

from console.web.pages import FieldProblem
from console.web.project_sends import NewSendPage, SendListRow, SendPage, SendsPage, ShownAct, ShownConsent, send_form
from tests.unit.console.web.test_project_pages import EVIL, NOW, frame

_FIELDS = ("main", "distribution", "customers", "file", "segment", "when", "at", "hold")
PROBLEMS = [FieldProblem(one, EVIL) for one in _FIELDS]
GIVEN = dict.fromkeys(send_form(), EVIL)
CHOICES: Any = {"segments": [(EVIL, EVIL)], "times": [("hold", "after its hold"), ("at", "at the time below")]}
ROWS = [
    SendListRow(EVIL, EVIL, "/d", "TO SEND", EVIL, "", 1234, 0, NOW, EVIL, EVIL, NOW, "/p/shop/sends/x"),
    SendListRow(EVIL, EVIL, "/d", "DONE", EVIL, "members_now", 5, 5, None, "", EVIL, NOW, "/p/shop/sends/x"),
]
LISTS: tuple[tuple[type[SendsPage], dict[str, Any]], ...] = (
    (SendsPage, {"here": "/p/shop/sends", "rows": ROWS, "may_write": True, "note": "The draft is gone."}),
    (SendsPage, {"here": "/p/shop/sends", "rows": ROWS, "may_write": False, "note": ""}),
)


def consent(**changes: Any) -> ShownConsent:
    given: dict[str, Any] = {
        "above": 1000, "is_needed": True, "is_given": False, "content": "ab" * 32, "audience": 1234,
        "approved_by": EVIL, "approved_at": NOW, "changes": [EVIL], "is_ours": False,
    }  # fmt: skip
    return ShownConsent(**(given | changes))


def new(**changes: Any) -> NewSendPage:
    given: dict[str, Any] = {
        "here": "/p/shop/sends", "path": "/p/shop/sends/new", "distributions": [(EVIL, EVIL)], "given": send_form(),
        **CHOICES, **frame(),
    }  # fmt: skip
    return NewSendPage(**(given | changes))


def send(**changes: Any) -> SendPage:
    given: dict[str, Any] = {
        "title": "Send of spring", "here": "/p/shop/sends", "path": "/p/shop/sends/x", "send": EVIL,
        "status": "SENDING",
        "distribution": EVIL, "distribution_path": "/d", "to": EVIL, "to_path": "/s", "audience": 1234,
        "is_complete": False, "out": 12, "width": 1.0, "revision": 3, "moments": [EVIL],
        "parts": [("sent", "Sent", 3), ("failed", "Failed", 1)], "messages_path": "/m",
        "actions": [ShownAct(NOW, "draft", EVIL, EVIL), ShownAct(NOW, "confirm", EVIL, "")], "approval": consent(),
        "acts": frozenset({"confirm", "approve", "discard", "edit", "pause", "resume", "stop"}), "note": "Paused.",
        **CHOICES, **frame(),
    }  # fmt: skip
    return SendPage(**(given | changes))


PAGES = (
    new(), new(given=GIVEN, problems=PROBLEMS, distributions=[]), send(),
    send(given=GIVEN, problems=[one for one in PROBLEMS if one.field != "distribution"]),
    send(status="DRAFT", to="", to_path=None, approval=consent(is_given=True), note=""),
    send(status="DONE", to_path=None, approval=consent(is_ours=True, changes=[]), acts=frozenset({"stop"})),
    send(status="TO SEND", approval=consent(is_needed=False), acts=frozenset()), send(approval=None),
)  # fmt: skip
