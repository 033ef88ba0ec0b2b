"""`/p/<project>/messages`: messages by what became of them, and what was decided to send none."""

from __future__ import annotations

from typing import Any

from console.control import deliveries, explain
from console.control.decision_search import read_cursor
from console.control.deliveries import NO_REASON, STATUSES, DeliverySummary
from console.control.explain import Asking
from console.web.customers import joined
from console.web.lists import Asked, Field, Found, Listing, page_of
from console.web.project_lists import MessageRow, MessagesPage
from console.web.projects import ProjectVisit, customer_path, distribution_path, message_path
from console.web.reasons import REASONS, sentence
from console.web.resend import resend_path
from schemas.access import may
from schemas.decision import Decision
from schemas.errors import BadQuestion
from store.sending.deliveries import Deliveries

_DECIDED = {"emitted": "decided", "deferred": "held", "skipped": "skipped"}
"""Outcomes of decisions, which recorders keep; others are those of the ledger."""


async def _find(asked: Asked) -> Found[MessageRow]:
    """A page of them. Raises BadQuestion, TryLater."""
    return await (_decided if asked.get("outcome") in _DECIDED else _in_ledger)(asked)


async def _in_ledger(asked: Asked) -> Found[MessageRow]:
    """Messages that senders took in."""
    mine, store = asked.mine, Deliveries(asked.mine.pool)
    chosen = deliveries.read_filter(mine.project_id, {**asked.given, "status": asked.get("outcome")}, await store.now())
    found = await deliveries.newest(store, chosen, asked.limit + 1, asked.place_in_time())
    page, following = page_of(found, asked.limit, lambda one: (one.created_at, one.delivery_id))
    more = {"caption": "Messages, those that were taken in last first", "resend": _resend(asked) if page else None}
    return Found([_of_summary(mine, one) for one in page], following, more)


def _resend(asked: Asked) -> str | None:
    """The address on which they are sent again."""
    given: dict[str, Any] = {name: text for name, text in asked.given.items() if text}
    if not may(asked.mine.role, "deliveries:operate"):
        return None
    return resend_path(asked.mine.project_id, given.pop("distribution", None), given.pop("outcome", ""), **given)


async def _decided(asked: Asked) -> Found[MessageRow]:
    """Decisions as recorders keep them: what was skipped has no message."""
    mine, reason, distribution = asked.mine, asked.get("reason"), asked.get("distribution")
    if distribution is None:
        raise BadQuestion("must be named where it is decisions that are asked for", "distribution")
    asking = Asking(
        distribution=distribution,
        outcome=asked.get("outcome"),
        reason=reason if reason != NO_REASON else None,
        after=read_cursor(asked.cursor) if asked.cursor else None,
        limit=asked.limit,
        only_recorded=True,
        lag=False,
        since=asked.moment("since"),
        until=asked.moment("until"),
    )
    found = await explain.story(mine.pool, mine.wiring, mine.project_id, asking, mine.now)
    rows = [_of_decision(mine, one) for one in reversed(found.decisions)]
    missing = await mine.lag.in_words(mine.pool, mine.now) if rows else None
    more = {"caption": "Decisions, the newest event first", "missing": missing}
    return Found(rows, found.reading.older, more)


def _of_summary(mine: ProjectVisit, one: DeliverySummary) -> MessageRow:
    return MessageRow(
        one.created_at, one.status, joined(sentence(one.reason), one.detail), one.distribution_id,
        distribution_path(mine.project_id, one.distribution_id), one.customer_id,
        customer_path(mine.project_id, one.customer_id), one.delivery_id,
        message_path(mine.project_id, one.delivery_id),
    )  # fmt: skip


def _of_decision(mine: ProjectVisit, one: Decision) -> MessageRow:
    path = message_path(mine.project_id, one.delivery_id, one.event.id) if one.delivery_id else None
    return MessageRow(
        one.event.created_at, _DECIDED.get(one.outcome, one.outcome), joined(sentence(one.reason), one.detail or ""),
        one.distribution.id, distribution_path(mine.project_id, one.distribution.id), one.customer_id,
        customer_path(mine.project_id, one.customer_id), one.delivery_id, path,
    )  # fmt: skip


LIST = Listing(
    path="/messages",
    permission="deliveries:read",
    row=MessageRow,
    find=_find,
    page=MessagesPage,
    fields=(
        Field("distribution", "Id of a distribution"),
        Field("outcome", "What became of it", _DECIDED | {one: one for one in STATUSES}, "anything"),
        Field("reason", "Why", {NO_REASON: "none: the answer of its provider", **REASONS}, "for any reason"),
        Field("since", "From", hint="12h"),
        Field("until", "Until"),
    ),
    unsaid=frozenset({"path", "distribution_path", "customer_path"}),
)
ROUTES = LIST.routes
