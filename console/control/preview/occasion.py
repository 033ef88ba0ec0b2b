"""Occasions to preview a message on: a sample of an event, about a customer whose profile is kept, or one that was."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from agents.roles.sender.ledger_rows import read_stored
from console.control.events import customer_of
from console.control.not_found import NotFound
from console.control.preview.variables import every_variable
from schemas.errors import BadRecord, TidingsError
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS, Trigger
from schemas.record import JsonObject
from store.known_customers import KnownCustomers
from store.sending.deliveries import Deliveries
from streams.values.wording import unknown

DEFAULT = "customer.order.paid"
_OF_EVERYBODY = ("id", "object", "email")
_IDS = frozenset(("id", "object", "source_id", "project_id"))


@dataclass(frozen=True, slots=True)
class Occasion:
    """The event that a message is shown on: a sample of a type, or the one that a message which was made is about.

    Of a sample the customer may be one whose profile is kept. `is_bare` leaves out what not every such event has.
    """

    trigger: str = DEFAULT
    customer: str = field(default="", repr=False)
    message: str = ""
    is_bare: bool = False


async def event_of(pool: asyncpg.Pool, project_id: str, asked: Occasion) -> JsonObject:
    """The event. Raises NotFound, TidingsError, TryLater."""
    if asked.message:
        return await _recorded(pool, project_id, asked.message)
    if asked.trigger not in TRIGGERS:
        raise TidingsError(unknown(asked.trigger, tuple(TRIGGERS), "an event"))
    trigger = TRIGGERS[asked.trigger]
    event = trigger.sample(project_id=project_id)
    event["data"] = _bare(event["data"], trigger) if asked.is_bare else {**_others(event["data"]), **event["data"]}
    if asked.customer:
        event["data"]["customer"] = await profile_of(pool, project_id, asked.customer)
    return event


async def profile_of(pool: asyncpg.Pool, project_id: str, customer: str) -> JsonObject:
    """The profile of a customer, as it is kept. Raises NotFound, TryLater."""
    profile = await KnownCustomers(pool).profile(project_id, customer)
    if profile is None:
        said = f'no profile of customer "{customer}" is kept'
        raise NotFound(said, kind="customer", name=customer, meant=None)
    return profile


async def kept_profile(pool: asyncpg.Pool, project_id: str, event: JsonObject) -> JsonObject | None:
    """The profile that counts in place of the one in an event, as for matchers. None where nothing is kept of them.

    Raises TryLater.
    """
    customer = customer_of(event)
    return await KnownCustomers(pool).profile(project_id, customer) if customer else None


async def counting_profile(
    pool: asyncpg.Pool, project_id: str, event: JsonObject | None, given: JsonObject | None
) -> JsonObject | None:
    """The profile that is given; where none is, the one that is kept of whom an event is about. Raises TryLater."""
    return given if event is None or given is not None else await kept_profile(pool, project_id, event)


def is_bare(profile: object) -> bool:
    """True of a profile that says who it is, and nothing of them."""
    return isinstance(profile, dict) and set(profile) <= _IDS


def _others(data: JsonObject) -> JsonObject:
    """Objects that other events and actions bring: a stored template may name all."""
    return deepcopy({name: OBJECTS[name] for name in every_variable() if name in OBJECTS and name not in data})


def _bare(data: JsonObject, trigger: Trigger) -> JsonObject:
    """The objects that every such event has, with a customer of whom little is known."""
    kept: dict[str, Any] = {name: one for name, one in data.items() if name not in trigger.optional}
    kept["customer"] = {name: one for name, one in kept["customer"].items() if name in _OF_EVERYBODY}
    return kept


async def _recorded(pool: asyncpg.Pool, project_id: str, delivery_id: str) -> JsonObject:
    record = await Deliveries(pool).shown(project_id, delivery_id)
    if record is None:
        there = f'no content of message "{delivery_id}" is kept'
        raise NotFound(there, kind="message", name=delivery_id, meant=None)
    try:
        delivery = read_stored(record)
    except BadRecord as error:
        raise TidingsError(f"this message cannot be read any more: {error}") from error
    event = delivery.event
    return {
        "id": event.id, "project_id": project_id, "type": event.type, "created_at": event.created_at.isoformat(),
        "data": dict(delivery.data),
    }  # fmt: skip


def trigger_choices(first: Iterable[str] = ()) -> list[str]:
    """The types of events, those first that are at hand."""
    return list(dict.fromkeys([*(one for one in first if one in TRIGGERS), *TRIGGERS]))
