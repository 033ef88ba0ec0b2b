"""Addresses of every page and of every list of the API, with each filter and each two of them: from their routes.

A page or a filter that is new is asked like the others; where its address needs a name, `PLACES` or `TYPED` has to have
one, and the bench ends with the word that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from console.api.route import API
from console.api.table import ROUTES
from console.web.lists import Listing
from console.web.project_routes import PROJECT_ROUTES
from console.web.projects import ProjectRoute
from tests.bench.pages_filled import BIG, ONE

Filters = Mapping[str, Sequence[str]]
"""Values of a filter that are tried, by its name."""

PLACES: Mapping[str, Sequence[str]] = {
    "/distributions/{id}": (BIG, ONE), "/distributions/{id}/edit": (BIG,), "/distribution": (BIG,),
    "/distribution/edit": (BIG,), "/messages/{id}": ("d7", "d50", "d999999"), "/sends/{id}": ("send_1",),
    "/segments/{id}": ("poland",), "/segments/{id}/edit": ("poland",), "/segment": ("poland",),
    "/segment/edit": ("poland",), "/campaigns/{id}": ("spring",), "/campaign": ("spring",),
    "/templates/{id}": ("hello",), "/templates/{id}/edit": ("hello",), "/template": ("hello",),
    "/dead-letters/{id}": ("0:7",), "/dead-letters/{id}/mend": ("0:7",),
}  # fmt: skip
"""Of pages of one thing, the things; one without a place in its path has it as `?id=`."""
MORE: Mapping[str, Filters] = {
    "/distributions/{id}": {"since": ("24h", "30d", "90d"), "version": ("1",)},
    "/customers": {"id": ("c0", "c77", "nobody"), "distribution": (BIG, ONE)},
}  # fmt: skip
"""What pages that are not lists are asked by."""
TYPED: Filters = {
    "distribution": (BIG, ONE), "since": ("24h",), "until": ("24h",), "q": ("rule1",), "id": ("c77",), "text": ("ev1",),
    "destination": ("main",), "detail": ("HTTP 501", "nothing"), "segment": ("poland",), "campaign": ("spring",),
    "kind": ("undecodable",), "topic": ("events.orders",), "role": ("matcher",), "thing": (ONE,), "actor": ("ann",),
    "reason": ("none", "consent", "capped", "no_code"), "action": ("distribution", "send.paused"),
    "customer": ("c0", "c77"), "delivery": ("d7",), "event": ("ev7",), "code": ("CODE-0",), "send": ("send_1",),
    "by": ("hour", "reason", "channel"), "within": ("7d",), "source_id": ("s7",), "project": ("shop",),
}  # fmt: skip
"""Of filters that take a text, or one of very many words."""
UNASKED = frozenset({
    "/accounts/edit", "/preview", "/preview/frame", "/templates/{id}/preview", "/templates/{id}/sections",
    "/templates/{id}/sections/preview",
})  # fmt: skip
"""Pages of an account, and previews of a text: this project has neither, and they read no delivery."""
_MANY = 20
_OF_LISTS = ("limit", "cursor", "version")
"""Parameters that are not filters."""
_REQUIRED = {"/decisions": ("customer", "delivery", "event", "code", "distribution")}
"""Of lists of the API that need one filter of some, these."""
_API_PLACES = {"customers": "c0", "deliveries": "d7", "distributions": BIG, "segments": "poland", "sends": "send_1",
               "campaigns": "spring", "templates": "hello", "dead-letters": "0:7"}  # fmt: skip


class Address(NamedTuple):
    """An address below a project, or below the API; `is_bare` of one without a filter."""

    path: str
    is_bare: bool


def pages() -> Iterator[Address]:
    """Every page, with each filter and each two. Left out are files and streams, which are as long as their list."""
    for route in PROJECT_ROUTES:
        if (
            route.method != "GET"
            or route.is_followed
            or route.path.endswith((".json", ".csv"))
            or route.path in UNASKED
        ):
            continue
        for place in _placed(route):
            yield from _with(place, _filters_of(route))


def api_lists() -> Iterator[Address]:
    """Every GET of the API of what there is, with each filter: each two of them are those of pages."""
    for route in ROUTES:
        noun = route.path.split("/")[1]
        if route.method != "GET" or ("{" in route.path and noun not in _API_PLACES):
            continue
        path = API + route.path.format(id=quote(_API_PLACES.get(noun, "")), version=1)
        asked_by = msgspec.inspect.type_info(route.query_type)
        assert isinstance(asked_by, msgspec.inspect.StructType)
        found = {one.name: _values(one.name, _words(one.type)) for one in asked_by.fields}
        needed = _REQUIRED.get(route.path, ())
        asked = _with(path, found, at_once=1)
        yield from (one for one in asked if not needed or any(f"{name}=" in one.path for name in needed))


def _placed(route: ProjectRoute) -> Iterable[str]:
    names = PLACES.get(route.path)
    if "{" not in route.path:
        return [f"{route.path}?id={quote(name)}" for name in names] if names else [route.path]
    if names is None:
        raise SystemExit(f"{route.path}: say in PLACES of tests/bench/pages_asked.py which one is asked for")
    return [route.path.replace("{id}", quote(name)) for name in names]


def _filters_of(route: ProjectRoute) -> Filters:
    listing = getattr(route.answer, "__self__", None)
    if not isinstance(listing, Listing):
        return MORE.get(route.path, {})
    return {one.name: _values(one.name, list(one.choices)) for one in listing.fields}


def _values(name: str, choices: Sequence[str]) -> Sequence[str]:
    if choices and len(choices) <= _MANY:
        return choices
    if name not in TYPED and name not in _OF_LISTS:
        raise SystemExit(f"{name}: say in TYPED of tests/bench/pages_asked.py what is asked for by it")
    return TYPED.get(name, ())


def _words(kind: msgspec.inspect.Type) -> Sequence[str]:
    """The words that a filter of the API may have; empty of one that takes a text."""
    match kind:
        case msgspec.inspect.LiteralType(values=values):
            return [str(one) for one in values]
        case msgspec.inspect.BoolType():
            return ["true", "false"]
        case msgspec.inspect.UnionType(types=types):
            return [word for one in types for word in _words(one)]
        case msgspec.inspect.Metadata(type=inner):
            return _words(inner)
    return []


def _with(path: str, filters: Filters, at_once: int = 2) -> Iterator[Address]:
    """An address, the same with each filter, and with each two of them where so many go at once."""
    yield Address(path, is_bare=True)
    chosen = [(name, value) for name, values in filters.items() for value in values]
    for given in chain.from_iterable(combinations(chosen, number) for number in range(1, at_once + 1)):
        if len({name for name, _ in given}) == len(given):
            yield Address(f"{path}{'&' if '?' in path else '?'}{urlencode(given)}", is_bare=False)
