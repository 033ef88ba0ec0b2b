"""All of it in one terminal: `tidings dev`, and the demo, which asks the API what it did."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from channels.fakes.email import SmtpSink
from console.demo.expected import Expected
from console.demo.run import _is_right
from tests import ROOT
from tests.e2e.commands import PATIENCE, running

pytestmark = pytest.mark.timeout(600)
SETTINGS = """
[email_accounts.main]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "news@shop.example"
[brand]
name = "The Shop"
address = "Street 1, Town"
contact = "help@shop.example"
privacy_url = "https://shop.example/privacy"
terms_url = "https://shop.example/terms"
logo_url = "https://shop.example/logo.png"
permission_reminder = "You shopped with us."
"""
THANKS = """
distribution: thanks
status: LIVE
trigger: customer.order.paid
consent: marketing
channels: [{email: {account: main, subject: Thanks}}]
"""
CUSTOMERS = "id,name,email,consents.marketing:truth\ncust_1,Anna,anna@example.com,true\n"


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


async def test_the_first_marketing_e_mail_of_dev_has_a_link_to_leave_that_works(tmp_path: Path) -> None:
    sink, environ = SmtpSink(), {"TIDINGS_DATA": str(tmp_path / "data")}
    await sink.start()
    try:
        (tmp_path / "tidings.toml").write_text(SETTINGS.format(port=sink.port))
        (tmp_path / "thanks.yaml").write_text(THANKS)
        (tmp_path / "customers.csv").write_text(CUSTOMERS)
        with running(tmp_path, "dev", environ=environ) as dev:
            address = await asyncio.to_thread(dev.address, "Console")
            for words in (["customers", "import", "customers.csv"], ["apply", "thanks.yaml", "--yes"]):
                await asyncio.to_thread(_command_in, tmp_path, environ, *words)
            sample = ["sample", "--distribution", "thanks", "--customer", "cust_1"]
            (tmp_path / "event.json").write_text(await asyncio.to_thread(_command_in, tmp_path, environ, *sample))
            await asyncio.to_thread(_command_in, tmp_path, environ, "publish", "event.json")
            deadline = time.monotonic() + PATIENCE
            while not sink.mails:
                assert time.monotonic() < deadline, "no e-mail came"
                await asyncio.sleep(0.1)
            said = str(sink.mails[0].parsed()["list-unsubscribe"])
            (link,) = re.findall(r"<(http[^>]+)>", said)
            assert link.startswith(f"{address}/"), "the public server that it started itself"
            assert b"Do you want to stop" in await asyncio.to_thread(_answer, link)
            assert b"You are unsubscribed" in await asyncio.to_thread(_answer, link, b"List-Unsubscribe=One-Click")
            secret = (tmp_path / "data" / "link.secret").read_text().strip()
            shown = [dev.out.read_text(), *(str(one.environ()) for one in dev.children() if _command(one))]
            assert [one for one in shown if secret in one] == []
    finally:
        await sink.stop()


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


def _command_in(folder: Path, environ: Mapping[str, str], *words: str) -> str:
    """Whatever a command prints that somebody runs in another terminal."""
    told = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    done = subprocess.run(
        [sys.executable, "-m", "console", *words], cwd=folder, env=told, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _answer(address: str, posted: bytes | None = None) -> bytes:
    with urllib.request.urlopen(address, posted, timeout=PATIENCE) as reply:
        return bytes(reply.read())


def _status(address: str, headers: Mapping[str, str] = {}) -> int:
    with urllib.request.urlopen(urllib.request.Request(address, headers=dict(headers)), timeout=PATIENCE) as reply:
        return int(reply.status)
