"""All of it in one terminal: `tidings dev`, and the demo, which asks the API what it did."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from console.cli.terminal import INTERRUPTED
from console.demo.expected import Expected
from console.demo.run import _is_right
from tests import ROOT

pytestmark = pytest.mark.timeout(600)
PATIENCE = 240.0


def test_dev_serves_everything_says_where_and_stops_it_all(tmp_path: Path) -> None:
    environ = {**os.environ, "TIDINGS_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)}
    out = tmp_path / "out"
    with (
        out.open("wb") as written,
        subprocess.Popen([sys.executable, "-m", "console", "dev"], env=environ, cwd=tmp_path, stdout=written) as dev,
    ):
        try:
            found = {name: _address(dev, out, name) for name in ("API", "Console", "Pages")}
            for address in found.values():
                assert _status(f"{address.removesuffix('/api/v1')}/healthz") == 200
            made = [sys.executable, "-m", "console", "keys", "create", "me", "--role", "viewer", "--json"]
            key = subprocess.run(made, env=environ, cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=True)
            told = {"authorization": f"Bearer {json.loads(key.stdout)['key']}"}
            assert _status(f"{found['API']}/distributions", told) == 200
        finally:
            started = psutil.Process(dev.pid).children(recursive=True)
            dev.send_signal(signal.SIGINT)
        assert len(started) > 9, "each role, what is served, and the servers"
        assert dev.wait(PATIENCE) in (0, INTERRUPTED, -signal.SIGINT)
    assert psutil.wait_procs(started, 60)[1] == []


def test_the_demo_finds_the_same_in_providers_topics_and_api(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "console", "demo", "--events", "300", "--customers", "60"]
    done = subprocess.run(
        command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "var" / "demo" / "report.json").read_text())
    received = {channel: found["received"] for channel, found in report["channels"].items() if found["received"]}
    assert sum(report["api"]["sent"].values()) > 100
    assert report["api"]["skipped"] == report["skipped"]
    assert report["api"]["sent"].keys() == received.keys()
    assert report["api"]["sent"]["email"] == received["email"]


def test_a_demo_that_is_kept_has_pages_and_ends_with_all_that_it_started(tmp_path: Path) -> None:
    environ, out = {**os.environ, "PYTHONPATH": str(ROOT)}, tmp_path / "out"
    command = [sys.executable, "-m", "console", "demo", "--keep", "--events", "100", "--customers", "20"]
    with out.open("wb") as written, subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=written) as demo:
        try:
            link = _address(demo, out, "")
            assert "/welcome/" in link
            assert _status(link) == 200
            running = {word for one in psutil.Process(demo.pid).children(recursive=True) for word in _command(one)}
        finally:
            started = psutil.Process(demo.pid).children(recursive=True)
            demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE) in (INTERRUPTED, -signal.SIGINT), out.read_text()
    assert {"web", "api", "holder", "fan_out", "segmenter"} <= running
    assert psutil.wait_procs(started, 60)[1] == []


def test_a_number_of_the_api_that_is_another_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("missing", "doubled", "unexpected", "wrong", "unverified", "dead_letters", "matched")
    same: dict[str, dict[str, int]] = {"emitted": {}, "skipped": {}, "sent": {}}
    report = {**dict.fromkeys(names, 0), "skipped": {}, "api": same}
    assert _is_right(report, Expected(), 0)
    assert not _is_right(report | {"api": same | {"sent": {"sms": 1}}}, Expected(), 0)
    assert "'sms': 1" in capsys.readouterr().err


def _command(process: psutil.Process) -> list[str]:
    """The words of its command; none where it has ended meanwhile, as those of a database come and go."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _address(dev: subprocess.Popen[bytes], out: Path, name: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(rf"^{name} +(http\S+)$", out.read_text(), re.MULTILINE)):
        assert dev.poll() is None and time.monotonic() < deadline, out.read_text()
        time.sleep(0.1)
    return found[1]


def _status(address: str, headers: Mapping[str, str] = {}) -> int:
    with urllib.request.urlopen(urllib.request.Request(address, headers=dict(headers)), timeout=PATIENCE) as reply:
        return int(reply.status)
