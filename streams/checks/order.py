"""All checks of the audience, in their order: the first that objects gives the reason.

First those of the distribution as a whole, then, with the id of a delivery, those of each of its messages. So one
channel without an address keeps no other from being sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.checks.backfill import BACKFILL
from streams.checks.cap import CAP
from streams.checks.check import AudienceCheck, Message, Subject
from streams.checks.consent import CONSENT
from streams.checks.holdout import HOLDOUT
from streams.checks.lifecycle import LIFECYCLE
from streams.checks.reach import REACH
from streams.checks.reentry import REENTRY
from streams.checks.window import WINDOW


@dataclass(frozen=True, slots=True)
class AudienceChecks:
    """The checks of a distribution, and those of each of its messages."""

    of_distribution: tuple[AudienceCheck[Subject], ...] = (LIFECYCLE, BACKFILL, CONSENT)
    of_message: tuple[AudienceCheck[Message], ...] = (REACH, HOLDOUT, REENTRY, WINDOW, CAP)


CHECKS = AudienceChecks()
