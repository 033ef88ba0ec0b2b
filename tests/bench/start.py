"""The start of a command: processor time of the whole process, cold (nothing compiled yet) and warm."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

COMMANDS = ("--help", "campaigns list --help", "worker --help")
WARM_RUNS, COLD_RUNS = 5, 2


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds of each command, the median; cold ones compile the standard library and every package as well."""
    report: dict[str, Any] = {}
    for command in COMMANDS:
        cold = statistics.median(_cold(command) for _ in range(COLD_RUNS))
        _seconds(command)
        warm = statistics.median(_seconds(command) for _ in range(WARM_RUNS))
        say(f"  tidings {command}: {warm:.2f} s warm, {cold:.2f} s cold")
        report[command] = {"warm": warm, "cold": cold}
    return report


def _cold(command: str) -> float:
    with tempfile.TemporaryDirectory() as empty:
        return _seconds(command, PYTHONPYCACHEPREFIX=empty)


def _seconds(command: str, **environ: str) -> float:
    """User and system time of one process."""
    run = [sys.executable, "-m", "console", *command.split()]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(run, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, check=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
