"""Deliveries that a filter chooses: list, count, send again, cancel, hurry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from console.control.moments import moment_or_ago
from console.control.rows import of_row
from schemas.closed import CHANNELS, Reason, members
from schemas.errors import BadQuestion
from schemas.names import ROUGHLY_LIKE, nearest
from store.sending.deliveries import Action, Deliveries, DeliveryFilter, Standing

STATES = ("waiting", "sent", "recovered", "failed")
STATUSES = (
    "waiting", "held", "retried", "sent", "recovered", "failed", "delivered", "bounced", "complained", "suppressed",
    "expired", "canceled",
)  # fmt: skip
"""As a filter names them. `waiting` are all that wait: `held` are those whose destination is paused, fails or says that
it is too much, `retried` those that were tried before. `delivered`, `bounced` and `complained` are what its provider
reported of what was `sent` or `recovered`."""
NO_REASON = "none"
"""Asks a filter for those that the product gave no reason for: the provider's answer is their detail."""

MOST_AT_ONCE = 10_000
"""Deliveries that one request over HTTP changes."""
_NOT_ENOUGH = ("project_id", "state", "status", "ended_before")
_CHUNK = 1000
_GROUPS = 30


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """A delivery as it is listed, without its content."""

    delivery_id: str
    distribution_id: str
    customer_id: str
    channel: str
    destination: str
    state: str
    status: str
    reason: str | None
    detail: str
    attempts: int
    due_at: datetime
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryGroup:
    """Deliveries of which the same became; `oldest` is when the first of them was taken in."""

    channel: str
    destination: str
    state: str
    reason: str
    detail: str
    deliveries: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The reach of an action before it is done, counted: by group, and as a whole.

    `missed` are ids that were named and not chosen: with the status of each, or None where no delivery has it.
    """

    action: Action
    groups: tuple[DeliveryGroup, ...]
    standing: Standing
    missed: Mapping[str, str | None]


def read_filter(project_id: str, given: Mapping[str, object], now: datetime) -> DeliveryFilter:
    """A filter as somebody wrote it; `since` and `until` are times, or spans before `now`. Raises BadQuestion."""
    written = {name: value for name, value in given.items() if value not in (None, "", (), [])}
    _check_one_of("channel", written.get("channel"), CHANNELS)
    _check_one_of("state", written.get("state"), STATES)
    _check_one_of("status", written.get("status"), STATUSES)
    _check_one_of("reason", written.get("reason"), (NO_REASON, *members(Reason)))
    changes: dict[str, object] = {
        name: moment_or_ago(name, str(written[name]), now) for name in ("since", "until") if name in written
    }
    if written.get("reason") == NO_REASON:
        changes["reason"] = ""
    if "ids" in written:
        changes["ids"] = tuple(dict.fromkeys(map(str, given["ids"] or ())))  # type: ignore[call-overload]
    known = {field.name for field in fields(DeliveryFilter)}
    return DeliveryFilter(project_id, **{k: v for k, v in (written | changes).items() if k in known})  # type: ignore[arg-type]


def given_for(action: Action, given: Mapping[str, object]) -> dict[str, object]:
    """A filter as somebody wrote it for an action, with the state of what that is for.

    What bounced was sent; else only what failed is sent again, and only what waits is cancelled or hurried.
    """
    if action != "resend":
        return {**given, "state": "waiting"}
    return {**given, "state": None if given.get("status") == "bounced" else "failed"}


def must_choose(chosen: DeliveryFilter) -> None:
    """Refuse a filter that lets everything through: what was meant is then most likely something else."""
    conditions = (getattr(chosen, field.name) for field in fields(chosen) if field.name not in _NOT_ENOUGH)
    if all(condition is None for condition in conditions):
        raise BadQuestion(
            "nothing is chosen; name ids, or at least one of distribution, channel, destination, customer, reason, "
            "detail, since, until"
        )


async def newest(
    deliveries: Deliveries, chosen: DeliveryFilter, limit: int, after: tuple[datetime, str] | None = None
) -> list[DeliverySummary]:
    """The newest of those chosen, at most `limit`; behind one, by when it was taken in and its id. Raises TryLater."""
    return [of_row(DeliverySummary, row) for row in await deliveries.newest(chosen, limit, after)]


async def groups(deliveries: Deliveries, chosen: DeliveryFilter, limit: int = _GROUPS) -> tuple[DeliveryGroup, ...]:
    """Those chosen, counted by what became of them; the most frequent first. Raises TryLater."""
    return tuple(of_row(DeliveryGroup, row) for row in await deliveries.groups(chosen, limit))


async def foresee(deliveries: Deliveries, action: Action, chosen: DeliveryFilter) -> Foreseen:
    """Count what an action would reach. Raises BadQuestion for a filter without any condition."""
    must_choose(chosen)
    standing, counted = await deliveries.standing(action, chosen), await groups(deliveries, chosen)
    missed = await deliveries.missed(chosen) if chosen.ids else {}
    return Foreseen(action, counted, standing, missed)


async def carry_out(
    deliveries: Deliveries,
    action: Action,
    chosen: DeliveryFilter,
    *,
    actor: str,
    on_progress: Callable[[int], None] = lambda _: None,
    most: int | None = None,
) -> int:
    """Do it in chunks, each a transaction of its own; to how many it was done, `most` at most.

    What is being sent is left alone.
    """
    must_choose(chosen)
    done, after = 0, ""
    while limit := _CHUNK if most is None else min(_CHUNK, most - done):
        ids = await deliveries.act(action, chosen, actor, after=after, limit=limit)
        if not ids:
            break
        done, after = done + len(ids), ids[-1]
        on_progress(done)
    return done


def _check_one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        meant = nearest(str(value), known, ROUGHLY_LIKE)
        hint = f'. Did you mean "{meant}"?' if meant else ""
        raise BadQuestion(f'"{value}" is not valid: must be one of {", ".join(known)}{hint}', name)
