"""The account that a message leaves through: its own, or another one while its own takes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, assert_never

from schemas.closed import HoldKind
from schemas.failover import Failover

Standing = Literal["well", "failing", "refused", "held"]
"""`failing`: its breaker is open. `refused`: it is paused, because it refused us (a 535, say) or took nothing for as
long as a delivery is tried. `held`: a person paused or removed it, or too much of its mail bounced, so that what is for
it waits.
"""


def standing_of(kind: HoldKind) -> Standing:
    """The standing of an account that is paused: what it answered lets another take its place, nothing else does."""
    match kind:
        case "refused" | "gone" | "exhausted":
            return "refused"
        case "account" | "reputation":
            return "held"
        case _:
            assert_never(kind)


def leaves_through(
    own: str, failover: Failover, standing: Callable[[str], Standing], *, possibly_accepted: bool = False
) -> str:
    """The account for a message of the account `own`: its own again as soon as that is well.

    What its own may have accepted stays with it, since no other account can tell that it has had it. The order of
    another account is not followed further.
    """
    if standing(own) in ("well", "held") or (possibly_accepted and not failover.takes_ambiguous):
        return own
    return next((other for other in failover.accounts if standing(other) == "well"), own)
