"""Designs listed and copied on the command line, without any server."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.cli import templates
from console.cli.main import app
from deploy.settings.messages import Brand
from deploy.settings.settings import Settings


def tidings(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["templates", *map(str, arguments)])


def test_designs_are_listed_and_copied_in_the_language_of_the_brand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "read_settings", lambda: Settings(brand=Brand(locale="de")))
    assert "winback" in tidings("designs").stdout
    folder = tmp_path / "templates"
    copied = tidings("copy", "default-order-paid", folder)
    assert copied.exit_code == 0
    assert len(copied.stdout.split()) == 5
    assert 'subject: "Danke für Ihre Bestellung"' in (folder / "default-order-paid.mjml").read_text()
    assert tidings("copy", "default-order-paid", folder).exit_code == 0
    assert tidings("list", folder).exit_code == 0
    assert tidings("copy", "winback", folder / "default-order-paid.mjml").exit_code == 2
