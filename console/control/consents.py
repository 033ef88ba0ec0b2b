"""Consents of one customer: what their profile gives, what they chose with us, and writing a choice down for them.

It is the very choice that customers make on our own pages: a withdrawal counts at once, and what is asked for is given
once the project's upstream gives it in a profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from channels.unsubscribe import Subscriber
from console.control.customers import check_id
from console.control.subscriptions import Standing, Subscriptions
from deploy.settings.settings import Settings
from schemas.consent_choice import EVERY_CATEGORY
from schemas.distribution import TRANSACTIONAL
from schemas.errors import DefinitionInvalid, Problem
from store.consent_choices import Choice, ConsentChoices
from streams.values.wording import unknown


@dataclass(frozen=True, slots=True)
class Consents:
    """The consents of a customer as they stand; `by_profile`: those of the last profile, None where none is known."""

    standing: Standing
    by_profile: tuple[str, ...] | None
    choices: tuple[Choice, ...]


async def consents(pool: asyncpg.Pool, settings: Settings, project_id: str, customer_id: str) -> Consents:
    """All that is known of a customer's consents. Raises BadQuestion for an id that nobody has, TryLater."""
    check_id(customer_id)
    store = ConsentChoices(pool)
    known = await store.known(project_id, customer_id)
    standing = await _subscriptions(pool, settings).standing(_subscriber(project_id, customer_id))
    return Consents(standing, known.by_profile, await store.of(project_id, customer_id))


async def write_down(
    pool: asyncpg.Pool,
    settings: Settings,
    project_id: str,
    customer_id: str,
    given: Mapping[str, bool],
    *,
    actor: str,
    dry_run: bool = False,
) -> bool:
    """Keep what a customer wants, category to given or not; False where nothing of it is new.

    Whoever had left everything and asks for something again gets that alone. Raises DefinitionInvalid for what is not
    a category of the project, BadQuestion, TryLater.
    """
    check_id(customer_id)
    standing = await _subscriptions(pool, settings).standing(_subscriber(project_id, customer_id))
    known = [*(one.name for one in standing.categories), EVERY_CATEGORY]
    wrong = [name for name in given if name not in known]
    if wrong:
        raise DefinitionInvalid(tuple(Problem(f'given."{name}"', unknown(name, known, "a category")) for name in wrong))
    chosen = dict(given)
    if standing.has_left_all and any(given.values()) and EVERY_CATEGORY not in given:
        chosen = {EVERY_CATEGORY: True, **{one.name: given.get(one.name, False) for one in standing.categories}}
    store = ConsentChoices(pool)
    who = {"way": "staff", "delivery_id": None, "by": actor, "dry_run": dry_run}
    return await store.choose(project_id, customer_id, chosen, **who)  # type: ignore[arg-type]


def _subscriptions(pool: asyncpg.Pool, settings: Settings) -> Subscriptions:
    async def database() -> asyncpg.Pool:
        return pool

    return Subscriptions(settings, database)


def _subscriber(project_id: str, customer_id: str) -> Subscriber:
    return Subscriber(project_id, customer_id, TRANSACTIONAL, "")
