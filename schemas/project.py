"""A project as its document says it; what is left out is the settings'."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from schemas.distribution import Cap, ControlGroup
from schemas.events.event import Id
from schemas.notice import NoticeAddresses
from schemas.plan import PLANS, MessageLimits, Plan
from schemas.record import JsonObject, Record
from schemas.tracking import Tracking
from schemas.window import QuietHours

LANGUAGE_TAG = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*"
"""The form of a locale, whole: pl, pl-PL, pt_BR."""

COLOR = r"#[0-9A-Fa-f]{6}"
CURRENCY = r"[A-Z]{3}"


class Sandbox(Record, frozen=True, kw_only=True):
    """All that a sandbox reaches: addresses, domains and wildcards, in the form that suppressions have."""

    allow: list[str] = []


class Project(Record, frozen=True, kw_only=True):
    """One version of a project's document."""

    id: Id
    name: str
    version: Annotated[int, Meta(ge=1)]
    timezone: str | None = None
    country: str | None = None
    locale: str | None = None
    consents: list[str] | None = None
    brand: dict[str, str] | None = None
    notices: NoticeAddresses | None = None
    sandbox: Sandbox | None = None
    tracking: Tracking | None = None
    control_group: ControlGroup | None = None
    staff: JsonObject | None = None
    quiet_hours: QuietHours | None = None
    caps: list[Cap] = []
    send_hold: int | None = None
    approve_above: int | None = None
    plan: Plan = "paid"
    limits: MessageLimits | None = None
    git_lock: bool | None = None
    updated_at: datetime

    @property
    def message_limits(self) -> MessageLimits:
        """The numbers of messages that it may send: its own numbers, and those of its plan where it says none."""
        return (self.limits or MessageLimits()).over(PLANS[self.plan])
