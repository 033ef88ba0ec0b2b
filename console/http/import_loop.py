"""The loop that adds handed-in files, in a thread of its own: reading them keeps no request waiting."""

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
from console.http.database import LateDatabase
from schemas.errors import TryLater

log = structlog.get_logger()

_IDLE_SECONDS, _AWAY_SECONDS = 1.0, 5.0


class ImportLoop:
    """One of a process. What it has not finished when it stops, another process goes on with, or the next one."""

    def __init__(self, wiring: Wiring, clock: Callable[[], datetime]) -> None:
        self._wiring, self._clock = wiring, clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imports", daemon=True)

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
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            while not self._stopping.is_set():
                wait = await self._turn(database, owner)
                if wait:
                    await asyncio.to_thread(self._stopping.wait, wait)
        finally:
            await database.close()

    async def _turn(self, database: LateDatabase, owner: str) -> float:
        """Do one import, if there is one; the seconds until the next look."""
        try:
            work = ImportWork(await database.pool(), self._wiring, owner, self._clock, self._stopping.is_set)
            return 0.0 if await work.work() else _IDLE_SECONDS
        except TryLater:
            return _AWAY_SECONDS
        except Exception as error:  # its loop goes on: others can be added
            log.error("imports_failed", error=type(error).__name__)
            return _AWAY_SECONDS
