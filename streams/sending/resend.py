"""Before a failed delivery is sent again: what stands against it by now. The first that does decides."""

from __future__ import annotations

from schemas.closed import Reason
from schemas.distribution import TRANSACTIONAL
from streams.checks.consent import given
from streams.event_context import Profile


def needs_consent(category: str) -> bool:
    """True where the customer's profile decides too."""
    return category != TRANSACTIONAL


def stands_against(category: str, profile: Profile | None, known: Reason | None) -> Reason | None:
    """None where it may be sent. `known` is what the database has against it.

    Without a `profile` of the customer's own, the one in the event counted and still counts.
    """
    if needs_consent(category) and profile is not None and given(profile, category) is not True:
        return "consent"
    return known
