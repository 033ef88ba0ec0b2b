"""Erasures: the tombstone of a customer, and a receipt of what goes when and what stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from agents.broker.wire import Wire
from console.control.customers import check_id
from console.control.distributions import Announce
from schemas.audit import AuditEntry
from schemas.closed import Role
from schemas.events.triggers import EVENT_TOPICS, MANUAL, PUBLISHED, TRIGGERS
from schemas.topics import CHANGELOGS, TOPICS
from store.distributions import Control
from store.erasure import Erasure

_BY_US = (TRIGGERS[MANUAL].topic, TRIGGERS[PUBLISHED].topic)
"""Event topics that nobody else writes to."""
_OF_NOBODY = ("distribution", "project")
"""Keys of topics that hold nothing of customers."""


@dataclass(frozen=True, slots=True)
class Blanked:
    """The things that a role takes away as soon as it reads the tombstone."""

    role: Role
    what: str


@dataclass(frozen=True, slots=True)
class Clean:
    """A topic as the broker names it, and when no record of before says anything of the customer any more."""

    topic: str
    cleanup: str
    clean_by: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """The fate of what is known of a customer.

    Dates count from `asked_at`; the lag of a role that reads the tombstone adds to them.
    """

    customer: str
    asked_at: datetime
    at_once: tuple[Blanked, ...]
    topics: tuple[Clean, ...]
    excepted: tuple[str, ...]
    stays: tuple[str, ...]
    dry_run: bool


AT_ONCE: tuple[Blanked, ...] = (
    Blanked("matcher", "the profile, what was sent lately, what waits, and memberships that upstream told"),
    Blanked("holder", "what waits for a moment is ended, without its content"),
    Blanked(
        "sender",
        "deliveries in the ledger, with attempts: what was on its way ends as failed; consents and choices made with "
        "us; lists of manual sends; the log of webhooks' calls; what publications of codes say; the values and replies "
        "that recorders keep",
    ),
    Blanked("segmenter", "the profile, memberships in segments, and counted events, where segments are kept here"),
)
STAYS: tuple[str, ...] = (
    "the id, in the ledger, in decisions and ends, and with what waited, until retention takes them; beside codes, and "
    "in the audit log, on its topic too",
    "codes that were published, which are the customer's",
    "suppressions of the customer's addresses, as hashes, which deliveries are compared with: nothing is sent there, "
    "whoever has them. Theirs are those that a kept delivery or profile names; an entry of any other address keeps it "
    "until `tidings suppressions remove`",
)


@dataclass(frozen=True, slots=True)
class Asking:
    """The customer whom somebody has erased."""

    project_id: str
    customer: str
    actor: str
    now: datetime


async def erase(
    pool: asyncpg.Pool, wire: Wire, asking: Asking, announce: Announce, *, dry_run: bool = False
) -> Receipt:
    """Have the tombstone written. Raises BadQuestion for an id that no key can carry, TryLater.

    It is kept with the audit log's row before Kafka is told: while that is away, senders tell it later.
    """
    check_id(asking.customer)
    if dry_run:
        return receipt(wire, asking.customer, asking.now, dry_run=True)
    entry = AuditEntry(asking.project_id, asking.actor, "customer.erased", asking.customer)
    asked_at = await Erasure(pool).ask(entry, asking.customer)
    await announce(Control(pool))
    return receipt(wire, asking.customer, asked_at)


def receipt(wire: Wire, customer: str, asked_at: datetime, *, dry_run: bool = False) -> Receipt:
    """The receipt of an erasure at a moment, by what topics are declared to keep."""
    upstreams = tuple(wire.topic(name) for name in EVENT_TOPICS if name not in _BY_US)
    return Receipt(customer, asked_at, AT_ONCE, tuple(_clean(wire, asked_at)), upstreams, STAYS, dry_run)


def _clean(wire: Wire, asked_at: datetime) -> Iterator[Clean]:
    for name, topic in (TOPICS | CHANGELOGS).items():
        if topic.key not in _OF_NOBODY and (name in _BY_US or name not in EVENT_TOPICS):
            yield Clean(wire.topic(name), topic.cleanup, asked_at + timedelta(seconds=topic.clean_after))
