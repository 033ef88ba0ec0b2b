"""Reports of mail systems, taken in: each end of a delivery is told once, dead addresses and complaints suppress."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

import asyncpg

from agents.roles.sender.ledger_rows import read_stored
from channels.email.reports import MailReport, NotReport, read_reports
from schemas.closed import DeliveryOutcome
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.errors import BadRecord
from schemas.suppression import NewSuppression
from store.sending.status_events import StatusEvents
from store.sending.suppressions import Suppressions
from streams.sending.bounces import hard_bounce
from streams.sending.outcome import delivery_status

_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")

Done = Literal["told", "known before", "left", "not ours", "not a report"]
"""`left`: it says nothing that is told, as a message that is still tried. `not ours`: no e-mail of this project."""


@dataclass(frozen=True, slots=True)
class TakenReport:
    """The fate of one report, or of a message that is not one; `suppressed` where the list changed by it."""

    done: Done
    kind: str
    delivery_id: str
    suppressed: bool
    detail: str


class Reports:
    """Reports of one project. A delivery of another one is not known here."""

    def __init__(self, pool: asyncpg.Pool, project_id: str, *, actor: str, now: datetime) -> None:
        self._events, self._suppressions = StatusEvents(pool), Suppressions(pool)
        self._project_id, self._actor, self._now = project_id, actor, now

    async def take(self, message: bytes) -> list[TakenReport]:
        """Take in one message; the same again changes nothing. Raises TryLater."""
        try:
            reports = read_reports(message)
        except NotReport as error:
            return [TakenReport("not a report", "", "", suppressed=False, detail=str(error))]
        try:
            found = await self._find(reports[0].delivery_id)
        except BadRecord as error:
            why = str(error)
            return [TakenReport("not ours", one.kind, one.delivery_id, suppressed=False, detail=why) for one in reports]
        counts = not any(one.kind == "delivered" for one in reports)  # else a list has it, and one of its members not
        return [await self._take(one, *found, may_suppress=counts) for one in reports]

    async def _find(self, delivery_id: str) -> tuple[Delivery, asyncpg.Record]:
        rows = await self._events.deliveries(self._project_id, [delivery_id])
        if not rows:
            raise BadRecord("this project has no such delivery, or not any more")
        delivery = read_stored(rows[0]["record"])
        if delivery.channel != "email":  # its receiver knows the id as well, and is not to end a whole host by it
            raise BadRecord("the delivery is not an e-mail")
        return delivery, rows[0]

    async def _take(
        self, report: MailReport, delivery: Delivery, row: asyncpg.Record, *, may_suppress: bool
    ) -> TakenReport:
        detail = _ADDRESS.sub("…", report.detail)
        outcome = _outcome(report)
        if outcome is None:
            return TakenReport("left", report.kind, report.delivery_id, suppressed=False, detail=detail)
        entry = self._entry(report, delivery) if may_suppress else None
        entries = [entry] if entry else []
        suppressed = await self._suppressions.add(entries)  # first: a crash in between is mended by the same again
        is_new = await self._events.record(_status(delivery, outcome, detail, row, self._now))
        done: Done = "told" if is_new else "known before"
        return TakenReport(done, report.kind, report.delivery_id, suppressed=suppressed > 0, detail=detail)

    def _entry(self, report: MailReport, delivery: Delivery) -> NewSuppression | None:
        """The entry for the address that we wrote to: whatever the report names, it cannot suppress another one."""
        if not report.is_hard and report.kind != "complained":
            return None
        entry = hard_bounce(delivery, "suppressed", tried=True)
        if entry is None:
            return None
        return replace(entry, reason="complained" if report.kind == "complained" else "bounced", added_by=self._actor)


def summary(taken: Sequence[TakenReport]) -> str:
    """The taken ones in a line."""
    told = sum(one.done == "told" for one in taken)
    known = sum(one.done == "known before" for one in taken)
    suppressed = sum(one.suppressed for one in taken)
    others = len(taken) - told - known
    return f"told: {told}; known before: {known}; others: {others}; addresses suppressed: {suppressed}"


def _outcome(report: MailReport) -> DeliveryOutcome | None:
    match report.kind:
        case "relayed" | "delayed":
            return None
        case "delivered" | "bounced" | "complained":
            return report.kind
        case _:
            assert_never(report.kind)


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
    )
