"""Examples of the page on which everything is found."""

from __future__ import annotations

from typing import Any

from console.web.pages import FieldProblem
from console.web.project_search import FoundGroup, FoundLink, SearchPage
from tests.unit.console.web.test_project_pages import EVIL, frame

GROUPS = [
    FoundGroup("pages", "Pages", [FoundLink("Segments", "", "/p/shop/segments")]),
    FoundGroup("customers", "Customers", [FoundLink(EVIL, EVIL, "/p/shop/customers?id=c1")], "And others."),
]


def search(**changes: Any) -> SearchPage:
    given: dict[str, Any] = {
        "here": "/p/shop/search",
        "sought": EVIL,
        "groups": GROUPS,
        "status": "Found: 2.",
        **frame(),
    }
    return SearchPage(**(given | changes))


PAGES = (search(), search(groups=[], status="Nothing fits."), search(groups=[], problems=[FieldProblem("text", EVIL)]))
