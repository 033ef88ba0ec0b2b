"""A distribution looked over before it is set live, over HTTP. Nothing is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from console.api.route import ById, Call, Name, Nothing, Reply, Route
from console.api.trials import Draft, candidate_of
from console.control.preflight.audience import MOST, MOST_ASKED
from console.control.preflight.finding import MEANINGS, Finding, FindingKind, Severity
from console.control.preflight.preflight import Asked, Preflight, preflight

_SECONDS = 60.0
"""Providers and pages that do not answer take their time."""

Most = Annotated[int, Meta(ge=1, le=MOST_ASKED, description="Customers of the audience that are looked at.")]
Price = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$", description="Of one part of a text message, in a currency of yours."),
]


class PreflightAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A preflight of what is applied, or of a draft; over a segment's members, else over those whom it is about.

    `offline`: neither providers, DNS nor links are asked.
    """

    document: Draft | None = None
    segment: Name | None = None
    most: Most = MOST
    offline: bool = False
    sms_price: Price | None = None


class PreflightFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing. `pointer` leads to the field of the document, empty for all of it; `means` is the same for its kind.

    `reason` says what was seen, `right` what would be right; `count` of `of` are so.
    """

    kind: FindingKind
    severity: Severity
    pointer: str
    means: str
    reason: str
    right: str
    count: int | None
    of: int | None


class PreflightReport(msgspec.Struct, frozen=True, kw_only=True):
    """The findings, the worst first; `is_clear` where none is a blocker.

    Of an `audience` (`whence` says of whom) so many were `looked_at`, of whom `gets` would be sent something. All are 0
    where nobody is known, and a sample stands for them.
    """

    distribution: str
    version: int
    status: str
    is_clear: bool
    audience: int
    whence: str
    looked_at: int
    gets: int
    findings: list[PreflightFinding]


async def preflight_distribution(call: Call[ById, Nothing, PreflightAsked]) -> Reply:
    """Look it over."""
    body = call.body
    candidate, project = await candidate_of(call), await call.project()
    price = None if body.sms_price is None else Decimal(body.sms_price)
    asked = Asked(body.segment, body.most, body.offline, price)
    return Reply(_report(await preflight(call.pool, call.wiring, project, candidate, asked, call.now)))


def _report(one: Preflight) -> PreflightReport:
    return PreflightReport(
        distribution=one.distribution, version=one.version, status=one.status, is_clear=one.is_clear,
        audience=one.audience, whence=one.whence, looked_at=one.looked_at, gets=one.gets,
        findings=list(map(_finding, one.findings)),
    )  # fmt: skip


def _finding(one: Finding) -> PreflightFinding:
    return PreflightFinding(
        kind=one.kind, severity=one.severity, pointer=one.pointer, means=MEANINGS[one.kind].said, reason=one.reason,
        right=one.right, count=one.count, of=one.of,
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/distributions/{id}/preflight", "distributions:test",
        "Look a distribution over before it is set live: all that would stop it from sending well",
        preflight_distribution, {200: PreflightReport}, path_type=ById, body=PreflightAsked, is_safe=True,
        path_example={"id": "winback"}, body_example={"offline": True}, seconds=_SECONDS,
    ),
)  # fmt: skip
