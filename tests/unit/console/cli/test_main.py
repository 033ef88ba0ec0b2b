"""Each command is found, and none pays for the others."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from typer.main import get_group
from typer.testing import CliRunner

import console.cli
from console.cli.commands import COMMANDS, WITHIN_A_PROJECT
from console.cli.context import within_project
from console.cli.main import app

_OF_ANOTHER = {"stored_templates"}
"""Modules whose commands stand below one of another module."""


def test_the_list_says_of_each_command_what_its_module_says() -> None:
    names = [one.name for one in iter_modules(console.cli.__path__) if one.name not in _OF_ANOTHER]
    modules = {name: import_module(f"console.cli.{name}") for name in names}
    found = {
        command: (name, (made.help or "").split("\n\n", maxsplit=1)[0])
        for name, module in modules.items()
        if hasattr(module, "commands")
        for command, made in get_group(module.commands).commands.items()
    }
    assert found == {name: (one.module, one.help) for name, one in COMMANDS.items()}


def test_all_commands_are_in_the_help_and_a_near_name_is_said() -> None:
    said = CliRunner().invoke(app, ["--help"]).output
    assert all(name in said for name in COMMANDS)
    wrong = CliRunner().invoke(app, ["campaign"])
    assert (wrong.exit_code, "campaigns" in wrong.output) == (2, True)


@pytest.mark.parametrize("name", sorted(WITHIN_A_PROJECT))
def test_a_command_that_acts_within_a_project_is_told_which(name: str) -> None:
    group = get_group(import_module(f"console.cli.{COMMANDS[name].module}").commands)
    made = within_project(group.commands[name])
    leaves = list(getattr(made, "commands", {name: made}).values())
    assert all(any("--project" in one.opts for one in leaf.params) for leaf in leaves)


def test_a_project_is_that_of_the_option_else_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> tuple[int, str]:
        made = CliRunner().invoke(app, ["sample", "customer.order.paid", *options])
        return made.exit_code, made.output

    assert '"project_id":"outlet"' in run("--project", "outlet")[1]
    assert '"project_id":"default"' in run()[1]
    assert run("--project", "")[0] == 2
    code, said = run("--project", "a\x1fb")
    assert (code, "U+001F" in said) == (2, True)
    assert CliRunner().invoke(app, ["lag", "--project", "outlet"]).exit_code == 2


IMPORTED = """
import json, pathlib, sys
from console.cli.main import main
file, *sys.argv[1:] = sys.argv[1:]
try:
    main()
finally:
    pathlib.Path(file).write_text(json.dumps(sorted(sys.modules)))
"""
WORKERS_ALONE = {"faust", "mode", "aiokafka", "uvloop", "rocksdict"}
SERVERS = {"asyncpg", "confluent_kafka", "aiohttp", "msgspec", "structlog"}


@pytest.mark.parametrize(
    ("command", "without"),
    [
        (
            "",
            WORKERS_ALONE
            | SERVERS
            | {"console.cli.terminal", *(f"console.cli.{one.module}" for one in COMMANDS.values())},
        ),
        ("campaigns list", WORKERS_ALONE | {"aiohttp", "minijinja"}),
        ("worker", WORKERS_ALONE | {"aiohttp", "minijinja"}),
        ("doctor", WORKERS_ALONE),
        ("why", WORKERS_ALONE),
    ],
)
def test_a_command_imports_what_it_needs(command: str, without: set[str], tmp_path: Path) -> None:
    modules = tmp_path / "modules.json"
    run = [sys.executable, "-c", IMPORTED, str(modules), *command.split(), "--help"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, "Show this message" in done.stdout) == (0, True), done.stderr[-2000:]
    assert without & set(json.loads(modules.read_text())) == set()
