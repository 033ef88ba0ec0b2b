"""Consents of a customer over HTTP: how they stand, and writing down what the customer wants."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.customers import ChosenConsent
from console.api.route import ById, Call, Name, Nothing, Reply, Route, Writing
from console.control.consents import consents, write_down


class ConsentOfCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A consent category of the project, and whether its messages are sent to the customer."""

    category: str
    is_given: bool


class CustomerConsents(msgspec.Struct, frozen=True, kw_only=True):
    """The consents of a customer: as they stand, what the last profile gives, and the choices made with us.

    `by_profile` is null where no profile was read; `has_left_all`: also categories that come later.
    """

    customer: str
    categories: list[ConsentOfCategory]
    has_left_all: bool
    by_profile: list[str] | None
    choices: list[ChosenConsent]


class ConsentsToSet(msgspec.Struct, frozen=True, kw_only=True):
    """The wishes of a customer by category, or of `*` for all of them: true asks for it, false withdraws it.

    A withdrawal counts at once. What is asked for counts where the profile gives it, or does so later.
    """

    given: Annotated[dict[Name, bool], Meta(min_length=1, max_length=100)]


class SetConsents(msgspec.Struct, frozen=True, kw_only=True):
    """The choices that were kept; `is_new` is false where they were known already."""

    customer: str
    given: dict[str, bool]
    is_new: bool
    dry_run: bool


async def get_consents(call: Call[ById, Nothing, None]) -> Reply:
    """As they stand."""
    found = await consents(call.pool, call.wiring.settings, call.project_id, call.path.id)
    shown = CustomerConsents(
        customer=call.path.id,
        categories=[ConsentOfCategory(category=one.name, is_given=one.is_given) for one in found.standing.categories],
        has_left_all=found.standing.has_left_all,
        by_profile=None if found.by_profile is None else sorted(found.by_profile),
        choices=msgspec.convert(list(found.choices), list[ChosenConsent], from_attributes=True),
    )
    return Reply(shown)


async def put_consents(call: Call[ById, Writing, ConsentsToSet]) -> Reply:
    """Write down what the customer wants; what is not named stays as it is."""
    customer, given, dry_run = call.path.id, call.body.given, call.query.dry_run
    settings, who = call.wiring.settings, {"actor": call.actor, "dry_run": dry_run}
    is_new = await write_down(call.pool, settings, call.project_id, customer, given, **who)  # type: ignore[arg-type]
    return Reply(SetConsents(customer=customer, given=given, is_new=is_new, dry_run=dry_run))


_ID: dict[str, Any] = {"path_type": ById, "path_example": {"id": "c1"}}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/customers/{id}/consents", "customers:read", "Read a customer's consents as they stand", get_consents,
        {200: CustomerConsents}, **_ID,
    ),
    Route(
        "PUT", "/customers/{id}/consents", "customers:write", "Write down which messages a customer wants, or not",
        put_consents, {200: SetConsents}, query_type=Writing, body=ConsentsToSet,
        body_example={"given": {"marketing": False}}, **_ID,
    ),
)  # fmt: skip
