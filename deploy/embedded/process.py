"""One server process: started once, found again by its pid file, stopped by its id."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from deploy.embedded.life import Identity, descendants, identity, lives, signal_process, wait_for_end
from schemas.errors import CannotStart, TidingsError

_LOG_TAIL = 15
_STOP_SECONDS = 30.0
_LOWEST_PORT, _TRIES = 15_000, 50
_KILL_SECONDS = 60.0
"""A kill is certain; the kernel may take its time to free much memory on a busy machine."""


class ProcessFile(Identity, frozen=True):
    """The content of a pid file."""

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
        known = self._known()
        return known.ports if known else {}

    def running(self) -> Identity | None:
        """The process, if it is alive and the one that was started here."""
        if self._child is not None:
            self._child.poll()  # so that one of our own does not stay as a zombie
        known = self._known()
        return known if known and lives(known) else None

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
        started = identity(self._child.pid)
        written = self._file.with_suffix(".new")
        written.write_bytes(msgspec.json.encode(ProcessFile(started.pid, started.born, ports)))
        written.replace(self._file)

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

    def stop(self, polite: signal.Signals = signal.SIGTERM, seconds: float = _STOP_SECONDS) -> None:
        """Ask it to stop, and kill it if it does not. Raises TidingsError where it cannot be stopped."""
        process = self.running()
        if process is None:
            return
        self._signal(process, polite)
        if self._wait([process], seconds):
            self.kill()

    def kill(self) -> None:
        """End it and all that it has started at once, as a crash of the machine would. Raises TidingsError."""
        process = self.running()
        if process is None:
            return
        everyone = [process, *descendants(process)]  # PostgreSQL's would go on answering for a moment
        for one in everyone:
            self._signal(one, signal.SIGKILL)
        left = self._wait(everyone, _KILL_SECONDS)
        if left:
            raise TidingsError(f"{self.name} does not end though it was killed; process {left[0].pid} is still there")

    def _signal(self, process: Identity, number: signal.Signals) -> None:
        try:
            signal_process(process, number)
        except PermissionError as error:
            raise TidingsError(
                f"{self.name} (process {process.pid}) was started by another user; stop it as that user, or as root"
            ) from error

    def _wait(self, processes: Sequence[Identity], seconds: float) -> list[Identity]:
        left = wait_for_end(processes, seconds)
        if self._child is not None:
            self._child.poll()
        return left

    def log_tail(self) -> str:
        """The last lines of its output."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_TAIL:]) or f"(nothing in {self.log})"

    def _known(self) -> ProcessFile | None:
        """The last start; None where there was none, or its note was damaged."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=ProcessFile)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None


def free_port(wanted: int | None = None) -> int:
    """A free port on loopback; `wanted` if it is free.

    None that the kernel gives to connections that go out: one of those could take it before the server listens, or
    while a server is down, even one that tries to reach it and then finds itself.
    """
    tries = [] if wanted is None else [wanted]
    tries += random.sample(range(_LOWEST_PORT, max(_first_outgoing_port(), _LOWEST_PORT + _TRIES)), _TRIES)
    for candidate in (*tries, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CannotStart("no free port on 127.0.0.1")


def _first_outgoing_port() -> int:
    """From which port on the kernel gives them to connections that go out; 32768 where it does not say."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return 32_768


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
