"""Destinations that nothing is sent to: list them, and send to one again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.control.rows import of_row
from schemas.closed import CHANNELS
from schemas.destination import Destination
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


async def held(ledger: Ledger, project_id: str) -> list[HeldDestination]:
    """Every one of a project that deliveries wait for. Raises TryLater."""
    return [of_row(HeldDestination, row) for row in await ledger.held_destinations(project_id)]


async def resume_destination(ledger: Ledger, project_id: str, written: str) -> None:
    """Send to `CHANNEL/NAME` of a project again. Raises TidingsError for what is not paused, and names what is."""
    written_channel, slash, name = written.partition("/")
    channel = next((one for one in CHANNELS if one == written_channel), None)
    if not slash or channel is None:
        raise TidingsError(f'"{written}" is not valid: must be CHANNEL/NAME, as in email/main')
    if await ledger.resume_destination(Destination(project_id, channel, name)):
        return
    of_project = (one for one in await ledger.paused_destinations() if one.project_id == project_id)
    paused = [f"{one.channel}/{one.name}" for one in of_project]
    meant = nearest(written, paused, ROUGHLY_LIKE)
    hint = f' Did you mean "{meant}"?' if meant else ""
    raise TidingsError(f"{written} is not paused.{hint} Paused: {', '.join(paused) or 'none'}")
