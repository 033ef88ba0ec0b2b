"""`/p/<project>/resend`: failed messages that a filter chooses, counted and judged, and then sent again.

The form says when they were counted, and reaches nothing that failed later: sent twice, it is one re-send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from console.control import deliveries, explain, resend
from console.control.deliveries import MOST_AT_ONCE, NO_REASON, DeliveryGroup, Foreseen
from console.control.resend import Resendable
from console.web.customers import joined
from console.web.lists import Asked, Field, Found, Listing
from console.web.pages import FieldProblem, see
from console.web.project_resend import FailedRow, ResendPage, ShownResend
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.reasons import REASONS, sentence
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import count_of, inert
from schemas.closed import CHANNELS, Reason
from schemas.errors import BadQuestion
from schemas.record import JsonObject
from store.sending.deliveries import Deliveries, DeliveryFilter

_OUTCOMES: Mapping[str, str] = {
    "failed": "failed", "bounced": "came back after it was sent", "canceled": "cancelled",
    "suppressed": "suppressed, or without consent",
}  # fmt: skip
"""What can be sent again. What expired cannot."""
_HELD: Mapping[Reason, str] = {
    "consent": "without consent by now", "suppressed": "suppressed by now",
    "duplicate": "whose customer was sent a later one",
}  # fmt: skip
_STOOD_FOR = "…"
"""In an answer, in place of what a provider called this one message: nothing is found by that."""


def resend_path(project_id: str, distribution: str | None, outcome: str, **given: str | None) -> str | None:
    """The address on which messages are sent again, of a distribution or of all; None of such as cannot be."""
    if outcome not in _OUTCOMES:
        return None
    chosen = {"distribution": distribution, "outcome": outcome, **given}
    return address(base_of(project_id) + LIST.path, chosen)


async def _find(asked: Asked) -> Found[FailedRow]:
    """Those that are chosen, counted: nothing is done. Raises BadQuestion, TryLater."""
    if not any(asked.given.values()):
        return Found()
    mine, store = asked.mine, Deliveries(asked.mine.pool)
    seen = await store.now()
    chosen = _chosen(mine, asked.given, seen)
    foreseen = await deliveries.foresee(store, "resend", chosen)
    judged = await _judged(mine, store, chosen)
    rows = [_row(asked, one, is_only=len(foreseen.groups) == 1) for one in foreseen.groups]
    return Found(rows, None, {"counted": _shown(foreseen, judged, seen)})


async def send(mine: ProjectVisit) -> web.Response:
    """Send again what was counted; what has changed since then is left alone. Raises BadQuestion, TryLater."""
    form, store = await mine.visit.form(), Deliveries(mine.pool)
    given = {one.name: mine.text(one.name).strip() for one in LIST.fields}
    try:
        chosen = _chosen(mine, given, _moment(form.get("seen", "")))
        ids = (await _judged(mine, store, chosen, takes_all=form.get("arrived") == "yes")).ids
        done = await resend.resend(store, chosen, ids[:MOST_AT_ONCE], actor=mine.actor)
    except BadQuestion as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(error))])
    return see(address(base_of(mine.project_id) + LIST.path, {**given, "done": str(done)}))


def _chosen(mine: ProjectVisit, given: Mapping[str, str], seen: datetime) -> DeliveryFilter:
    """Those that were over when they were counted; a span is one before that. Raises BadQuestion."""
    outcome = given["outcome"]
    if outcome and outcome not in _OUTCOMES:
        raise BadQuestion(f"must be one of {', '.join(_OUTCOMES)}", "outcome")
    asked = deliveries.given_for("resend", {**given, "status": outcome})
    chosen = deliveries.read_filter(mine.project_id, asked, seen)
    deliveries.must_choose(chosen)
    return replace(chosen, ended_before=seen)


def _moment(text: str) -> datetime:
    """The moment at which somebody counted them. Raises BadQuestion."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadQuestion("this form does not say when they were counted: count them again, nothing was done")
    return found


async def _judged(
    mine: ProjectVisit, store: Deliveries, chosen: DeliveryFilter, *, takes_all: bool = False
) -> Resendable:
    """Each of them judged as it is now. Raises TryLater."""

    async def profiles(customers: Collection[str]) -> Mapping[str, JsonObject]:
        return await asyncio.to_thread(explain.stored_profiles, mine.wiring, mine.project_id, customers)

    return await resend.resendable(store, chosen, profiles, possibly_accepted=takes_all)


def _shown(foreseen: Foreseen, judged: Resendable, seen: datetime) -> ShownResend:
    standing = foreseen.standing
    left = {
        "being sent this moment": standing.under_way, "past their expiry": standing.expired,
        "erased": standing.erased, **{_HELD.get(reason, reason): count for reason, count in judged.held.items()},
    }  # fmt: skip
    counted = [(why, count) for why, count in left.items() if count]
    return ShownResend(standing.chosen, len(judged.ids), counted, judged.possibly_accepted, seen.isoformat())


def _row(asked: Asked, one: DeliveryGroup, *, is_only: bool) -> FailedRow:
    narrowed = {
        **asked.given, "channel": one.channel, "destination": one.destination, "reason": one.reason or NO_REASON,
        "detail": asked.get("detail") or max(one.detail.split(_STOOD_FOR), key=len).strip(),
    }  # fmt: skip
    path = None if is_only else address(base_of(asked.mine.project_id) + LIST.path, narrowed)
    text = joined(sentence(one.reason or None), one.detail)
    return FailedRow(one.channel, one.destination, one.state, text, one.deliveries, one.oldest, path)


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    shared = {name: mine.query.get(name) for name in ("distribution", "outcome", "reason", "since", "until")}
    messages = address(f"{base_of(mine.project_id)}/messages", shared)
    return {"most": MOST_AT_ONCE, "messages_path": messages, "note": _note(mine)}


def _note(mine: ProjectVisit) -> str:
    done = whole_number(mine.query.get("done", ""))
    if done is None:
        return ""
    if not done:
        return "Nothing was sent again: what was counted has been sent again already, or has changed since."
    return f"Sent again: {count_of(done, 'message')}. Below are those that have failed by now."


LIST = Listing(
    path="/resend",
    permission="deliveries:operate",
    row=FailedRow,
    find=_find,
    page=ResendPage,
    fields=(
        Field("distribution", "Id of a distribution"),
        Field("outcome", "What became of it", _OUTCOMES, "any of these"),
        Field("reason", "Why", {NO_REASON: "none: the answer of its provider", **REASONS}, "for any reason"),
        Field("channel", "Channel", {one: one for one in CHANNELS}),
        Field("destination", "Account, or host"),
        Field("detail", "A part of the last answer", hint="HTTP 501"),
        Field("since", "From", hint="12h"),
        Field("until", "Until"),
    ),
    more=_more,
)
ROUTES: tuple[ProjectRoute, ...] = (*LIST.routes, ProjectRoute(LIST.path, "deliveries:operate", send, "POST"))
