"""Sends that wait for a moment, and whether anybody releases them."""

from __future__ import annotations

from contextlib import closing

import asyncpg

from agents.aside import aside
from agents.broker.groups import processes
from agents.broker.lag import LagReader
from agents.broker.wire import Wire
from schemas.errors import TidingsError
from store.holds import Holds, Waiting

_LATE = 60.0
"""Seconds that what is due may be late by; the metric of it is alarmed on by the same."""


async def examine_holds(pool: asyncpg.Pool, wire: Wire) -> str:
    """A sentence about what waits. Raises TidingsError where nobody releases it, or late; TryLater."""
    unread, holders = await aside(lambda: (_unread(wire), len(processes(wire, "holder"))))
    waiting = await Holds(pool).waiting()
    said = said_of_holds(waiting, unread, holders)
    if (holders == 0 and (waiting.waiting or unread)) or (waiting.late or 0.0) > _LATE:
        raise TidingsError(f"{said}. Start one with `tidings worker holder`" if not holders else said)
    return said


def said_of_holds(waiting: Waiting, unread: int, holders: int) -> str:
    """A sentence of what waits, since when it should have been released, and how many holders there are."""
    if not (waiting.waiting or unread):
        return "nothing waits"
    known = f"{waiting.waiting} sends wait"
    behind = f", and up to {unread} that no holder has read yet" if unread else ""
    late = f"; the first has been due for {waiting.late:.0f} s" if waiting.late else ""
    who = "no holder runs" if not holders else f"{holders} holder{'s' if holders > 1 else ''}"
    return f"{known}{behind}{late}; {who}"


def _unread(wire: Wire) -> int:
    with closing(LagReader(wire, ("holder",))) as reader:
        return sum(one.lag for one in reader.read())
