"""All of it in one terminal: `tidings dev`, and the demo, which asks the API what it did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from console.demo.expected import Expected
from console.demo.run import _is_right
from tests import ROOT
from tests.e2e.commands import PATIENCE, running

pytestmark = pytest.mark.timeout(600)


def test_dev_serves_everything_says_where_and_stops_it_all(tmp_path: Path) -> None:
    environ = {"TIDINGS_DATA": str(tmp_path)}
    with running(tmp_path, "dev", environ=environ) as dev:
        found = {name: dev.address(name) for name in ("API", "Console", "Pages")}
        for address in found.values():
            assert _status(f"{address.removesuffix('/api/v1')}/healthz") == 200
        made = [sys.executable, "-m", "console", "keys", "create", "me", "--role", "viewer", "--json"]
        told = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        key = subprocess.run(made, env=told, cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=True)
        assert (
            _status(f"{found['API']}/distributions", {"authorization": f"Bearer {json.loads(key.stdout)['key']}"})
            == 200
        )
        assert len(dev.children()) > 9, "each role, what is served, and the servers"


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
    with running(tmp_path, "demo", "--keep", "--events", "100", "--customers", "20") as demo:
        link = demo.address("")
        assert "/welcome/" in link
        assert _status(link) == 200
        roles = {word for one in demo.children() for word in _command(one)}
    assert {"web", "api", "holder", "fan_out", "segmenter"} <= roles


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


def _status(address: str, headers: Mapping[str, str] = {}) -> int:
    with urllib.request.urlopen(urllib.request.Request(address, headers=dict(headers)), timeout=PATIENCE) as reply:
        return int(reply.status)
