"""Examples of the pages on which segments are written."""

from __future__ import annotations

from console.web.builder.records import WrongLine
from console.web.pages import FieldProblem
from console.web.project_segments import SegmentFormPage, SegmentTextPage, ShownCount, ShownUnjudged
from tests.unit.console.web.test_builder import MEANWHILE, SECTIONS, WRONG, around
from tests.unit.console.web.test_project_pages import EVIL

REASONS = [ShownUnjudged(1234, EVIL, EVIL, "/c")]
PAGES = (
    SegmentFormPage(**around(), hint="Whoever these hold of.", sections=SECTIONS),
    SegmentFormPage(**around(problems=[FieldProblem("a", EVIL)]), hint="", sections=SECTIONS),
    SegmentTextPage(**around(note="")),
    SegmentTextPage(**around(), plan=[EVIL], counted=ShownCount(1234, 5, REASONS, 10_000, 1_000_000)),
    SegmentTextPage(**around(), plan=[EVIL], counted=ShownCount(None, 0, [], 0, 5)),
    SegmentTextPage(**around(), plan=[EVIL], counted=ShownCount(5, 0, [], 5, 5)),
    SegmentTextPage(**around(problems=WRONG), wrong=[WrongLine(EVIL, EVIL, EVIL, EVIL)], is_managed=True),
    SegmentTextPage(**around(problems=WRONG, meanwhile=MEANWHILE)),
)
