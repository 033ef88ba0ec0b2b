"""Announcing from pages: by the one producer of the process, and no longer than a page may wait."""

from __future__ import annotations

import asyncio

import structlog

from agents.broker.outbox import publish_outbox
from agents.broker.producer import Producer
from agents.wiring import Wiring
from schemas.errors import TryLater
from store.distributions import Control

log = structlog.get_logger()

_PATIENCE = 5.0
"""Seconds; what is not announced by then waits in the outbox, which workers look into as well."""


class Announcer:
    """See `Announce`. Where Kafka does not answer, what was saved stays saved, and is announced later."""

    def __init__(self, wiring: Wiring, patience: float = _PATIENCE) -> None:
        self._wiring, self._patience = wiring, patience
        self._producer: Producer | None = None

    async def __call__(self, control: Control) -> None:
        """Announce what waits."""
        if self._producer is None:
            self._producer = Producer(self._wiring.kafka.client())
        try:
            async with asyncio.timeout(self._patience):
                await publish_outbox(control, self._wiring, self._producer)
        except (TryLater, TimeoutError) as error:
            log.warning("announced_later", why=str(error))

    def close(self) -> None:
        """Let go of Kafka."""
        if self._producer is not None:
            self._producer.close(1.0)
