"""Commands in processes of their own, as somebody runs them in a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from console.cli.terminal import INTERRUPTED
from tests import ROOT

PATIENCE = 240.0


@dataclass(frozen=True, slots=True)
class Running:
    """A command that runs on; `out` is the file that it writes to."""

    process: subprocess.Popen[bytes]
    out: Path

    def address(self, name: str) -> str:
        """The address that it prints behind a name, once it does."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(rf"^{name} +(http\S+)$", self.out.read_text(), re.MULTILINE)):
            assert self.process.poll() is None and time.monotonic() < deadline, self.out.read_text()
            time.sleep(0.1)
        return found[1]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running(folder: Path, *words: str, environ: Mapping[str, str] = {}) -> Iterator[Running]:
    """A command below a folder; in the end it gets Ctrl-C, and has to end with all that it started."""
    command, told = [sys.executable, "-m", "console", *words], {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    out = folder / "out"
    with out.open("wb") as written, subprocess.Popen(command, env=told, cwd=folder, stdout=written) as process:
        one = Running(process, out)
        try:
            yield one
        finally:
            started = one.children()
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, INTERRUPTED, -signal.SIGINT), out.read_text()
    assert psutil.wait_procs(started, 60)[1] == []
