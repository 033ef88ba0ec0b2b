"""Manual sends that are due, and whether anybody works on them."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from schemas.errors import TidingsError
from store.sends import Sends

_LATE = timedelta(minutes=1)
"""Time for which a send may be due before somebody takes it up."""


async def examine_sends(pool: asyncpg.Pool) -> str:
    """A sentence about manual sends. Raises TidingsError where one is due and nobody works on it; TryLater."""
    sends = Sends(pool)
    (sending, _), overdue = await sends.open(), await sends.overdue(_LATE)
    if overdue:
        raise TidingsError(
            f"{len(overdue)} sends are due and nobody works on them, as on {overdue[0]}. Start a fan-out with "
            "`tidings worker fan_out`"
        )
    return f"{sending} under way"
