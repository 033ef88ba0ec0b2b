"""The cluster, looked at beside the work: whether it answers, and whether its topics are as they were at the start.

Where Kafka says nothing, waiting is no stall: a new process would wait as well. A consumer alone does not know the
difference, since its requests end without an answer either way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from agents.aside import aside
from agents.broker.topics import Provision
from agents.waiting import OUTAGES, Waits
from schemas.errors import TryLater

log = structlog.get_logger()

_PAUSE = 15.0


class ClusterWatch:
    """`follow` goes on for ever; what is away stands in `/healthz`, what changed is said once.

    `on_anew` is told of a topic that another one has taken the place of, and when the old one was seen last: a consumer
    that asks for an offset which the new one has as well gets no error, and would miss what is before.
    """

    def __init__(
        self,
        provision: Provision,
        on_anew: Callable[[str, float], None],
        *,
        waits: Waits = OUTAGES,
        pause: float = _PAUSE,
    ) -> None:
        self._provision, self._on_anew = provision, on_anew
        self._ids: dict[str, str] = {}
        self._seen_at = 0.0
        self._waits, self._pause = waits, pause
        self._said: set[str] = set()

    async def follow(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(self._pause)

    async def look(self) -> None:
        """Look once."""
        began = time.monotonic()
        try:
            seen = await aside(self._provision.look)
        except TryLater as error:
            self._say("dependency_unavailable", str(error))
            self._waits.refused(self, "Kafka")
            return
        if seen.away:
            self._waits.refused(self, "; ".join(seen.away))
        else:
            self._waits.over(self)
        for one in seen.away:
            self._say("topic_away", one)
        for one in seen.differing:
            self._say("partitions_differ", one)
        self._said &= {*seen.away, *seen.differing}
        for topic, found in seen.ids.items():
            if self._ids.setdefault(topic, found) != found:
                self._ids[topic] = found
                log.warning("topic_made_anew", topic=topic, because="another one has taken its place")
                self._on_anew(topic, self._seen_at)
        self._seen_at = began

    def _say(self, event: str, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            log.error(event, what=what)
