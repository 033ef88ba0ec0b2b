"""A server that has ended is stopped, though its parent lives on and never asks for it, as in a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.embedded.life import Identity, identity, lives, wait_for_end
from deploy.embedded.process import ServerProcess
from schemas.errors import TidingsError

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="takes Linux to make one")

_PARENT = """
import ctypes, os, sys
from pathlib import Path
from deploy.embedded.process import ServerProcess
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what its children leave behind comes to it, too
ServerProcess("server", Path(sys.argv[1])).start(["sh", "-c", sys.argv[2]], {"client": 1}, os.environ)
print("started", flush=True)
sys.stdin.read()
"""
_POLITE = "sleep 600 & trap 'kill $!; exit' TERM; echo ready; wait"
_STUBBORN = "sleep 600 & trap '' TERM; echo ready; wait; wait"


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server of a parent that lives, and that never asks what became of its children."""
    command = [sys.executable, "-c", _PARENT, str(tmp_path), request.param]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin and parent.stdout
    assert parent.stdout.readline() == "started\n"
    server = ServerProcess("server", tmp_path)
    server.wait_until_ready(lambda: "ready" in server.log_tail(), 60)
    yield server
    parent.communicate()


def _zombies(of: list[psutil.Process]) -> int:
    return sum(one.status() == psutil.STATUS_ZOMBIE for one in of)


@LINUX
@pytest.mark.parametrize(
    ("server", "seconds"), [(_POLITE, 60), (_STUBBORN, 0.2)], indirect=["server"], ids=["asked", "killed"]
)
def test_a_zombie_is_stopped(server: ServerProcess, seconds: float) -> None:
    running = server.running()
    assert running
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children()]
    server.stop(signal.SIGTERM, seconds)
    assert wait_for_end([identity(one.pid) for one in family], 60) == []
    assert _zombies(family) == len(family) == 2, "the case is what it is meant to be"
    assert server.running() is None
    server.stop()
    server.kill()


@LINUX
@pytest.mark.parametrize("server", [_POLITE], indirect=True, ids=["polite"])
def test_a_server_of_another_user_is_said(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", _refuse)
        with pytest.raises(TidingsError, match="another user"):
            server.stop()
    server.stop()


def _refuse(*_: object) -> None:
    raise PermissionError


@LINUX
def test_a_process_whose_first_thread_ended_runs_on() -> None:
    code = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"
    ends = "print('ready', flush=True); ctypes.CDLL(None).pthread_exit(None)"
    process = subprocess.Popen([sys.executable, "-c", f"{code}; {ends}"], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        process.stdout.readline()
        known = identity(process.pid)
        looks = psutil.Process(process.pid)
        deadline = time.monotonic() + 60
        while looks.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.01)
        assert looks.status() == psutil.STATUS_ZOMBIE
        assert lives(known)
    finally:
        process.kill()
    assert wait_for_end([known], 60) == []
    process.wait()


def test_another_process_of_the_same_pid_is_not_the_server(tmp_path: Path) -> None:
    known = identity(os.getpid())
    assert lives(known)
    assert not lives(Identity(known.pid, known.born + 1))


@pytest.mark.parametrize("note", ["", "{", '{"pid": "x"}'])
def test_a_damaged_note_of_the_last_start_is_none(tmp_path: Path, note: str) -> None:
    (tmp_path / "server.json").write_text(note)
    server = ServerProcess("server", tmp_path)
    assert server.running() is None
    assert server.remembered_ports() == {}
