"""The app of a worker that reads no topic: its producer, what ended it, and how it stops."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import structlog

from agents.broker.producer import Producer
from agents.transport.crash import EndsWhenCrashed
from deploy.settings.servers import Kafka

log = structlog.get_logger()


class OutputApp(EndsWhenCrashed):
    """All that `agents/worker.py` and its watch ask of a `BatchApp`, without Faust: there is no group to join."""

    rebalancing_count, rebalancing, crashed = 1, False, False
    hot_topics: frozenset[str] = frozenset()

    def __init__(self, kafka: Kafka) -> None:
        self.outputs = Producer(kafka.producer())
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
