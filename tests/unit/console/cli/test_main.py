"""Each command is found, and none pays for the others."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

from typer.main import get_group
from typer.testing import CliRunner

import console.cli
from console.cli.main import COMMANDS, app

_OF_ANOTHER = {"stored_templates"}
"""Modules whose commands stand below one of another module."""


def test_every_command_is_listed_with_its_module() -> None:
    names = [one.name for one in iter_modules(console.cli.__path__) if one.name not in _OF_ANOTHER]
    modules = {name: import_module(f"console.cli.{name}") for name in names}
    there = {name: module.commands for name, module in modules.items() if hasattr(module, "commands")}
    assert {name: tuple(get_group(made).commands) for name, made in there.items()} == COMMANDS


def test_all_commands_are_in_the_help_and_a_near_name_is_said() -> None:
    said = CliRunner().invoke(app, ["--help"]).output
    assert all(name in said for names in COMMANDS.values() for name in names)
    wrong = CliRunner().invoke(app, ["campaign"])
    assert (wrong.exit_code, "campaigns" in wrong.output) == (2, True)


def test_a_command_imports_what_it_needs() -> None:
    code = """
import sys
from console.cli.main import main
sys.argv = ["tidings", "campaigns", "--help"]
try:
    main()
finally:
    sys.stderr.write(" ".join({"faust", "aiohttp", "console.control.preview.messages"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    assert (done.stderr, "generate" in done.stdout) == ("", True)
