"""CPU by process, over a span of work, for each unit of it: what a busy machine cannot make larger by much.

Workers tell their own by the clock of their process. Servers are looked at from outside, a few times a second, so
that what they used can be told for any span once it is over, whatever a worker did before and after it.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import psutil

from deploy.embedded.servers import Servers

_EVERY = 0.2

ByProcess = dict[str, float]
"""Seconds, or microseconds a unit, by the name of a process."""


class Sample(NamedTuple):
    """The seconds of CPU that a process had used at a moment, in Unix seconds."""

    at: float
    used: float


def cpu_seconds(server: psutil.Process) -> float:
    """The CPU of a server and of all processes that it has had: those of closed connections count on."""
    there, before = 0.0, -1.0
    while True:  # a child that ends between both looks would be told twice or not at all: look again
        own = server.cpu_times()
        ended = own.children_user + own.children_system
        if ended == before:
            return float(own.user + own.system + ended + there)
        there, before = sum(map(_seconds, server.children(recursive=True))), ended


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # a connection's, which has just been closed
        return 0.0
    return float(times.user + times.system)


def server_processes(servers: Servers) -> dict[str, psutil.Process]:
    """The servers that are running, by name."""
    running = {"kafka": servers.kafka.process.running(), "postgres": servers.postgres.process.running()}
    return {name: psutil.Process(one.pid) for name, one in running.items() if one is not None}


def so_far(servers: Servers, workers: Iterable[str]) -> ByProcess:
    """Seconds of CPU: of the servers, of all processes below this one by a word of their command, and of this one."""
    used = {name: cpu_seconds(process) for name, process in server_processes(servers).items()}
    used |= dict.fromkeys(workers, 0.0)
    for process in psutil.Process().children():
        command = _command(process)
        for word in workers:
            used[word] += _seconds(process) if word in command else 0.0
    return {**used, "bench": time.process_time()}


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # also of one that has ended and that nobody has asked after yet
        return []


@contextmanager
def spent(servers: Servers, workers: Iterable[str]) -> Iterator[ByProcess]:
    """Seconds of CPU by process of what is done inside; filled in when it is over."""
    found: ByProcess = {}
    before = so_far(servers, workers)
    yield found
    found |= since(before, so_far(servers, workers))


def since(before: Mapping[str, float], after: Mapping[str, float]) -> ByProcess:
    """The difference of two looks; who came in between had used nothing before.

    Ends the bench where somebody has used less than before: a worker was started anew, and what it had used is lost.
    """
    found = {name: used - before.get(name, 0.0) for name, used in after.items()}
    if less := [name for name, used in found.items() if used < 0]:
        raise SystemExit(f"{', '.join(less)} ended while it was measured: what it had used is not known")
    return found


def a_unit(seconds: Mapping[str, float], units: float) -> ByProcess:
    """Microseconds a unit. Nothing done costs nothing that could be told."""
    return {name: round(used * 1e6 / units, 1) if units else 0.0 for name, used in seconds.items()}


def used_at(samples: Sequence[Sample], moment: float) -> float:
    """The CPU at a moment between two samples, as if it had been used evenly; outside of all, that of the nearest."""
    place = bisect_left(samples, moment, key=lambda one: one.at)
    if place in (0, len(samples)):
        return samples[min(place, len(samples) - 1)].used
    earlier, later = samples[place - 1 : place + 1]
    share = (moment - earlier.at) / (later.at - earlier.at)
    return earlier.used + share * (later.used - earlier.used)


def medians(rows: Sequence[Mapping[str, float]]) -> ByProcess:
    """The median of each figure over rounds."""
    return {name: round(median(row[name] for row in rows), 1) for name in rows[0]}


def shown(us: Mapping[str, float], unit: str) -> str:
    """A row's CPU: in all, and by process."""
    each = ", ".join(f"{name} {used:,.1f}" for name, used in us.items() if used)
    return f"CPU {'an' if unit[0] in 'aeiou' else 'a'} {unit} {sum(us.values()):,.1f} µs ({each})"


class Watch:
    """Processes whose CPU a thread looks at while something else is measured."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self._samples: dict[str, list[Sample]] = {name: [] for name in processes}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)

    def __enter__(self) -> Watch:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def between(self, began: float, ended: float) -> ByProcess:
        """Seconds of CPU by process between two moments, in Unix seconds."""
        return {name: used_at(all_, ended) - used_at(all_, began) for name, all_ in self._samples.items()}

    def _look_again(self) -> None:
        while not self._over.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        for name, process in self._processes.items():
            self._samples[name].append(Sample(time.time(), cpu_seconds(process)))
