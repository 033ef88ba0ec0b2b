"""The wording of what a project's owner is told: what is wrong, what to look at, and the messages that say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from schemas.channels.email import EmailAddress, EmailDelivery
from schemas.channels.webhook import WebhookAddress, WebhookDelivery
from schemas.delivery import DistributionRef, EventRef, Recipient
from schemas.destination import Destination
from schemas.distribution import TRANSACTIONAL
from schemas.events.triggers import TRIGGERS
from schemas.formats.days import zone_of
from schemas.notice import Concern, Notice
from schemas.plan import LimitUse, ProjectUse
from schemas.template import StoredTemplate
from schemas.watching import DistributionHours, FieldHistory
from streams.conditions.answer import a_kind
from streams.field_watch import FieldChange
from streams.watching import Jump, Silence

_NAMED = 5
"""Distributions that a notice names."""
RETRIES = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6),
    timedelta(hours=12), timedelta(hours=24),
)  # fmt: skip
"""When a message to an owner is tried again: whatever keeps it from leaving may be just what it tells of."""


def destination_paused(destination: Destination, reason: str) -> Concern:
    """An account or endpoint that refuses us: what is for it waits, and nothing of it is lost."""
    about = f"{destination.channel}/{destination.name}"
    return Concern(
        destination.project_id, "destination_paused", about,
        f"Nothing is sent to {about}: {reason}. What is for it waits.",
        f"tidings destinations; once it is mended: tidings destinations --resume {about}",
    )  # fmt: skip


def destination_failing(destination: Destination, why: str) -> Concern:
    """An account or endpoint that does not do its part: what is for it waits, and one message at a time asks it."""
    about = f"{destination.channel}/{destination.name}"
    return Concern(
        destination.project_id, "destination_failing", about,
        f"{about} fails: {why}. What is for it waits; one message at a time tries whether it is well again.",
        f"tidings destinations; to try it at once: tidings deliveries hurry --destination {destination.name}",
    )  # fmt: skip


def distribution_paused(project_id: str, distribution: str, campaign: str) -> Concern:
    """A distribution that stopped by itself, since its campaign has no code left."""
    return Concern(
        project_id, "distribution_paused", distribution,
        f"Distribution {distribution} is paused: campaign {campaign} has no code left.",
        f"tidings campaigns show {campaign}; once there are codes: tidings distributions resume {distribution}",
    )  # fmt: skip


def codes_low(project_id: str, campaign: str, left: int, total: int) -> Concern:
    """A campaign that will soon have no code left."""
    return Concern(
        project_id, "codes_low", campaign,
        f"Campaign {campaign} has {left} of {total} codes left.",
        f"tidings campaigns show {campaign}; tidings campaigns generate or import adds codes",
    )  # fmt: skip


def distribution_silent(found: DistributionHours, what: Silence) -> Concern:
    """A live distribution that has matched nothing for longer than it ever does."""
    name = found.distribution_id
    return Concern(
        found.project_id, "distribution_silent", name,
        f"Distribution {name} has matched nothing since {what.last:%Y-%m-%d %H:%M} UTC; its gaps are of "
        f"{_span(what.usual)} at most.",
        f"tidings distributions show {name}: its trigger and guard; tidings tail of its topic: do events come, "
        "with the fields that the guard reads? tidings lag; tidings dead-letters list",
    )  # fmt: skip


def skips_jumped(found: DistributionHours, jump: Jump) -> Concern:
    """A live distribution that is skipped for one reason far more than usual."""
    name = found.distribution_id
    return Concern(
        found.project_id, "skips_jumped", f"{name}: {jump.reason}",
        f"Distribution {name} was skipped for {jump.reason} in {jump.skipped} of {jump.of} cases within the last two "
        f"hours: {jump.skipped / jump.of:.0%}, usually {jump.usual:.0%}.",
        f"tidings tail decisions: customers whom {name} skipped; tidings why CUSTOMER: the detail says what was "
        f"missing or in the way ({jump.reason})",
    )  # fmt: skip


def field_about(found: FieldHistory) -> str:
    """The subject of a notice about a field."""
    return f"{found.subject}: {found.path}"


def field_changed(found: FieldHistory, change: FieldChange, used: Sequence[str]) -> Concern:
    """A field of events that live distributions use, and that is gone or of another kind."""
    now = f"is {a_kind(change.now)}" if change.now else "is missing"
    names = ", ".join(used[:_NAMED]) + (f" and {len(used) - _NAMED} more" if len(used) > _NAMED else "")
    topic = TRIGGERS[found.subject.partition(" ")[0]].topic
    return Concern(
        found.project_id, "field_changed", field_about(found),
        f"{found.path} of {found.subject} was {a_kind(change.before)} in {change.share:.0%} of events, and {now} in "
        f"{change.otherwise} of the newest {change.of} of a sample, as in {change.example}. Used by: {names}.",
        f"tidings tail {topic}: what the producer of these events changed, and whether it was meant; if it was: "
        f"tidings check FOLDER --topic {topic} names what has to follow, then tidings apply. What lasts for 15 days is "
        "taken as usual",
    )  # fmt: skip


def _span(span: timedelta) -> str:
    return f"{span // timedelta(hours=1)} h"


LIMIT_THRESHOLDS = (80, 100)
"""The percentages of a project's limit at which its owner is told."""
_SPANS = {"in_all": "in all", "a_month": "a month", "a_day": "a day"}


