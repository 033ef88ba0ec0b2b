"""Destinations that nothing is sent to: list them, and send to one again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.control.rows import of_row
from schemas.closed import CHANNELS, HoldKind
from schemas.destination import Destination
from schemas.errors import BadQuestion, TidingsError
from schemas.names import ROUGHLY_LIKE, nearest
from store.sending.ledger import Ledger


@dataclass(frozen=True, slots=True)
class HeldDestination:
    """A destination that is paused, failing or throttled: why, since when, and how much waits since when.

    `kind` is the reason of a pause in one word.
    """

    channel: str
    destination: str
    state: str
    kind: HoldKind | None
    reason: str
    paused_at: datetime | None
    waiting: int
    oldest: datetime | None


def written_destination(project_id: str, written: str) -> Destination:
    """The account or endpoint that `CHANNEL/NAME` says. Raises BadQuestion."""
    channel, _, name = written.partition("/")
    found = next((one for one in CHANNELS if one == channel), None)
    if found is None or not name:
        meant = nearest(channel, CHANNELS, ROUGHLY_LIKE)
        hint = f'. Did you mean "{meant}/{name or "main"}"?' if meant else ""
        raise BadQuestion(f'"{written}" is not valid: must be CHANNEL/NAME, as in email/main{hint}')
    return Destination(project_id, found, name)


async def held(ledger: Ledger, project_id: str) -> list[HeldDestination]:
    """Every one of a project that deliveries wait for. Raises TryLater."""
    return [of_row(HeldDestination, row) for row in await ledger.held_destinations(project_id)]


async def resume_destination(
    ledger: Ledger, project_id: str, written: str, *, actor: str, dry_run: bool = False
) -> None:
    """Send to `CHANNEL/NAME` of a project again. Raises TidingsError for what is not paused, and names what is.

    `dry_run`: say what is wrong, and leave it paused. Raises BadQuestion for what names no channel.
    """
    destination = written_destination(project_id, written)
    if not dry_run and await ledger.resume_destination(destination, by=actor):
        return
    of_project = [one for one in await ledger.paused_destinations() if one.project_id == project_id]
    if dry_run and destination in of_project:
        return
    paused = [f"{one.channel}/{one.name}" for one in of_project]
    meant = nearest(written, paused, ROUGHLY_LIKE)
    hint = f' Did you mean "{meant}"?' if meant else ""
    raise TidingsError(f"{written} is not paused.{hint} Paused: {', '.join(paused) or 'none'}")
