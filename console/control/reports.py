"""Reports of providers, taken in: each end of a delivery is told once, dead addresses and complaints suppress."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

import asyncpg

from agents.roles.sender.ledger_rows import read_stored
from channels.contract import shortened
from channels.email.reports import NotReport, mail_events
from channels.status_calls import StatusEvent, StatusKind
from schemas.channels.webhook import SIGNING, endpoint_account
from schemas.closed import ChannelName, DeliveryOutcome
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.errors import BadRecord
from schemas.suppression import OWNER_WROTE, NewSuppression, SuppressionReason, address_keys
from store.sending.status_events import ReportedStatus, StatusEvents
from store.sending.suppressions import SoftBounce, Suppressions
from streams.sending.bounces import BOUNCING, address_of, hard_bounce, long_bounce
from streams.sending.outcome import delivery_status

_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")

_Name = tuple[str, str]
"""A delivery's own id, or its provider's for it."""
_WORDS: frozenset[StatusKind] = frozenset({"unsubscribed", "resubscribed"})

Done = Literal["told", "known before", "left", "not ours", "not a report", "unsubscribed", "not proven"]
"""`left`: it says nothing that is told, as a message that is still tried. `not ours`: no delivery of this project.
`unsubscribed`: a customer has left by mail; `not proven`: a mail that looks like that, with a token that nobody made.
"""


@dataclass(frozen=True, slots=True)
class TakenReport:
    """The fate of one report, or of a message that is not one; `suppressed` where the list changed by it."""

    done: Done
    kind: str
    delivery_id: str
    suppressed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class _Judged:
    """The fate of one event before it is carried out: what is told of it, and whom it suppresses.

    `bounced` is its delivery, where that counts among the soft bounces of its address.
    """

    done: Done
    detail: str
    status: DeliveryStatus | None = None
    entry: NewSuppression | None = None
    bounced: Delivery | None = None
    taken_at: datetime | None = None


class Reports:
    """Reports of one project. A delivery of another one is not known here."""

    def __init__(self, pool: asyncpg.Pool, project_id: str, *, actor: str, now: datetime) -> None:
        self._events, self._suppressions = StatusEvents(pool), Suppressions(pool)
        self._project_id, self._actor, self._now = project_id, actor, now

    async def take(self, message: bytes) -> list[TakenReport]:
        """Take in one message; the same again changes nothing. Raises TryLater."""
        try:
            events = mail_events(message)
        except NotReport as error:
            return [TakenReport("not a report", "", "", suppressed=False, detail=str(error))]
        return await self.take_events(events, "email")

    async def take_events(
        self, events: Sequence[StatusEvent], channel: ChannelName, account: str | None = None
    ) -> list[TakenReport]:
        """Take in what is reported of a channel's deliveries; with an account, of its own alone. Raises TryLater."""
        words = [one for one in events if _is_of_address(one)]
        ends = await self._take_ends([one for one in events if not _is_of_address(one)], channel, account)
        return [*ends, *[await self._take_word(one, channel) for one in words]]

    async def _take_ends(
        self, events: Sequence[StatusEvent], channel: ChannelName, account: str | None
    ) -> list[TakenReport]:
        known = await self._find(events, channel)
        judged = [self._judge(one, known.get(_named(one)), channel, account) for one in events]
        ends = [
            ReportedStatus(one.status, counts=one.entry is not None, report_id=event.report_id)
            for event, one in zip(events, judged, strict=True)
            if one.status is not None
        ]
        suppressed = [await self._suppress(one.entry) for one in judged]  # first: a crash is mended by the same again
        is_new = iter(await self._events.record(ends) if ends else ())
        done: list[Done] = [
            one.done if one.status is None else "told" if next(is_new) else "known before" for one in judged
        ]
        rests = [fate == "told" and await self._rest(one) for one, fate in zip(judged, done, strict=True)]
        changed = [did or does for did, does in zip(suppressed, rests, strict=True)]
        return [
            TakenReport(fate, event.kind, event.delivery_id, suppressed=did, detail=one.detail)
            for event, one, fate, did in zip(events, judged, done, changed, strict=True)
        ]

    async def _rest(self, one: _Judged) -> bool:
        """Count a soft bounce, and let its address rest where it has bounced for long."""
        address = address_of(one.bounced) if one.bounced is not None else None
        if one.bounced is None or address is None:
            return False
        bounce = SoftBounce(one.bounced.customer.id, one.taken_at)
        bounces, span = (await self._suppressions.count_bounces({address: bounce}))[address]
        entry = long_bounce(one.bounced, bounces, span)
        return entry is not None and await self._suppress(replace(entry, added_by=self._actor))

    async def _take_word(self, event: StatusEvent, channel: ChannelName) -> TakenReport:
        """Take in what is said of an address: nothing more is sent there, or again what its owner had stopped."""
        keys = address_keys(channel, event.address)
        if not keys:
            return TakenReport("left", event.kind, "", suppressed=False, detail="it came from no address of a customer")
        if event.kind == "resubscribed":
            is_new = await self._suppressions.lift(self._project_id, keys[0], channel) > 0
        else:
            reason, source = _why_never(event)
            is_new = await self._suppress(
                NewSuppression(self._project_id, keys[0], reason, source, self._actor, channel)
            )
        return TakenReport("told" if is_new else "known before", event.kind, "", suppressed=is_new, detail=event.detail)

    async def _find(self, events: Sequence[StatusEvent], channel: ChannelName) -> dict[_Name, asyncpg.Record]:
        names = {_named(one) for one in events}
        ids, provider_ids = ({name[place] for name in names if name[place]} for place in range(2))
        rows = await self._events.deliveries(self._project_id, ids) if ids else []
        found: dict[_Name, asyncpg.Record] = {(row["delivery_id"], ""): row for row in rows}
        if provider_ids:
            rows = await self._events.by_provider_id(self._project_id, channel, provider_ids)
            found |= {("", row["provider_id"]): row for row in rows}
        return found

    def _judge(
        self, event: StatusEvent, row: asyncpg.Record | None, channel: ChannelName, account: str | None
    ) -> _Judged:
        if row is None:
            return _Judged("not ours", "this project has no such delivery, or not any more")
        try:
            delivery = read_stored(row["record"])
        except BadRecord as error:
            return _Judged("not ours", str(error))
        if delivery.channel != channel:  # its receiver knows the id as well, and is not to end a whole host by it
            return _Judged("not ours", f"the delivery is not one of the channel {channel}")
        if account is not None and not _left_by(account, delivery, row["through"]):
            return _Judged("not ours", "the delivery left through another account")
        detail, outcome = _ADDRESS.sub("…", shortened(event.detail)), _outcome(event.kind)
        if outcome is None:
            return _Judged("left", detail)
        status = _status(delivery, outcome, detail, row, event.occurred_at or self._now)
        is_soft = event.is_soft and delivery.channel in BOUNCING
        return _Judged(
            "told", detail, status, self._entry(event, delivery), delivery if is_soft else None, row["settled_at"]
        )

    async def _suppress(self, entry: NewSuppression | None) -> bool:
        return entry is not None and await self._suppressions.add([entry]) > 0

    def _entry(self, event: StatusEvent, delivery: Delivery) -> NewSuppression | None:
        """The entry for the address that we wrote to: whatever is reported, it cannot suppress another one."""
        if delivery.channel not in BOUNCING or not (event.is_hard or event.kind == "complained"):
            return None
        entry = hard_bounce(delivery, "suppressed", tried=True)
        if entry is None:
            return None
        return replace(entry, reason="complained" if event.kind == "complained" else "bounced", added_by=self._actor)


