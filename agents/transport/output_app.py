"""The app of a worker that reads no topic: its producer, what ended it, and how it stops."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from types import SimpleNamespace
from typing import Any

import structlog

from agents.broker.producer import Producer
from deploy.settings.servers import Kafka
from schemas.errors import CannotStart

log = structlog.get_logger()

CRASHED = 70
"""Exit code after a crash (EX_SOFTWARE): the supervisor starts the process again."""

_CRASH_GRACE = 3.0


class OutputApp:
    """All that `agents/worker.py` and its watch ask of a `BatchApp`, without Faust: there is no group to join."""

    rebalancing_count, rebalancing, crashed = 1, False, False
    hot_topics: frozenset[str] = frozenset()

    def __init__(self, kafka: Kafka) -> None:
        self.outputs = Producer(kafka.client())
        self.crash_reason: BaseException | None = None
        self.consumer: Any = SimpleNamespace(
            assignment=tuple, blocked={}, beyond_tables=frozenset(), open_transactions=dict
        )

    def finalize(self) -> None:
        """There is nothing to declare."""

    async def start(self) -> None:
        """There is nothing to join."""

    def fatal_error(self) -> BaseException | None:
        """There is no consumer that could fail."""
        return None

    def begin_anew(self, topic: str, since: float) -> None:
        """No topic is read."""

    def stop_at_once(self, error: BaseException) -> None:
        """End the process."""
        if self.crash_reason is None:
            self.crash_reason = error
            log.error("worker_crashed", error=str(error), kind=type(error).__name__, exit_code=self.exit_code())

    async def stop_within(self, seconds: float) -> bool:
        """Whatever is under way ends with what runs beside it."""
        await asyncio.sleep(0)
        return True

    def exit_when_crashed(self) -> None:
        """Start the thread that ends a crashed process; for worker processes, not for tests in one process."""
        threading.Thread(target=self._exit_when_crashed, name="fail-fast", daemon=True).start()

    def _exit_when_crashed(self) -> None:
        while self.crash_reason is None:
            time.sleep(0.25)
        time.sleep(_CRASH_GRACE)
        os._exit(self.exit_code())

    def exit_code(self) -> int:
        """For the supervisor: where a person has to mend something first, it does not help to start again."""
        return os.EX_CONFIG if isinstance(self.crash_reason, CannotStart) else CRASHED