def limits_used(of_project: ProjectUse) -> Iterator[Concern]:
    """Each threshold that a project has reached of each of its limits: another subject each day and each month."""
    for use in of_project.uses:
        for threshold in LIMIT_THRESHOLDS:
            if use.used * 100 >= use.allowed * threshold:
                yield _limit_used(of_project, use, threshold)


def _limit_used(of_project: ProjectUse, use: LimitUse, threshold: int) -> Concern:
    project_id, span = of_project.project_id, _SPANS[use.span]
    period = {"in_all": "", "a_month": f" {of_project.day:%Y-%m}", "a_day": f" {of_project.day:%Y-%m-%d}"}[use.span]
    until = "" if use.free_at is None else f" until {use.free_at.astimezone(zone_of(of_project.zone)):%Y-%m-%d %H:%M}"
    rest = f" What comes{until} fails as limit." if use.used >= use.allowed else ""
    return Concern(
        project_id, "limit_used", f"{span}{period}: {threshold}%",
        f"Project {project_id} has used {use.used} of the {use.allowed} messages {span} that it may send.{rest}",
        f"tidings projects show {project_id}; what failed: tidings deliveries list --reason limit",
    )  # fmt: skip


MAIL = StoredTemplate(
    name="notice",
    subject="[{{ notice.project_id }}] {{ notice.summary }}",
    text="{{ notice.summary }}\n\nSince {{ notice.opened_at }}.\nTo look at: {{ notice.look_at }}\n",
)
"""The words of a mail to an owner."""

_TYPE = "tidings.notice"
_SENDER = DistributionRef(id="notices", version=1, name="Notices")


def message_to_owner(notice: Notice, way: str, account: str) -> EmailDelivery | WebhookDelivery:
    """The message that tells of a notice: to `email/ACCOUNT:ADDRESS`, or to `webhook:URL`.

    `account` is for `email:ADDRESS`, which names none.

    The same notice and state always make the same id, so that a receiver can tell what it has had.
    """
    how, _, address = way.partition(":")
    kind, _, named = how.partition("/")
    body = msgspec.to_builtins(notice)
    shared: dict[str, Any] = {
        "delivery_id": f"{notice.notice_id}.{notice.state}",
        "project_id": notice.project_id,
        "distribution": _SENDER,
        "event": EventRef(id=notice.notice_id, type=_TYPE, created_at=notice.closed_at or notice.opened_at),
        "customer": Recipient(id="owner"),
        "priority": 0,
        "category": TRANSACTIONAL,
    }
    if kind == "email":
        to = EmailAddress(to=address, template=MAIL.ref)
        return EmailDelivery(account=named or account, email=to, data={"notice": body}, **shared)
    there = WebhookAddress(url=address, type=_TYPE, payload={"notice": body})
    return WebhookDelivery(account=urlsplit(address).netloc, webhook=there, data={}, **shared)
