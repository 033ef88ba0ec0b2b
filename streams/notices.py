"""The wording of what a project's owner is told: what is wrong, and what to look at."""

from __future__ import annotations

from datetime import timedelta

from schemas.notice import Concern

RETRIES = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6),
    timedelta(hours=12), timedelta(hours=24),
)  # fmt: skip
"""When a message to an owner is tried again: whatever keeps it from leaving may be just what it tells of."""


def destination_paused(project_id: str, channel: str, destination: str, reason: str) -> Concern:
    """An account or endpoint that refuses us: what is for it waits, and nothing of it is lost."""
    about = f"{channel}/{destination}"
    return Concern(
        project_id, "destination_paused", about,
        f"Nothing is sent to {about}: {reason}. What is for it waits.",
        f"tidings destinations; once it is mended: tidings destinations --resume {about}",
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
