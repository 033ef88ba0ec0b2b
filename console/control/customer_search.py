"""Customers by what people know of them: a name, an address, a number. Segmenters keep the profiles that are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import BadQuestion
from store.known_customers import Known, KnownCustomers
from streams.values.wording import invalid_kind

LONGEST_SOUGHT = 200
_SHOWN = 200
"""Characters of a text in a list."""


@dataclass(frozen=True, slots=True)
class FoundCustomer:
    """A customer in a list: as much of the profile as tells one from another. Texts are as upstream wrote them."""

    customer_id: str
    source_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    locale: str | None


async def find(known: KnownCustomers, project_id: str, text: str, limit: int) -> tuple[Sequence[FoundCustomer], bool]:
    """Customers whose id, source id, address, number or name begins with a text, and whether there are more.

    Of a number its end will do, of a name its last word. Raises BadQuestion for a text that says nothing.
    """
    if not text.strip() or len(text) > LONGEST_SOUGHT:
        raise BadQuestion(invalid_kind(text, f"1 to {LONGEST_SOUGHT} characters, not all of them blank"), "text")
    rows = await known.found(project_id, text, limit + 1)
    return list(map(found_customer, rows[:limit])), len(rows) > limit


async def page(known: KnownCustomers, project_id: str, after: str, limit: int) -> Sequence[FoundCustomer]:
    """Customers in the order of their ids, behind one of them."""
    return list(map(found_customer, await known.page(project_id, after, limit)))


def found_customer(known: Known) -> FoundCustomer:
    """A customer as lists show it; whatever else than texts stands in a profile is left out."""
    customer_id, profile = known
    return FoundCustomer(customer_id, *(_text(profile.get(name)) for name in _FIELDS))


_FIELDS = ("source_id", "name", "email", "phone", "locale")


def _text(value: Any) -> str | None:
    return value[:_SHOWN] if isinstance(value, str) else None
