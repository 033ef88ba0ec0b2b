"""Choices of customers about what they are sent, made on our own pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from schemas.audit import AuditEntry
from schemas.closed import ChoiceWay
from schemas.consent_choice import EVERY_CATEGORY, ConsentChoice, CustomerChoices
from schemas.topics import CONSENTS
from store import audit
from store.postgres import passing_errors, transaction
from store.sql import queries


@dataclass(frozen=True, slots=True)
class KnownConsents:
    """All that is known of one customer: what the last profile gives (None: not known), and the choices that count."""

    by_profile: tuple[str, ...] | None
    chosen: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Choice:
    """A customer's last choice about a category; `is_taken_over`: a later profile says the same, and counts alone."""

    category: str
    given: bool
    at: datetime
    way: str
    delivery_id: str | None
    is_taken_over: bool

    def withdraws(self, category: str) -> bool:
        """True where nothing of a category is sent for it."""
        return not self.given and not self.is_taken_over and self.category in (category, EVERY_CATEGORY)


class ConsentChoices:
    """Each change is one transaction with the record for Kafka. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("consent_choices")
        self._add_to_outbox = queries("control")["add_to_outbox"]

    async def of(self, project_id: str, customer_id: str) -> tuple[Choice, ...]:
        """All choices of a customer."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["choices_of"], project_id, customer_id)
        return tuple(Choice(**row) for row in rows)

    async def who_withdrew(self, project_id: str, customers: Collection[str], category: str) -> set[str]:
        """Those of some customers who have withdrawn a category with us, and whose profile does not say so yet."""
        categories = [category, EVERY_CATEGORY]
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["who_withdrew"], project_id, list(customers), categories)
        return {row["customer_id"] for row in rows}

    async def known(self, project_id: str, customer_id: str) -> KnownConsents:
        """The consents of a customer as they stand now."""

        async def read(connection: asyncpg.Connection) -> KnownConsents:
            given = await connection.fetchval(self._sql["given_by_profile"], project_id, customer_id)
            rows = await connection.fetch(self._sql["choices_of"], project_id, customer_id)
            chosen = {row["category"]: row["given"] for row in rows if not row["is_taken_over"]}
            return KnownConsents(None if given is None else tuple(given), chosen)

        return await transaction(self._pool, read)

    async def choose(
        self,
        project_id: str,
        customer_id: str,
        given: Mapping[str, bool],
        *,
        way: ChoiceWay,
        delivery_id: str | None,
        by: str | None = None,
        dry_run: bool = False,
    ) -> bool:
        """Keep what a customer has chosen, category to given or not; False where nothing of it is new.

        `by` is the person or key that writes it down for them; None where they did so themselves.
        """

        async def keep(connection: asyncpg.Connection) -> bool:
            customer = (project_id, customer_id)
            await connection.execute(self._sql["one_at_a_time"], *customer)
            changed = await connection.fetchval(
                self._sql["choose"], *customer, list(given), list(given.values()), way, delivery_id
            )
            if changed:
                rows = await connection.fetch(self._sql["choices_of"], *customer)
                now = max(row["at"] for row in rows)
                record = msgspec.json.encode(_record(project_id, customer_id, rows, now)).decode()
                await connection.execute(self._add_to_outbox, CONSENTS, customer_id, record, now)
                if by is not None:
                    entry = AuditEntry(
                        project_id, by, "customer.consents_set", customer_id, None, {"given": dict(given)}
                    )
                    await audit.write(connection, entry)
            return bool(changed)

        return await transaction(self._pool, keep, dry_run=dry_run)


def _record(project_id: str, customer_id: str, rows: list[Any], now: datetime) -> CustomerChoices:
    choices = [
        ConsentChoice(
            category=row["category"],
            given=row["given"],
            at=row["at"].astimezone(UTC),
            way=row["way"],
            delivery_id=row["delivery_id"],
        )
        for row in rows
    ]
    return CustomerChoices(
        project_id=project_id, customer_id=customer_id, choices=choices, changed_at=now.astimezone(UTC)
    )
