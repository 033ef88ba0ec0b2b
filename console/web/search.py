"""`/p/<project>/search`: pages, what people made, and customers, by a part of a name or an id.

What is sought may be somebody's address, and stands in the form alone. Scripts show the same answer in a dialog
(`static/palette.js`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web

from console.control import search as control
from console.control.customer_search import FoundCustomer
from console.control.customer_search import find as find_customers
from console.control.search import Matches
from console.web.first_steps import PATH as START
from console.web.pages import FieldProblem, respond
from console.web.project_search import FoundGroup, FoundLink, SearchPage
from console.web.projects import (
    ProjectRoute,
    ProjectVisit,
    base_of,
    campaign_path,
    customer_path,
    distribution_path,
    segment_path,
    template_path,
)
from console.web.words import count_of, inert
from schemas.access import Permission, may
from schemas.errors import BadQuestion
from store.known_customers import KnownCustomers
from store.names import Named, NamedKind

_MOST = 8
"""Of a kind."""
_PATH = "/search"


class _Kind(NamedTuple):
    title: str
    permission: Permission
    path: Callable[[str, str], str]


_KINDS: Mapping[NamedKind, _Kind] = {
    "distribution": _Kind("Distributions", "distributions:read", distribution_path),
    "segment": _Kind("Segments", "segments:read", segment_path),
    "template": _Kind("Templates", "templates:read", template_path),
    "campaign": _Kind("Campaigns", "campaigns:read", campaign_path),
}


async def show(mine: ProjectVisit) -> web.Response:
    """The form, and the pages of the project."""
    return _page(mine)


async def find(mine: ProjectVisit) -> web.Response:
    """Everything that fits and that the user may see. Raises TryLater."""
    text = (await mine.visit.form()).get("text", "")
    try:
        return _page(mine, text, await _found(mine, text))
    except BadQuestion as error:
        return _page(mine, text, problem=inert(error))


async def _found(mine: ProjectVisit, text: str) -> list[FoundGroup]:
    """Those that fit, by kind. Raises BadQuestion, TryLater."""
    kinds = [kind for kind, one in _KINDS.items() if may(mine.role, one.permission)]
    sought = control.sought_words(text)
    things = await control.find(mine.pool, mine.project_id, sought, kinds, _MOST)
    pages = control.matches(_pages(mine), lambda one: [one.text], sought, _MOST)
    groups = [FoundGroup("pages", "Pages", pages.best, _rest(pages))]
    groups += (_group(mine, kind, one) for kind, one in things.items())
    if may(mine.role, "customers:read"):
        customers, is_more = await find_customers(KnownCustomers(mine.pool), mine.project_id, text, _MOST)
        rest = "And others." if is_more else ""
        groups.append(FoundGroup("customers", "Customers", [_customer(mine, one) for one in customers], rest))
    return [one for one in groups if one.links]


def _pages(mine: ProjectVisit) -> Iterator[FoundLink]:
    """The pages of the project that the user may see."""
    yield from (FoundLink(text, "", path) for path, text in mine.frame["navigation"])
    if may(mine.role, "distributions:read"):
        yield FoundLink("Start here", "", base_of(mine.project_id) + START)


def _group(mine: ProjectVisit, kind: NamedKind, found: Matches[Named]) -> FoundGroup:
    links = [FoundLink(one.name, _note(one), _KINDS[kind].path(mine.project_id, one.id)) for one in found.best]
    return FoundGroup(f"{kind}s", _KINDS[kind].title, links, _rest(found))


def _rest(found: Matches[Any]) -> str:
    others = found.number - len(found.best)
    return f"And {count_of(others, 'other')}." if others else ""


def _note(one: Named) -> str:
    """Its id, where its name is another, and its status."""
    return ", ".join(said for said in (one.id if one.id != one.name else "", (one.status or "").lower()) if said)


def _customer(mine: ProjectVisit, one: FoundCustomer) -> FoundLink:
    known = [said for said in (one.name, one.email, one.phone) if said]
    name, *rest = known or [one.customer_id]
    note = ", ".join([one.customer_id, *rest] if known else rest)
    return FoundLink(name, note, customer_path(mine.project_id, one.customer_id))


def _page(
    mine: ProjectVisit, sought: str = "", groups: Sequence[FoundGroup] | None = None, problem: str = ""
) -> web.Response:
    shown = [FoundGroup("pages", "Pages", list(_pages(mine)))] if groups is None else groups
    page = SearchPage(
        here=base_of(mine.project_id) + _PATH,
        problems=[FieldProblem("text", f"What is sought: {problem}")] if problem else [],
        sought=sought,
        groups=[] if problem else shown,
        status="" if groups is None else _status(shown),
        **mine.frame,
    )
    return respond(page, 422 if problem else 200)


def _status(groups: Sequence[FoundGroup]) -> str:
    number = sum(len(one.links) for one in groups)
    more = ", and more: a longer text tells them apart" if any(one.rest for one in groups) else ""
    return f"Found: {number}{more}." if number else "Nothing fits."


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute(_PATH, "project:read", show),
    ProjectRoute(_PATH, "project:read", find, "POST"),
)
