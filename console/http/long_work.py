"""Work that people ask for and that takes long, done in a thread of its own: no request waits for it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from agents.wiring import Wiring
from console.control.imports import ImportWork
from console.control.rebuilds import RebuildWork
from console.http.database import LateDatabase
from schemas.errors import TryLater

log = structlog.get_logger()

_IDLE_SECONDS, _AWAY_SECONDS = 1.0, 5.0
_KINDS: tuple[type[ImportWork] | type[RebuildWork], ...] = (ImportWork, RebuildWork)
"""Of each kind one at a time, and no kind waits for another: files handed in, and read models made anew."""


class LongWork:
    """One of a process. What it has not finished when it stops, another process goes on with, or the next one."""

    def __init__(self, wiring: Wiring, clock: Callable[[], datetime]) -> None:
        self._wiring, self._clock = wiring, clock
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="long-work", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def stop(self) -> None:
        """Leave what is under way, once its batch is in."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        database = LateDatabase(self._wiring.settings)
        try:
            await asyncio.gather(*(self._turns(kind, database) for kind in _KINDS))
        finally:
            await database.close()

    async def _turns(self, kind: type[ImportWork] | type[RebuildWork], database: LateDatabase) -> None:
        while not self._stopping.is_set():
            wait = await self._turn(kind, database)
            if wait:
                await asyncio.to_thread(self._stopping.wait, wait)

    async def _turn(self, kind: type[ImportWork] | type[RebuildWork], database: LateDatabase) -> float:
        """Do one thing of a kind, if there is one; the seconds until the next look."""
        try:
            work = kind(await database.pool(), self._wiring, self._owner, self._clock, self._stopping.is_set)
            return 0.0 if await work.work() else _IDLE_SECONDS
        except TryLater:
            return _AWAY_SECONDS
        except Exception as error:  # its loop goes on: others can be done
            log.error("long_work_failed", kind=kind.__name__, error=type(error).__name__)
            return _AWAY_SECONDS
