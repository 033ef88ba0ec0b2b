"""The life of a process, whoever started it: its identity, its end, what it started.

A process that has ended stays in the table as a zombie until its parent asks for it, which the first process of a
container, or a test run that started it for others, may never do. A zombie has ended: it holds no port, lock or memory.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import psutil

_POLL_SECONDS = 0.02


class Identity(msgspec.Struct, frozen=True):
    """A pid alone could meanwhile be somebody else's, but not one born at the same moment."""

    pid: int
    born: float


def identity(pid: int) -> Identity:
    """The process that has this pid now. Raises ProcessLookupError where nobody has."""
    return Identity(pid, _state(pid)[0])


def lives(process: Identity) -> bool:
    """True while it runs: it is there, it is the same, and it is not a zombie."""
    try:
        born, is_zombie = _state(process.pid)
    except ProcessLookupError:
        return False
    return born == process.born and not is_zombie


def wait_for_end(processes: Iterable[Identity], seconds: float) -> list[Identity]:
    """Those that still run after so long; none of them where all have ended."""
    deadline = time.monotonic() + seconds
    running = [process for process in processes if lives(process)]
    while running and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        running = [process for process in running if lives(process)]
    return running


def descendants(process: Identity) -> list[Identity]:
    """The processes that it has started, and that those have."""
    found: list[Identity] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(ProcessLookupError):
                found.append(identity(child.pid))
    return found


def signal_process(process: Identity, number: int) -> None:
    """Signal it, unless it has ended."""
    if lives(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _state(pid: int) -> tuple[float, bool]:
    """Its birth on a clock that nobody sets, and True where it is a zombie. Raises ProcessLookupError.

    Linux, /proc/<pid>/stat (proc(5)): ticks since boot in field 22, the state in field 3, threads in field 20: where
    the first thread ended before the others, the process runs on as what looks like a zombie. Elsewhere: Unix seconds,
    as the kernel noted them; `create_time` on Linux moves with a wall clock that is set.
    """
    if not sys.platform.startswith("linux"):
        try:
            process = psutil.Process(pid)
            return process.create_time(), process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess as error:
            raise ProcessLookupError(str(error)) from error
    try:
        _, _, after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
    except FileNotFoundError as error:
        raise ProcessLookupError(str(error)) from error
    fields = after_name.split()
    return float(fields[19]), fields[0] in "ZX" and int(fields[17]) <= 1
