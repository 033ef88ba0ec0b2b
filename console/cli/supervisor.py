"""Our processes kept running: started again at once when one ends by itself, stopped in order at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from agents.sole_instance import default_instance
from deploy.settings.settings import Settings, load_settings
from schemas.closed import Role
from schemas.errors import TidingsError

_STOP_SECONDS = 15.0
_KILL_SECONDS = 60.0
_CALM_SECONDS = 5.0
_FATAL = (os.EX_CONFIG, os.EX_USAGE)

Served = Literal["api", "console", "web"]
"""What is served over HTTP, by a process each; it prints its address."""


@dataclass(slots=True)
class WorkerProcess:
    """One worker, or one that serves: its name stays the same over restarts, so that the others are not disturbed."""

    role: Role | Served
    instance: str
    environ: Mapping[str, str]
    log: Path | None = None
    status_file: Path | None = None
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _started: float = 0.0

    def start(self) -> None:
        """Start the process."""
        # -P: a folder or module of the same name where it is started is not ours.
        command = [sys.executable, "-P", "-m", "console", *self._arguments()]
        with Path(self.log or os.devnull).open("ab") as log:
            said = log if self.log else None
            self._process = subprocess.Popen(
                command, env=dict(self.environ), stdout=said, stderr=said, start_new_session=True
            )
        self.starts += 1
        self._started = time.monotonic()

    def _arguments(self) -> list[str]:
        if self.role in get_args(Served):
            return [self.role]
        status_file = ["--status-file", str(self.status_file)] if self.status_file else []
        return ["worker", self.role, "--instance", self.instance, *status_file]

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None  # noqa: S101 - asked after start
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    def is_stable(self) -> bool:
        """True where it may be started again at once: it ran for a while."""
        return time.monotonic() - self._started > _CALM_SECONDS

    def send(self, number: signal.Signals) -> None:
        """Signal the process, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end; kill it when that takes too long. The exit code. Raises TidingsError where it stays."""
        assert self._process is not None  # noqa: S101 - asked after start
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        try:
            return self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise TidingsError(f"{self.instance} does not end though it was killed (process {self.pid})") from error


class Supervisor:
    """Some workers. `look` has to be called now and then."""

    def __init__(self, workers: Sequence[WorkerProcess]) -> None:
        self.workers = list(workers)

    def start(self) -> None:
        """Start all."""
        for worker in self.workers:
            worker.start()

    def look(self) -> list[str]:
        """Start again what has ended; what to say about it. A worker that cannot start as configured is left alone."""
        restarts = []
        for worker in self.workers:
            code = worker.exit_code()
            if code is None or code in _FATAL:
                continue
            restarts.append(f"{worker.instance} ended with exit code {code}; starting it again")
            if not worker.is_stable():
                time.sleep(1.0)
            worker.start()
        return restarts

    def misconfigured(self) -> list[WorkerProcess]:
        """Those that refuse to run."""
        return [worker for worker in self.workers if worker.exit_code() in _FATAL]

    def stop(self) -> None:
        """Tell all to stop, and wait for them together. Raises TidingsError where one stays though killed."""
        for worker in self.workers:
            worker.send(signal.SIGTERM)
        deadline, problem = time.monotonic() + _STOP_SECONDS, None
        for worker in self.workers:
            try:
                if worker.exit_code() is None:
                    worker.wait(max(0.0, deadline - time.monotonic()))
            except TidingsError as error:
                problem = error
        if problem:
            raise problem


def worker_environ(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a worker finds the same servers, and the same key of accounts, as this process.

    What its settings say it reads there: an address may hold a password, and environments are shown with processes.
    """
    found, written = dict(environ), load_settings(environ)
    if written.kafka.bootstrap != settings.kafka.bootstrap:
        found["TIDINGS_KAFKA"] = settings.kafka.bootstrap
    if written.postgres.dsn != settings.postgres.dsn:
        found["TIDINGS_POSTGRES"] = settings.postgres.dsn.reveal()
    if written.accounts != settings.accounts:
        found["TIDINGS_ACCOUNTS_KEY_FILE"] = settings.accounts.key_file
    return found


def workers(roles: Sequence[Role], count: int, environ: Mapping[str, str], logs: Path | None) -> list[WorkerProcess]:
    """`count` processes of each role. With `logs`, each has a log and a status file in that folder."""
    return [
        WorkerProcess(
            role,
            default_instance(role, number),
            environ,
            logs and logs / f"{role}-{number}.log",
            logs and logs / f"{role}-{number}.status",
        )
        for role in roles
        for number in range(count)
    ]


def servers(served: Sequence[Served], environ: Mapping[str, str], logs: Path | None) -> list[WorkerProcess]:
    """One process of each that is served over HTTP. With `logs`, what it says is in a file in that folder."""
    return [WorkerProcess(one, one, environ, logs and logs / f"{one}.log") for one in served]
