"""What people do with destinations: send to one again."""

from __future__ import annotations

from schemas.closed import CHANNELS
from schemas.errors import TidingsError
from schemas.names import ROUGHLY_LIKE, did_you_mean
from store.sending.ledger import Ledger


async def resume_destination(ledger: Ledger, written: str) -> None:
    """Send to `CHANNEL/NAME` again. Raises TidingsError for what is not paused, and names what is."""
    channel, slash, name = written.partition("/")
    if not slash or channel not in CHANNELS:
        raise TidingsError(f'--resume: "{written}" is not valid; write CHANNEL/NAME, as in email/main')
    if await ledger.resume_destination(channel, name):
        return
    paused = [f"{row['channel']}/{row['destination']}" for row in await ledger.paused_destinations()]
    hint = did_you_mean(written, paused, ROUGHLY_LIKE)
    raise TidingsError(f"{written} is not paused.{hint} Paused: {', '.join(paused) or 'none'}")
