"""Health that follows progress: a worker that heartbeats but moves nothing although there is lag is sick."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agents.metrics import Metrics

STALL_SECONDS = 60.0
"""Lag without progress for so long ends the process: the supervisor starts a new one."""


@dataclass(slots=True)
class _Moved:
    offset: int
    at: float


@dataclass(frozen=True, slots=True)
class Health:
    """What `/healthz` answers."""

    healthy: bool
    status: str
    lag: dict[str, int] = field(default_factory=dict)
    stalled_seconds: float = 0.0


class ProgressWatch:
    """Compares how far each hot partition is with how far its log goes. `observe` is called about once a second."""

    def __init__(self, app: Any, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._moved: dict[Any, _Moved] = {}
        self._started = clock()
        self._lag: dict[str, int] = {}

    def observe(self) -> None:
        """Take the positions of the assigned partitions."""
        now, lags = self._clock(), {}
        assigned = {tp for tp in self._app.consumer.assignment() if tp.topic in self._app.hot_topics}
        for tp in assigned:
            end, offset = self._app.consumer.highwater(tp) or 0, self._offset(tp)
            lag = max(0, end - offset)
            moved = self._moved.get(tp)
            if moved is None or moved.offset != offset or not lag:
                moved = self._moved[tp] = _Moved(offset, now)
            lags[f"{tp.topic}-{tp.partition}"] = lag
            self._metrics.lag.labels(tp.topic, tp.partition).set(lag)
            self._metrics.commit_age.labels(tp.topic, tp.partition).set(now - moved.at)
        for gone in self._moved.keys() - assigned:
            del self._moved[gone]
            self._metrics.lag.remove(gone.topic, gone.partition)
            self._metrics.commit_age.remove(gone.topic, gone.partition)
        self._lag = lags

    def _offset(self, tp: Any) -> int:
        consumer = self._app.consumer
        return int(consumer.progress.next_offset(tp) or consumer._committed_offset[tp] or 0)

    def stalled_seconds(self) -> float:
        """How long the worst partition with lag has not moved; while nothing is assigned, since the start."""
        now = self._clock()
        return max((now - moved.at for moved in self._moved.values()), default=0.0)

    def health(self) -> Health:
        """Healthy, starting, or stalled."""
        stalled = self.stalled_seconds()
        if self._app.crash_reason is not None:
            return Health(False, "crashed", self._lag, stalled)
        if not self._moved or self._app.rebalancing:
            waited = self._clock() - self._started
            return Health(waited < STALL_SECONDS, "waiting for partitions", self._lag, stalled)
        self._started = self._clock()
        if stalled > STALL_SECONDS:
            return Health(False, "stalled", self._lag, stalled)
        return Health(True, "ok", self._lag, stalled)
