"""Destinations that nothing is sent to: list them, and send to one again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.control.rows import of_row
from schemas.closed import CHANNELS
from schemas.errors import TidingsError
from schemas.names import ROUGHLY_LIKE, nearest
from store.sending.ledger import Ledger


@dataclass(frozen=True, slots=True)
class HeldDestination:
    """A destination that is paused or throttled: why, since when, and how much waits since when."""

    channel: str
    destination: str
    state: str
    reason: str
    paused_at: datetime | None
    waiting: int
    oldest: datetime | None


async def held(ledger: Ledger) -> list[HeldDestination]:
    """Every one that deliveries wait for. Raises TryLater."""
    return [of_row(HeldDestination, row) for row in await ledger.held_destinations()]


async def resume_destination(ledger: Ledger, written: str) -> None:
    """Send to `CHANNEL/NAME` again. Raises TidingsError for what is not paused, and names what is."""
    channel, slash, name = written.partition("/")
    if not slash or channel not in CHANNELS:
        raise TidingsError(f'"{written}" is not valid: must be CHANNEL/NAME, as in email/main')
    if await ledger.resume_destination(channel, name):
        return
    paused = [f"{row['channel']}/{row['destination']}" for row in await ledger.paused_destinations()]
    meant = nearest(written, paused, ROUGHLY_LIKE)
    hint = f' Did you mean "{meant}"?' if meant else ""
    raise TidingsError(f"{written} is not paused.{hint} Paused: {', '.join(paused) or 'none'}")
