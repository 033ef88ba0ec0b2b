"""Workers of the benchmarks as processes of their own, each run told with its CPU and that of the servers beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psutil

from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from tests.bench import cpu
from tests.bench.sizes import FOLDER, TWO_CORES
from tests.e2e.harness import settings_text

Run = dict[str, Any]
"""A run as its process reports it: `events`, when it `began` and `ended` in Unix seconds, `cpu_seconds` of its own; the
second half by itself, once it is warm. `cpu_us` is added: microseconds an event by process, and of the second half."""

_OWN = "own"


def run(servers: Servers, name: str, wiring: Wiring, count: int) -> Run:
    """One reader on the first core, until it has had so many events."""
    return watched(servers, lambda: [result(start(name, wiring, count))])[0]


def run_beside(servers: Servers, count: int, name: str, wiring: Wiring, events: int) -> list[Run]:
    """Several readers of one group on all cores, which share the events."""
    return watched(
        servers,
        lambda: [
            result(one)
            for one in [start(name, wiring, events, "any", BENCH_INSTANCE=f"{count}-{n}") for n in range(count)]
        ],
    )


def watched(servers: Servers, work: Callable[[], list[Run]]) -> list[Run]:
    """Runs, the CPU of the servers told with each."""
    with cpu.Watch(cpu.server_processes(servers)) as watch:
        found = work()
    for one in found:
        theirs = watch.between(one["began"], one["ended"])
        one["cpu_us"] = cpu.a_unit({_OWN: one["cpu_seconds"], **theirs}, one["events"])
        half = watch.between(one["middle"], one["ended"])
        halved = {_OWN: one["second_half_cpu_seconds"], **half}
        one["second_half_cpu_us"] = cpu.a_unit(halved, one["second_half_events"])
    return found


def start(name: str, wiring: Wiring, count: int, core: str = "0", **environ: str) -> subprocess.Popen[str]:
    """A reader's process; `core` is `any` for all of them."""
    file = FOLDER / f"{name}.toml"
    file.write_text(settings_text(wiring.settings, 1))
    command = [sys.executable, "-m", "tests.bench.readers", name, str(file), str(count), core if TWO_CORES else "any"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ}
    )


def result(process: subprocess.Popen[str]) -> Run:
    """The report of a reader that has ended well."""
    out, err = process.communicate(timeout=1800)
    if process.returncode:
        raise SystemExit(err[-3000:])
    found: Run = msgspec.json.decode(out.splitlines()[-1])
    return found


def rate(found: Run) -> float:
    """Events a second."""
    return float(found["events"] / found["seconds"])


@contextmanager
def pinned(servers: Servers) -> Iterator[None]:
    """The broker on one core, the reader on the other."""
    process = servers.kafka.process.running()
    if process is None or not TWO_CORES:
        yield
        return
    _pin_threads(process.pid, [1])
    try:
        yield
    finally:
        _pin_threads(process.pid, range(os.cpu_count() or 1))


@contextmanager
def pinned_with_postgres(servers: Servers) -> Iterator[None]:
    """Both servers on one core."""
    running = servers.postgres.process.running()
    if running is None:
        raise SystemExit("the database is not running")
    postgres = psutil.Process(running.pid)
    with pinned(servers):
        _pin_processes(postgres, [1])
        try:
            yield
        finally:
            _pin_processes(postgres, range(os.cpu_count() or 1))


def _pin_threads(pid: int, cores: Sequence[int]) -> None:
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, set(cores))
    os.sched_setaffinity(pid, set(cores))


def _pin_processes(server: psutil.Process, cores: Sequence[int]) -> None:
    """The server on some cores: the processes of its connections begin where it is."""
    for one in (server, *server.children(recursive=True)) if TWO_CORES else ():
        os.sched_setaffinity(one.pid, set(cores))
