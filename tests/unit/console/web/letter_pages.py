"""Examples of the pages of dead-letters."""

from __future__ import annotations

from typing import Any

from console.web.pages import FieldProblem
from console.web.project_lists import ListPage
from console.web.project_operations import (
    DeadLetterPage,
    DeadLetterRow,
    DeadLettersPage,
    MendPage,
    ReplayPage,
    ReplayRow,
    ShownFieldChange,
)
from tests.unit.console.web.test_project_pages import EVIL, frame

LETTER = DeadLetterRow("0:17", EVIL, EVIL, EVIL, EVIL, 1, 17, EVIL, EVIL, "/p/shop/dead-letters/0:17")


def dead_letter(**changes: Any) -> DeadLetterPage:
    given: dict[str, Any] = {
        "title": "Dead-letter 0:17", "here": "/p/shop/dead-letters", "letter": LETTER, "key": EVIL, "size": 1234,
        "headers": [(EVIL, EVIL), (EVIL, None)], "value": EVIL, "cut": 9, "may_replay": True,
        "mend": "/p/shop/dead-letters/0:17/mend", "note": "", **frame(),
    }  # fmt: skip
    return DeadLetterPage(**(given | changes))


def mend(**changes: Any) -> MendPage:
    given: dict[str, Any] = {
        "title": "Mend dead-letter 0:17", "here": "/p/shop/dead-letters", "letter": LETTER, "text": EVIL, "lines": 8,
        "path": "/p/shop/dead-letters/0:17/mend", "force": False, "changes": None, **frame(),
    }  # fmt: skip
    return MendPage(**(given | changes))


REPLAYS = [ReplayRow(EVIL, EVIL, EVIL, "", 1234), ReplayRow(EVIL, EVIL, EVIL, EVIL, 1)]
REPLAY: dict[str, Any] = {"here": "/p/shop/replay", "rows": REPLAYS, "newest": 1000, "note": ""}
LISTS: tuple[tuple[type[ListPage], dict[str, Any]], ...] = (
    (DeadLettersPage, {
        "here": "/p/shop/dead-letters", "rows": [LETTER], "newest": 1234, "replay": "/p/shop/replay",
        "granted": frozenset({"dead_letters:operate"}),
    }),
    (DeadLettersPage, {
        "here": "/p/shop/dead-letters", "rows": [LETTER], "newest": 1234, "replay": "/p/shop/replay",
        "note": "Put back: 2 records.",
    }),
    (ReplayPage, REPLAY),
    (ReplayPage, {**REPLAY, "ready": 1234, "seen": EVIL, "note": "Put back: 3 records."}),
)  # fmt: skip
PAGES = (
    dead_letter(), dead_letter(key=None, cut=0, may_replay=False, mend=None, note="It was put back."),
    mend(), mend(changes=[]), mend(changes=[ShownFieldChange(EVIL, EVIL, ""), ShownFieldChange("a", "", EVIL)]),
    mend(problems=[FieldProblem("value", EVIL), FieldProblem("force", EVIL)], force=True),
)  # fmt: skip
