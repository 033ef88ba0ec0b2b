"""Lists of a project, each with texts from outside that must stay texts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from console.web.builder.records import BUILDER_PAGES
from console.web.pages import FieldProblem, respond
from console.web.project_campaigns import (
    CampaignPage,
    CampaignRow,
    CampaignsPage,
    ImportRow,
    ImportsPage,
    NewImportPage,
    ShownCodes,
    ShownImportProblem,
    import_form,
)
from console.web.project_lists import (
    AuditedRow,
    AuditPage,
    Covering,
    DistributionRow,
    DistributionsPage,
    Filter,
    ListPage,
    MessageRow,
    MessagesPage,
    SuppressedRow,
    SuppressionsPage,
)
from console.web.project_operations import (
    DestinationRow,
    DestinationsPage,
    NoticeRow,
    NoticesPage,
    PartitionRow,
    RecordRow,
    RecordsPage,
    WorkerRow,
    WorkersPage,
)
from console.web.project_pages import PROJECT_PAGES, Choice, ProjectPage
from console.web.project_resend import FailedRow, ResendPage, ShownResend
from console.web.project_routes import PROJECT_ROUTES
from console.web.project_segments import (
    MemberRow,
    MembersPage,
    SegmentPage,
    SegmentRow,
    SegmentsPage,
    ShownEvents,
    ShownUnjudged,
)
from console.web.project_settings import (
    AccountFormPage,
    AccountInput,
    AccountRow,
    AccountsPage,
    BrandField,
    BrandPage,
    KeyRow,
    KeysPage,
    SettingsPage,
    ShownLimit,
    ShownTemplateVersion,
    ShownUse,
    TemplatePage,
    TemplateRow,
    TemplatesPage,
    UserRow,
    UsersPage,
)
from schemas.access import Permission
from tests.unit.console.web import letter_pages, search_pages, segment_pages, send_pages, template_pages
from tests.unit.console.web.test_project_pages import EVIL, NOW, frame, hold

HASH = "ab" * 32


def around(**changes: Any) -> Any:
    given: dict[str, Any] = {
        "filters": [Filter("thing", "To the id", EVIL), Filter("state", "State", "x", [("x", "words")])],
        "is_filtered": True, "is_first": False, "this": "/t", "first": "/f", "next": "/n",
        "table_json": "/j", "table_csv": "/c", **frame(),
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
CAMPAIGNS = [
    CampaignRow(EVIL, EVIL, EVIL, EVIL, "live", 3, True, NOW, NOW, "/p/shop/campaigns/x"),
    CampaignRow(EVIL, EVIL, EVIL, "", "ended", None, False, None, None, "/p/shop/campaigns/x"),
]
PROBLEM = ShownImportProblem(7, EVIL)
IMPORTS = [
    ImportRow(EVIL, "codes", EVIL, "/c", "adding", "40 % done", 1234, 500, 400, 100, 0, [], "", EVIL, NOW, None, True),
    ImportRow(EVIL, "customers", None, None, "refused", "", 3, 0, 0, 0, 2, [PROBLEM, ShownImportProblem(None, EVIL)],
              EVIL, EVIL, NOW, NOW, False),
]  # fmt: skip

DISTRIBUTIONS = [
    DistributionRow(EVIL, EVIL, "LIVE", EVIL, ["email"], 1234, 1, 2, 3, NOW, "/p/shop/distributions/x"),
    DistributionRow(EVIL, EVIL, "DRAFT", EVIL, [], 0, 0, 0, 0, NOW, "/p/shop/distributions/x"),
    DistributionRow(EVIL, EVIL, "ARCHIVED", EVIL, [], 0, 0, 0, 0, NOW, "/p/shop/distributions/x"),
]
MESSAGES = [
    MessageRow(NOW, "sent", EVIL, EVIL, "/p/shop/distributions/x", EVIL, "/p/shop/customers?id=x", EVIL, "/x"),
    MessageRow(NOW, "skipped", EVIL, EVIL, "/p/shop/distributions/x", EVIL, "/p/shop/customers?id=x", None, None),
]
RECORDS = [
    RecordRow("0:7", NOW, EVIL, EVIL, 1234, {EVIL: EVIL, "data": {"a": [EVIL]}}, "", "/p/shop/customers?id=x"),
    RecordRow("0:6", NOW, EVIL, "tombstone", 0, None, "", None),
    RecordRow("0:5", None, EVIL, "cannot be read", 12, None, EVIL, "/p/shop/customers?id=x"),
]
SEGMENTS = [
    SegmentRow(EVIL, EVIL, "live", 3, 1234, 5, 100, False, NOW, "/p/shop/segments/x", "/p/shop/members?segment=x"),
    SegmentRow(EVIL, EVIL, "static", 3, 1, 0, 0, True, NOW, "/p/shop/segments/x", "/p/shop/members?segment=x"),
]
MEMBERS: dict[str, Any] = {"here": "/p/shop/members", "rows": [MemberRow(EVIL, NOW, "/c")], "segment": EVIL,
                           "segment_path": "/p/shop/segments/x"}  # fmt: skip


NOTICES = [NoticeRow(one, EVIL, EVIL, EVIL, EVIL, NOW, at) for one, at in (("open", None), ("over", NOW))]
HELD = [
    DestinationRow(EVIL, "paused", EVIL, EVIL, NOW, 1234, NOW),
    DestinationRow(EVIL, "failing", "", EVIL, None, 0, None),
]
DESTINATIONS: dict[str, Any] = {
    "here": "/p/shop/destinations", "may_resume": True, "note": "It is sent to again.", "rows": HELD,
}  # fmt: skip


TEMPLATES = [TemplateRow(EVIL, 3, EVIL, EVIL, used, used, "/p/shop/templates/x") for used in ([EVIL], [])]
ACCOUNTS = [
    AccountRow(EVIL, "active", "database", NOW, EVIL), AccountRow(EVIL, "paused", "database", NOW, EVIL),
    AccountRow(EVIL, "active", "settings", None, ""),
]  # fmt: skip
INPUTS = [AccountInput("field_a", EVIL, EVIL, False, False), AccountInput("secret_b", EVIL, "", True, False)]
RARE = [
    AccountInput("secret_c", EVIL, "", True, True),
    AccountInput("field_d", EVIL, EVIL, False, False),
    AccountInput("field_e", EVIL, "x", False, False, [("x", EVIL), ("y", "y (usual)")], "as usual"),
]


def account_form(**changes: Any) -> AccountFormPage:
    given: dict[str, Any] = {
        "title": "Add an account", "here": "/p/shop/accounts", "path": "/p/shop/accounts/new", "account": "",
        "channel": "email", "channels": ["email", "sms"], "name": EVIL, "inputs": INPUTS, "more": RARE,
        "providers": [Choice("Twilio", "/p/shop/accounts/new?channel=sms", True)], "emptied": [("empty_a", EVIL, True)],
        "has_lost": False, **frame(),
    }  # fmt: skip
    return AccountFormPage(**(given | changes))


KEYS = [
    KeyRow(EVIL, EVIL, "admin", "live", "active", EVIL, NOW, None, None, None),
    KeyRow(EVIL, EVIL, "viewer", "test", "revoked", EVIL, NOW, NOW, NOW, EVIL),
]
USERS = [
    UserRow(EVIL, EVIL, EVIL, "admin", "active", EVIL, NOW, NOW, True),
    UserRow(EVIL, EVIL, EVIL, "admin", "active", EVIL, NOW, NOW, False),
    UserRow(EVIL, EVIL, EVIL, "admin", "disabled", EVIL, NOW, NOW, False),
    UserRow(EVIL, EVIL, "", "viewer", "invited", EVIL, NOW, None, False),
]


ROLES: dict[str, Any] = {"roles": [("viewer", "viewer")], "kinds": [("live", "live")]}
KEY_FORM = {"name": EVIL, "role": "viewer", "kind": "live", "expires": EVIL}
INVITED: dict[str, Any] = {
    "roles": ROLES["roles"], "given": {"email": EVIL, "display_name": EVIL, "role": "viewer"}, "link": EVIL,
    "until": NOW,
}  # fmt: skip


def template(**changes: Any) -> TemplatePage:
    given: dict[str, Any] = {
        "title": "Template hello", "here": "/p/shop/templates", "name": EVIL, "version": 3, "format": EVIL,
        "locales": EVIL, "applied_by": EVIL, "applied_at": NOW, "uses": [ShownUse(EVIL, 3, "/d")],
        "versions": [ShownTemplateVersion(3, EVIL, NOW, EVIL, "/p/shop/templates/x?version=3", True)],
        "files": [(EVIL, EVIL), ("hello.txt", EVIL)], "path": "/p/shop/templates/x", "frame": "/f",
        "newest": 4, "older": [EVIL], "acts": frozenset({"edit", "roll_out", "delete"}), "note": "Saved.", **frame(),
    }  # fmt: skip
    return TemplatePage(**(given | changes))


def settings(**changes: Any) -> SettingsPage:
    given: dict[str, Any] = {
        "here": "/p/shop/settings", "is_default": True, "facts": {"Project": EVIL}, "version": 3, "applied_by": EVIL,
        "limits": [ShownLimit("day", 1234, 1234, NOW), ShownLimit("month", 0, 5, None)], "applied_at": NOW,
        "document": EVIL, "role": "viewer", **frame(),
    }  # fmt: skip
    return SettingsPage(**(given | changes))


def brand_page(**changes: Any) -> BrandPage:
    needed = BrandField("name", "Name", EVIL, EVIL, EVIL, True)
    more = BrandField("color", "Color", EVIL, "", EVIL, False)
    given: dict[str, Any] = {
        "here": "/p/shop/brand", "needed": [needed], "more": [more], "missing": [needed], "seen": 3, "is_own": True,
        "note": EVIL, **frame(),
    }  # fmt: skip
    return BrandPage(**(given | changes))


def new_import(**changes: Any) -> NewImportPage:
    given: dict[str, Any] = {
        "title": "Hand in a file", "here": "/p/shop/imports", "path": "/p/shop/imports/codes", "kind": "codes",
        "columns": EVIL, "campaigns": [(EVIL, EVIL)], "most": 32, "given": {**import_form(), "campaign": EVIL},
        **frame(),
    }  # fmt: skip
    return NewImportPage(**(given | changes))


def workers(**changes: Any) -> WorkersPage:
    rows = [WorkerRow("matcher", EVIL, False, 3, 1234, 2000.4), WorkerRow("sender", "nobody", True, 3, 0, None)]
    partitions = [PartitionRow(EVIL, EVIL, 1, committed, 1234, 4) for committed in (None, 1230)]
    given: dict[str, Any] = {
        "here": "/p/shop/workers", "workers": rows, "partitions": partitions, "others": 3, "lag": 12, "failure": "",
        "missing": EVIL, **frame(),
    }  # fmt: skip
    return WorkersPage(**(given | changes))


WRITES: frozenset[Permission] = frozenset({"segments:write"})


def segment(number: int, **changes: Any) -> SegmentPage:
    given: dict[str, Any] = {
        "title": "Poland", "here": "/p/shop/segments", "segment": SEGMENTS[number],
        "reasons": [ShownUnjudged(1234, EVIL, EVIL, "/c")], "document": EVIL, "events": [
            ShownEvents(EVIL, EVIL, NOW, True, 3, 3), ShownEvents(EVIL, EVIL, None, False, 3, 5000),
        ], "edit": "/e", "remove": "/r", "is_managed": False, "note": "", **frame(),
    }  # fmt: skip
    return SegmentPage(**(given | changes))


def campaign(**changes: Any) -> CampaignPage:
    given: dict[str, Any] = {
        "title": "Spring", "here": "/p/shop/campaigns", "path": "/p/shop/campaigns/x", "campaign": EVIL,
        "status": "live", "version": 3, "sentences": [EVIL], "codes": ShownCodes(1234, 5, 1, 2, 3, 5, 10, 5000, True),
        "imports": IMPORTS, "may_cancel": True, "may_make": True,
        "most_made": 50_000, "count": EVIL, "note": "Made: 3 codes.", "document": EVIL,
        "problems": [FieldProblem("count", EVIL)], **frame(),
    }  # fmt: skip
    return CampaignPage(**(given | changes))


FAILED = [
    FailedRow("email", EVIL, "failed", EVIL, 1234, NOW, "/p/shop/resend?reason=none"),
    FailedRow("sms", EVIL, "sent", "", 1, NOW, None),
]
RESEND: dict[str, Any] = {
    "here": "/p/shop/resend", "rows": FAILED, "most": 1000, "messages_path": "/m", "note": "Sent again: 3 messages.",
}  # fmt: skip
IMPORTED: dict[str, Any] = {
    "here": "/p/shop/imports", "rows": IMPORTS, "may_cancel": True, "hands_in": ["codes"], "note": "It is canceled.",
}  # fmt: skip
FORM = {"keys": EVIL, "on": "email", "why": "requested", "source": EVIL, "until": EVIL}
MADE: tuple[tuple[type[ListPage], dict[str, Any]], ...] = (
    *send_pages.LISTS,
    *letter_pages.LISTS,
    (CampaignsPage, {"here": "/p/shop/campaigns", "rows": CAMPAIGNS}),
    (
        ImportsPage,
        {"here": "/p/shop/imports", "rows": IMPORTS, "may_cancel": True, "hands_in": ["codes"], "note": "Gone."},
    ),
    (ImportsPage, {"here": "/p/shop/imports", "rows": IMPORTS, "may_cancel": False, "hands_in": [], "note": ""}),
    (SegmentsPage, {"here": "/p/shop/segments", "rows": SEGMENTS, "may_write": False, "note": ""}),
    (SegmentsPage, {"here": "/p/shop/segments", "rows": SEGMENTS, "may_write": True, "note": "It is forgotten."}),
    (MembersPage, MEMBERS),
    (MembersPage, {**MEMBERS, "segment": "", "segment_path": None}),
    (NoticesPage, {"here": "/p/shop/notices", "rows": NOTICES}),
    (DestinationsPage, DESTINATIONS),
    (DestinationsPage, {**DESTINATIONS, "may_resume": False, "note": ""}),
    (TemplatesPage, {"here": "/p/shop/templates", "rows": TEMPLATES, "may_write": True, "note": "Gone."}),
    (TemplatesPage, {"here": "/p/shop/templates", "rows": TEMPLATES, "may_write": False, "note": ""}),
    (AccountsPage, {"here": "/p/shop/accounts", "rows": ACCOUNTS, "may_write": True, "note": EVIL}),
    (AccountsPage, {"here": "/p/shop/accounts", "rows": ACCOUNTS, "may_write": False}),
    (KeysPage, {**ROLES, "here": "/p/shop/keys", "rows": KEYS}),
    (KeysPage, {**ROLES, "here": "/p/shop/keys", "rows": KEYS, "made": EVIL, "given": KEY_FORM}),
    (UsersPage, {"roles": ROLES["roles"], "here": "/p/shop/users", "rows": USERS}),
    (UsersPage, {**INVITED, "here": "/p/shop/users", "rows": USERS}),
    (DistributionsPage, {"here": "/p/shop/distributions", "rows": DISTRIBUTIONS, "missing": EVIL}),
    (DistributionsPage, {"here": "/p/shop/distributions", "rows": DISTRIBUTIONS, "deleted": EVIL, "is_new": True}),
    (MessagesPage, {"here": "/p/shop/messages", "rows": MESSAGES, "missing": EVIL, "caption": "Messages"}),
    (MessagesPage, {"here": "/p/shop/messages", "rows": MESSAGES, "caption": "Messages", "resend": "/p/shop/resend"}),
    (ResendPage, RESEND),
    (ResendPage, {**RESEND, "counted": ShownResend(1235, 1230, [(EVIL, 3)], 2, EVIL)}),
    (ResendPage, {**RESEND, "counted": ShownResend(1, 0, [], 1, EVIL), "note": ""}),
    (ResendPage, {**RESEND, "counted": ShownResend(3, 3, [], 0, EVIL), "note": ""}),
    (RecordsPage, {"here": "/p/shop/topics", "rows": RECORDS, "topic": "decisions", "newest": 1000}),
    (
        RecordsPage,
        {
            "here": "/p/shop/topics",
            "rows": RECORDS,
            "topic": "decisions",
            "newest": 1000,
            "follow": '/p/shop/topics/follow?text="><script>',
            "keeps_table": True,
        },
    ),
    (AuditPage, {"here": "/p/shop/audit", "rows": AUDITED}),
    (SuppressionsPage, SUPPRESSIONS),
    (SuppressionsPage, {**SUPPRESSIONS, "may_write": False, "note": "", "covering": Covering(EVIL, [], False, [])}),
    (SuppressionsPage, {**SUPPRESSIONS, "given": FORM, "covering": Covering(EVIL, SUPPRESSED, True, ["email"])}),
)
PAGES: tuple[ProjectPage, ...] = (
    *send_pages.PAGES, *template_pages.PAGES, *letter_pages.PAGES, *segment_pages.PAGES,
    *search_pages.PAGES,
    campaign(), campaign(imports=[], may_cancel=False), campaign(codes=None, may_make=False, note="", problems=[]),
    segment(0),
    segment(1, reasons=[], events=[]), segment(1, granted=WRITES),
    segment(1, granted=WRITES, edit=None, note="Saved."),
    segment(1, granted=WRITES, problems=[FieldProblem("sure", EVIL)], is_managed=True),
    workers(), workers(workers=[], partitions=[], others=0, missing=None),
    brand_page(),
    brand_page(missing=[], problems=[FieldProblem("main", EVIL)]),
    brand_page(is_own=False, note="", missing=[], problems=[FieldProblem("name", EVIL), FieldProblem("color", EVIL)]),
    new_import(), new_import(kind="customers", given={**import_form(), "skip_wrong": "yes"}),
    new_import(campaigns=[], problems=[FieldProblem(one, EVIL) for one in ("campaign", "file", "file")]),
    account_form(), account_form(account=EVIL, problems=[FieldProblem(one, EVIL) for one in ("field_a", "secret_c")]),
    account_form(problems=[FieldProblem("name", EVIL)], has_lost=True),
    template(), template(uses=[], locales=""), template(acts=frozenset(), older=[], note=""),
    settings(), settings(document=None, limits=[]),
    settings(document=None, is_default=False), workers(failure=EVIL, workers=[], partitions=[], missing=None),
)  # fmt: skip
EMPTY: dict[str, Any] = {"rows": [], "is_filtered": False, "is_first": True, "next": None}
EXAMPLES: tuple[ListPage, ...] = tuple(
    kind(**around(**given, **changes))
    for kind, full in MADE
    for given, changes in (
        (full, {}), (full | EMPTY, {}), (full | {"rows": []}, {}), (full | {"filters": []}, {}),
        (full | EMPTY, {"problems": [FieldProblem("thing", EVIL), FieldProblem("state", EVIL)]}),
    )
)  # fmt: skip


def templates(kind: type[ProjectPage]) -> set[str]:
    """The templates of a kind of page, and of all that are kinds of it."""
    below = set[str]().union(*map(templates, kind.__subclasses__()))
    return below | ({kind.template} if "template" in vars(kind) else set())


def test_every_page_of_a_project_has_an_example() -> None:
    assert PROJECT_ROUTES, "which import every page"
    of_others = {one.template for one in (*PROJECT_PAGES, *BUILDER_PAGES)}
    assert {one.template for one in (*EXAMPLES, *PAGES)} | of_others == templates(ProjectPage)


@pytest.mark.parametrize("page", (*EXAMPLES, *PAGES), ids=lambda one: type(one).__name__)
def test_a_list_is_readable_to_everybody_and_shows_nothing_as_markup(page: ProjectPage) -> None:
    hold(page)


@pytest.mark.parametrize(("kind", "full"), MADE, ids=lambda one: getattr(one, "__name__", ""))
def test_a_list_without_rows_says_why(kind: type[ListPage], full: dict[str, Any]) -> None:
    new, filtered = (
        re.sub(r"<[^>]*>", "", (respond(kind(**around(**full | EMPTY | more))).text or "").partition("</form>")[2])
        for more in ({}, {"is_filtered": True})
    )
    assert ("Nothing fits" in filtered, "Nothing fits" in new) == (True, False)
    assert "tidings " in new, "the command that makes the first one"


def test_an_empty_list_says_the_command_that_makes_the_first_one() -> None:
    page = DistributionsPage(here="/p/shop/distributions", **around(**EMPTY))
    assert "tidings apply distributions/ --project" in (respond(page).text or "")
