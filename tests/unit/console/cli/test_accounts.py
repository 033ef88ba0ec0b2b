"""Accounts on a terminal: the secrets that a person is asked for."""

from __future__ import annotations

import sys

import pytest
import typer

from console.cli import accounts
from store.accounts import AccountKey


def test_a_key_of_many_lines_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "prompt", lambda name, **_: asked.append(name) or "typed")
    written = accounts._asked_for(AccountKey("p", "email", "main"), {"refresh_token": "r"})
    assert asked == ["password", "client_secret", "callback_secrets"]
    assert written == {"refresh_token": "r", **dict.fromkeys(asked, "typed")}
