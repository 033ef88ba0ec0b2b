"""Reputation of accounts: when so much of what they sent bounced, or was called spam, that they are to be paused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Bounds:
    """The shares, in percent, that may bounce or draw complaints, of the messages sent within `window`.

    Of fewer than `least` messages a share says nothing: one complaint of twenty is no five per cent.
    """

    bounced: float = 5.0
    complained: float = 0.1
    least: int = 1000
    window: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Sent:
    """The messages of an account that its provider took or refused for good, and what of them came back."""

    count: int
    bounced: int
    complained: int


def trouble(sent: Sent, bounds: Bounds) -> str:
    """The reason to pause an account; empty where its shares are in bounds, or too little was sent to tell."""
    if sent.count < max(1, bounds.least):
        return ""
    came_back = ((sent.bounced, bounds.bounced, "bounced"), (sent.complained, bounds.complained, "drew complaints"))
    over = [
        f"{count:,} {what} ({100 * count / sent.count:.3g} %, at most {most:g} % may)"
        for count, most, what in came_back
        if 100 * count > most * sent.count
    ]
    return f"of its last {sent.count:,} messages {', '.join(over)}" if over else ""
