"""Users by the command line, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console.cli.main import app
from store import passkeys
from store.passkeys import NewCredential
from store.postgres import connect
from store.users import Users

Run = Callable[..., Any]
PASSWORD = "planted-brown-bear"


@pytest.fixture
def tidings(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "POSTGRES": dsn,
        "PROJECT_ID": "shop",
        "KAFKA": "localhost:1",
        "WEB_URL": "https://t.example",
    }.items():
        monkeypatch.setenv(f"TIDINGS_{name}", value)
    return lambda line, **more: CliRunner().invoke(app, line.split(), **more)


def listed(tidings: Run, project: str = "shop") -> list[tuple[str, str, str]]:
    rows = map(json.loads, tidings(f"users list --json --project {project}").stdout.splitlines())
    return [(one["email"], one["role"], one["state"]) for one in rows]


def test_people_are_added_invited_changed_and_removed(tidings: Run) -> None:
    added = tidings("users add ann@shop.example --role admin --password-stdin", input=f"{PASSWORD}\n")
    assert (added.exit_code, added.stdout.split()[1:], PASSWORD in added.output) == (0, ["is", "admin"], False)
    invited = tidings("users invite Kim@shop.example --role viewer --json")
    link = json.loads(invited.stdout)["link"]
    assert link.startswith("https://t.example/welcome/")
    assert listed(tidings) == [("ann@shop.example", "admin", "active"), ("Kim@shop.example", "viewer", "invited")]
    assert tidings("users role kim@shop.example editor").exit_code == 0
    assert listed(tidings)[1][1] == "editor"
    assert tidings("users remove kim@shop.example").exit_code == 0
    last = tidings("users disable ann@shop.example")
    assert (last.exit_code, "the last active admin of shop" in str(last.exception)) == (1, True)
    assert tidings("users reset ann@shop.example").stdout.startswith("https://t.example/welcome/")
    assert listed(tidings) == [("ann@shop.example", "admin", "active")]
    assert listed(tidings, "outlet") == []


def test_sessions_are_shown_and_ended(tidings: Run) -> None:
    assert tidings("users add ann@shop.example --role admin --password-stdin", input=PASSWORD).exit_code == 0
    assert tidings("users sessions ann@shop.example --json").stdout == ""
    assert tidings("users sign-out ann@shop.example").stdout == "0 ended\n"
    for command in ("sessions", "sign-out"):
        assert tidings(f"users {command} kim@shop.example").exit_code == 1


def test_a_password_that_is_refused_is_told_without_itself(tidings: Run) -> None:
    for password, why in (("short-one", "too short"), ("password1234", "everybody tries first")):
        refused = tidings("users add ann@shop.example --role admin --password-stdin", input=password)
        said = refused.output + str(refused.exception)
        assert (refused.exit_code, why in said, password in said) == (1, True, False)
    assert listed(tidings) == []


async def _have_passkey(dsn: str, email: str) -> None:
    pool = await connect(dsn, size=1)
    try:
        found = await Users(pool).find(email)
        assert found is not None
        async with Users(pool).change() as change:
            made = NewCredential(email.encode(), b"key", 0, False)
            assert await passkeys.add(change, f"pky_{email[:3]}", found.user_id, "My [bold]phone", made)
    finally:
        await pool.close()


def test_passkeys_are_shown_and_removed(tidings: Run, dsn: str) -> None:
    for email in ("ann@shop.example", "kim@shop.example"):
        assert tidings(f"users add {email} --role admin --password-stdin", input=PASSWORD).exit_code == 0
        asyncio.run(_have_passkey(dsn, email))
    (shown,) = map(json.loads, tidings("users passkeys ann@shop.example --json").stdout.splitlines())
    assert (shown["passkey"], shown["name"], shown["used"]) == ("pky_ann", "My [bold]phone", None)
    other = tidings("users remove-passkey ann@shop.example pky_kim")
    assert (other.exit_code, "pky_kim" in str(other.exception)) == (1, True), "it is another's"
    assert tidings("users remove-passkey ann@shop.example pky_ann").stdout == "pky_ann is removed\n"
    assert tidings("users passkeys ann@shop.example --json").stdout == ""
    assert tidings("users passkeys kim@shop.example --json").stdout.count("pky_kim") == 1
    said = tidings("audit list --action user.passkey_removed --json")
    assert said.exit_code == 0 and said.stdout.count("pky_ann") == 1, said.output
    for command in ("passkeys jo@shop.example", "remove-passkey jo@shop.example x"):
        assert tidings(f"users {command}").exit_code == 1