def _left_by(account: str, delivery: Delivery, through: str | None) -> bool:
    """True for an account that a delivery may have left by: its own may have had it beside the one in its place.

    A webhook's own is its endpoint's; the project's signs to each.
    """
    if delivery.channel == "webhook":
        return account in (SIGNING, endpoint_account(delivery.account))
    return account in (delivery.account, through)


def _is_of_address(event: StatusEvent) -> bool:
    """Tell whether an event is about an address, and about no message that went there."""
    return event.kind in _WORDS or bool(event.address and not event.delivery_id and not event.provider_id)


def _why_never(event: StatusEvent) -> tuple[SuppressionReason, str]:
    match event.kind:
        case "bounced" | "complained":
            return event.kind, event.detail
        case _:
            return "unsubscribed", f"{OWNER_WROTE}{event.detail}"


def _named(event: StatusEvent) -> _Name:
    return (event.delivery_id, "") if event.delivery_id else ("", event.provider_id)


def summary(taken: Sequence[TakenReport]) -> str:
    """The taken ones in a line."""
    told = sum(one.done == "told" for one in taken)
    known = sum(one.done == "known before" for one in taken)
    suppressed = sum(one.suppressed for one in taken)
    others = len(taken) - told - known
    return f"told: {told}; known before: {known}; others: {others}; addresses suppressed: {suppressed}"


def _outcome(kind: StatusKind) -> DeliveryOutcome | None:
    match kind:
        case "relayed" | "delayed" | "unsubscribed" | "resubscribed":
            return None
        case "delivered" | "bounced" | "complained" | "opened" | "clicked" | "machine_opened" | "machine_clicked":
            return kind
        case _:
            assert_never(kind)


def _status(
    delivery: Delivery, outcome: DeliveryOutcome, detail: str, row: asyncpg.Record, now: datetime
) -> DeliveryStatus:
    return delivery_status(
        delivery,
        outcome,
        outcome=outcome,
        detail="" if row["erased"] else detail,
        provider_id=row["provider_id"],
        attempts=row["attempts"],
        occurred_at=now,
        through=row["through"],
    )
