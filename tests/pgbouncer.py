"""A real pgbouncer in transaction mode, in front of a database of a test."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.embedded.process import free_port

_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_PATIENCE = 60.0

needs_pgbouncer = pytest.mark.skipif(
    _PROGRAM is None, reason="pgbouncer is not on this machine (Debian: apt install pgbouncer)"
)


@contextmanager
def pgbouncer(dsn: str, *, servers: int = 2, mode: str = "transaction") -> Iterator[str]:
    """The connection string through it. Few servers, so that clients change places all the time."""
    assert _PROGRAM is not None
    parts, port = urlsplit(dsn), free_port(None)
    with tempfile.TemporaryDirectory(prefix="tidings-pgbouncer-") as folder:
        Path(folder).chmod(0o755)
        config = Path(folder) / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host={parts.hostname} port={parts.port} user={parts.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\ndefault_pool_size = {servers}\nmax_client_conn = 200\nserver_round_robin = 1\n"
        )
        user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None  # it refuses to be root
        process = subprocess.Popen(
            [_PROGRAM, str(config)], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port, process)
            yield f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}"
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"pgbouncer does not answer (exit code {process.poll()})")
