"""One server process: started once, found again by its pid file, stopped by its id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from schemas.errors import CannotStart

_LOG_TAIL = 15


class ProcessFile(msgspec.Struct, frozen=True):
    """What the pid file says: a pid alone could meanwhile be somebody else's, but not one born at the same moment."""

    pid: int
    born: float
    ports: dict[str, int]


class ServerProcess:
    """A server in `folder`; its output goes to `<name>.log` there, its identity to `<name>.json`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._file = folder / f"{name}.json"
        self._child: subprocess.Popen[bytes] | None = None

    def remembered_ports(self) -> dict[str, int]:
        """The ports of the last start, so that clients find a restarted server where it was."""
        return self._read().ports if self._file.exists() else {}

    def running(self) -> psutil.Process | None:
        """The process, if it is alive and the one that was started here."""
        if not self._file.exists():
            return None
        known = self._read()
        try:
            process = psutil.Process(known.pid)
            same = _born(known.pid) == known.born and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return None
        return process if same else None

    def start(
        self, command: Sequence[str], ports: dict[str, int], environ: Mapping[str, str], *, user: int | None = None
    ) -> None:
        """Start in a session of its own, so that Ctrl-C in the terminal does not reach it before its clients."""
        with self.log.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=dict(environ), user=user,
                    start_new_session=True, cwd=self.folder,
                )  # fmt: skip
            except OSError as error:
                raise CannotStart(f"{self.name}: cannot run {command[0]}: {error.strerror}") from error
        identity = ProcessFile(self._child.pid, _born(self._child.pid), ports)
        self._file.write_bytes(msgspec.json.encode(identity))

    def wait_until_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for `ready`. Raises CannotStart with the end of the log when the process ends or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._child is not None and self._child.poll() is not None:
                raise CannotStart(
                    f"{self.name} ended at start (exit code {self._child.returncode}):\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                self.kill()
                raise CannotStart(f"{self.name} did not answer within {seconds:.0f} s:\n{self.log_tail()}")
            time.sleep(0.05)

    def stop(self, polite: signal.Signals = signal.SIGTERM, seconds: float = 15.0) -> None:
        """Ask it to stop, and kill it if it does not."""
        process = self.running()
        if process is None:
            return
        process.send_signal(polite)
        try:
            self._wait(process, seconds)
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
            self.kill()

    def kill(self) -> None:
        """End it at once and all that it has started, as a crash of the machine would."""
        process = self.running()
        if process is not None:
            children = process.children(recursive=True)
            process.kill()
            for child in children:  # PostgreSQL's would go on answering for a moment
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            self._wait(process, 10.0)
            psutil.wait_procs(children, 10.0)

    def _wait(self, process: psutil.Process, seconds: float) -> None:
        if self._child is not None and self._child.pid == process.pid:
            self._child.wait(seconds)
        else:
            process.wait(seconds)

    def log_tail(self) -> str:
        """The last lines of its output."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_TAIL:]) or f"(nothing in {self.log})"

    def _read(self) -> ProcessFile:
        return msgspec.json.decode(self._file.read_bytes(), type=ProcessFile)


def _born(pid: int) -> float:
    """When a process began, on a clock that nobody sets: a wall clock that is set moves `create_time` on Linux.

    Linux: ticks since boot, field 22 of /proc/<pid>/stat (proc(5)). Elsewhere: Unix seconds, as the kernel noted them.
    """
    if not sys.platform.startswith("linux"):
        return psutil.Process(pid).create_time()
    _, _, after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return float(after_name.split()[19])


def free_port(wanted: int | None = None) -> int:
    """A free port on loopback; `wanted` if it is free."""
    for candidate in (wanted, 0):
        if candidate is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CannotStart("no free port on 127.0.0.1")


def prepare_folder(folder: Path) -> Path:
    """Make a data folder. Raises CannotStart where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"cannot write in {folder}: {error.strerror}. Choose another folder with TIDINGS_DATA"
        ) from error
    free = os.statvfs(folder)
    if free.f_bavail * free.f_frsize < _NEEDED_BYTES:
        raise CannotStart(f"less than {_NEEDED_BYTES // 2**20} MiB free in {folder}; make room or set TIDINGS_DATA")
    return folder.resolve()


_NEEDED_BYTES = 300 * 2**20
