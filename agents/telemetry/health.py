"""Health that follows progress: a worker that heartbeats but moves nothing although there is work is sick.

Faust's recovery may end silently, and a join may never come to its end; the process lives on and consumes nothing. So
these have to move: the join, the restoring of tables, each partition that has lag, and loops that run beside these.
A partition whose batches only wait behind others' moves with them: a worker that is slow would be slower anew.
Where a dependency says that it is away, waiting for it is no stall: a new process would wait as well. Nor is time in
which the process stood still as a whole, as with its machine: nothing could move, and all goes on by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.broker.lag import OPEN_SECONDS
from agents.telemetry.metrics import Metrics
from agents.telemetry.status import Health
from agents.transport.consumer import BEYOND_TABLES
from agents.waiting import OUTAGES, Waits

STALL_SECONDS = 60.0
"""Work without progress for so long ends the process: the supervisor starts a new one."""

_ANSWER_SECONDS = 5.0
_SEEN_SHARE = 0.25
"""Of the time until a stall: two looks that are further apart were so since the process stood still."""


@dataclass(slots=True)
class _Moved:
    position: Hashable
    at: float


@dataclass(slots=True)
class Loop:
    """A loop beside the records: how often it has come round, and whether it has to come round now.

    The latter is for somebody else than the loop to say: one that hangs says nothing.
    """

    name: str
    iterations: int = 0
    must_progress: bool = False


class Status:
    """The answer of `/healthz` over the life of a process: until there is progress to watch, what is waited for."""

    def __init__(self, waits: Waits = OUTAGES) -> None:
        self._waits = waits
        self._watch: ProgressWatch | None = None

    def follow(self, watch: ProgressWatch) -> None:
        """The start is over."""
        self._watch = watch

    def health(self) -> Health:
        """As it is now."""
        if self._watch is not None:
            return self._watch.health()
        waits_for = self._waits.asked()
        return Health(True, "waiting" if waits_for else "starting", waits_for=waits_for)


class ProgressWatch:
    """Compares how far a worker is with how far it has to go. `observe` is called about once a second."""

    def __init__(
        self,
        app: Any,
        metrics: Metrics,
        loops: Sequence[Loop] = (),
        *,
        stall_seconds: float = STALL_SECONDS,
        open_seconds: float = OPEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        waits: Waits = OUTAGES,
    ) -> None:
        self._waits, self._refusals = waits, waits.refusals
        self._app = app
        self._metrics = metrics
        self._loops = loops
        self._stall_seconds, self._open_seconds = stall_seconds, open_seconds
        self._clock = clock
        self._moved: dict[Hashable, _Moved] = {}
        self._asked: dict[Any, int] = {}
        self._lag: dict[Any, int] = {}
        self._open: dict[Any, _Moved] = {}
        self._looked_at = clock()

    async def observe(self) -> None:
        """Take the positions as they are."""
        self._leave_out(self._clock() - self._looked_at - self._stall_seconds * _SEEN_SHARE)
        assigned = self._assigned()
        await self._ask_for_ends([tp for tp in assigned if self._stands_still(tp)])
        now = self._clock()  # asking takes its time where nobody answers
        before, self._lag = self._lag, {tp: max(0, self._end(tp) - self._offset(tp)) for tp in assigned}
        self._open = {tp: self._still_open(tp, offset, now) for tp, offset in self._open_transactions().items()}
        steps = dict(self._steps())
        is_waiting, self._refusals = self._waits.refusals > self._refusals, self._waits.refusals
        for what, (position, is_done) in steps.items():
            moved = self._moved.get(what)
            if moved is None or is_done or is_waiting or moved.position != position:
                self._moved[what] = _Moved(position, now)
        for gone in self._moved.keys() - steps.keys():
            del self._moved[gone]
        self._measure(now, before.keys() - self._lag.keys())
        self._looked_at = self._clock()

    def _leave_out(self, seconds: float) -> None:
        """Count as if these had not been."""
        for moved in (*self._moved.values(), *self._open.values()) if seconds > 0 else ():
            moved.at += seconds

    def stalled_seconds(self) -> float:
        """Seconds for which the worst of what should move has not."""
        now = self._clock()
        return max((now - moved.at for moved in self._moved.values()), default=0.0)

    def is_stalled(self) -> bool:
        """True where the process should end."""
        return self.stalled_seconds() > self._stall_seconds

    def stalled(self) -> list[str]:
        """The names of what has not moved for too long."""
        now = self._clock()
        return [_name(what) for what, moved in self._moved.items() if now - moved.at > self._stall_seconds]

    def health(self) -> Health:
        """Healthy while there is progress, nothing to do, or something to wait for that no other process would have."""
        status, waits_for = self._phase(), [*self._waits.what(), *self._obstacles()]
        if self._app.crash_reason or self.is_stalled():
            status = "crashed" if self._app.crash_reason else "stalled"
        elif status != "joining" and waits_for:
            status = "waiting"
        lag = {_name(tp): count for tp, count in self._lag.items()}
        is_healthy = status not in ("crashed", "stalled")
        return Health(is_healthy, status, lag, self.stalled_seconds(), self.stalled(), waits_for)

    def _phase(self) -> str:
        if not self._app.rebalancing_count:
            return "joining"
        return "restoring" if self._app.rebalancing else "ok"

    def _steps(self) -> Iterator[tuple[Hashable, tuple[Hashable, bool]]]:
        """Everything that should move: its position, and if it is there (or where no process would get on)."""
        phase, blocked = self._phase(), self._app.consumer.blocked if self._app.rebalancing_count else {}
        if phase == "ok":
            for tp, lag in self._lag.items():
                position = self._offset(tp), self._app.consumer.progress.sign(tp)
                yield tp, (position, lag == 0 or tp in blocked or tp in self._app.consumer.beyond_tables)
        else:
            restored = tuple(sorted(self._app.tables.recovery.active_offsets.items()))
            yield phase, ((self._app.rebalancing_count, restored), bool(blocked))
        for loop in self._loops:
            yield loop.name, (loop.iterations, not loop.must_progress)

    def _open_transactions(self) -> dict[Any, int]:
        return dict(self._app.consumer.open_transactions()) if self._app.rebalancing_count else {}

    def _still_open(self, tp: Any, offset: int, now: float) -> _Moved:
        known = self._open.get(tp)
        return known if known is not None and known.position == offset else _Moved(offset, now)

    def _obstacles(self) -> Iterator[str]:
        """Obstacles to reading, which would be in the way of any other process as well."""
        now = self._clock()
        for tp, began in self._open.items():
            if now - began.at > self._open_seconds:
                seconds = now - began.at
                yield f"{_name(tp)}: a transaction is open from offset {began.position} on, {seconds:.0f} s so far"
        if self._app.rebalancing_count:
            for tp, mark in self._app.consumer.blocked.items():
                yield f"{_name(tp)}: cannot be read from offset {mark.offset} on ({mark.why})"
            for tp in sorted(self._app.consumer.beyond_tables):
                yield f"{_name(tp)}: {BEYOND_TABLES}"

    def _assigned(self) -> list[Any]:
        if not self._app.rebalancing_count:
            return []
        return [tp for tp in self._app.consumer.assignment() if tp.topic in self._app.hot_topics]

    def _stands_still(self, tp: Any) -> bool:
        moved = self._moved.get(tp)
        return moved is None or moved.position == (self._offset(tp), self._app.consumer.progress.sign(tp))

    async def _ask_for_ends(self, tps: list[Any]) -> None:
        """Ask for ends: what is not fetched does not say its own, and a consumer at rest would seem to have no lag."""
        with contextlib.suppress(Exception):  # a broker that is away is told elsewhere; what was known counts on
            if tps:
                self._asked |= await asyncio.wait_for(self._app.consumer.highwaters(*tps), _ANSWER_SECONDS)

    def _end(self, tp: Any) -> int:
        return max(self._app.consumer.highwater(tp) or 0, self._asked.get(tp, 0))

    def _offset(self, tp: Any) -> int:
        consumer = self._app.consumer
        return int(consumer.progress.next_offset(tp) or consumer._committed_offset[tp] or 0)

    def _measure(self, now: float, no_longer_ours: set[Any]) -> None:
        for topic in self._app.hot_topics:
            self._metrics.assigned.labels(topic).set(sum(tp.topic == topic for tp in self._lag))
        self._metrics.rebalances.set(self._app.rebalancing_count)
        for tp, lag in self._lag.items():
            self._metrics.lag.labels(tp.topic, tp.partition).set(lag)
            moved = self._moved.get(tp)
            self._metrics.commit_age.labels(tp.topic, tp.partition).set(now - moved.at if moved else 0.0)
        for tp in no_longer_ours:
            self._metrics.lag.remove(tp.topic, tp.partition)
            self._metrics.commit_age.remove(tp.topic, tp.partition)


def _name(what: Any) -> str:
    return what if isinstance(what, str) else f"{what.topic}-{what.partition}"
