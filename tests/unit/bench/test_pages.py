"""The addresses that the benchmark of pages asks for are all there are."""

from __future__ import annotations

from console.api.table import ROUTES
from console.web.project_routes import PROJECT_ROUTES
from tests.bench import pages_asked
from tests.bench.pages_filled import BIG


def test_every_page_is_asked_for_and_each_has_a_name_where_it_needs_one() -> None:
    asked = [one.path for one in pages_asked.pages()]
    paths = {route.path for route in PROJECT_ROUTES if route.method == "GET"}
    pages = {path for path in paths if not path.endswith((".json", ".csv")) and path != "/topics/follow"}
    assert pages >= {*pages_asked.PLACES, *pages_asked.MORE, *pages_asked.UNASKED}, "a page that is gone"
    for path in pages - pages_asked.UNASKED:
        before = path.partition("{")[0]
        assert any(one.startswith(before) for one in asked), path
    assert len(set(asked)) == len(asked)


def test_each_filter_of_a_list_is_tried_alone_and_with_each_other() -> None:
    asked = {one.path for one in pages_asked.pages()}
    assert {
        "/messages", "/messages?outcome=bounced", f"/messages?distribution={BIG}&outcome=skipped",
        "/resend?outcome=failed&channel=batch", "/suppressions?channel=sms&reason=complained",
    } <= asked  # fmt: skip


def test_lists_of_the_api_are_asked_with_each_of_their_filters() -> None:
    asked = {one.path for one in pages_asked.api_lists()}
    lists = {route.path for route in ROUTES if route.method == "GET" and "{" not in route.path}
    for path in lists - {"/decisions"}:
        assert f"/api/v1{path}" in asked, path
    assert {"/api/v1/deliveries?status=recovered", f"/api/v1/decisions?distribution={BIG}"} <= asked
    assert "/api/v1/decisions?outcome=skipped" not in asked, "it needs to name something"
