"""Customers over HTTP, as segmenters keep them: listed, found, one whole profile.

What is sought is an address, mostly: it stands in the body alone, never where proxies write it down.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.problems import refused
from console.api.route import PRIVATE, ById, Call, Paged, Reply, Route
from console.control import customer_search as control
from console.control.customers import check_id
from schemas.record import JsonObject
from store.known_customers import KnownCustomers

_SAID = "The beginning of an id, an address or a name, or the end of a phone number; case and accents do not matter."
_MOST_FOUND = 100


class CustomerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a profile as tells one customer from another."""

    customer_id: str
    source_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    locale: str | None


class KnownCustomerPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some customers, in the order of their ids."""

    items: list[CustomerEntry]
    next: str | None = None


class SoughtCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of something of a customer, as somebody knows it."""

    text: Annotated[str, Meta(pattern=r"\S", max_length=control.LONGEST_SOUGHT, description=_SAID, extra=PRIVATE)]
    limit: Annotated[int, Meta(ge=1, le=_MOST_FOUND, description="The most to list.")] = 20


class FoundCustomers(msgspec.Struct, frozen=True, kw_only=True):
    """The customers found, those that are meant exactly in front; with `more` there are others, for a longer text."""

    found: list[CustomerEntry]
    more: bool


class KnownProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole profile of a customer, as it came last."""

    customer_id: str
    profile: JsonObject


async def list_customers(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    after = read_cursor(call.query.cursor, str) or ""
    found = await control.page(KnownCustomers(call.pool), call.project_id, after, call.query.limit + 1)
    rows, following = next_cursor(found, call.query.limit, lambda one: one.customer_id)
    return Reply(KnownCustomerPage(items=_entries(rows), next=following))


async def find_customers(call: Call[Any, Any, SoughtCustomer]) -> Reply:
    """Those that a text finds."""
    found, is_more = await control.find(KnownCustomers(call.pool), call.project_id, call.body.text, call.body.limit)
    return Reply(FoundCustomers(found=_entries(found), more=is_more))


async def get_customer(call: Call[ById, Any, None]) -> Reply:
    """One profile."""
    check_id(call.path.id)
    profile = await KnownCustomers(call.pool).profile(call.project_id, call.path.id)
    if profile is None:
        raise refused("not_found", "no profile of this customer is kept: none came yet, or it was erased")
    return Reply(KnownProfile(customer_id=call.path.id, profile=profile))


def _entries(rows: Any) -> list[CustomerEntry]:
    return msgspec.convert(list(rows), list[CustomerEntry], from_attributes=True)


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/customers", "customers:read", "List the customers that segmenters know", list_customers,
        {200: KnownCustomerPage}, query_type=Paged,
    ),
    Route(
        "POST", "/customers/find", "customers:read", "Find customers by a name, an address or a number", find_customers,
        {200: FoundCustomers}, body=SoughtCustomer, body_example={"text": "kowalska"}, is_safe=True,
    ),
    Route(
        "GET", "/customers/{id}", "customers:read", "Read a customer's whole profile", get_customer,
        {200: KnownProfile}, path_type=ById, path_example={"id": "c1"},
    ),
)  # fmt: skip
