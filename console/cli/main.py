"""`tidings`: every command. Exit codes: 0 done, 1 a problem, 2 wrong usage, 69 a server is away, 78 wrong settings."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version as distribution_version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from console.cli import terminal
from console.cli.terminal import fail
from schemas.errors import CannotStart, DefinitionInvalid, TidingsError, TryLater

COMMANDS = {
    "run": ("up", "dev", "demo", "worker", "console"),
    "distributions": ("apply", "schema", "distributions"),
    "campaigns": ("campaigns",),
    "segments": ("segments",),
    "templates": ("templates",),
    "why": ("simulate", "preview", "sample", "why", "tail", "publish"),
    "deliveries": ("deliveries",),
    "operations": ("lag", "top", "destinations", "doctor", "topics"),
    "dead_letters": ("dead-letters",),
}
"""The modules of this folder that have commands, with the names of each."""


class Commands(TyperGroup):
    """Imports the module of a command when that is asked for: none takes the time that the others need to start."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See `TyperGroup`."""
        found = [module for module, names in COMMANDS.items() if cmd_name in names]
        for module in found or COMMANDS:  # all, where there is no such command and a near one may be meant
            self._import(module)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """See `TyperGroup`."""
        for module in COMMANDS:
            self._import(module)
        return super().list_commands(ctx)

    def _import(self, module: str) -> None:
        self.commands.update(get_group(import_module(f"console.cli.{module}").commands).commands)


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(asked: bool) -> None:
    if asked:
        terminal.say(f"tidings {distribution_version('tidings')}")
        raise typer.Exit


@app.callback()
def tidings(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """The distribution manager."""


def main() -> None:
    """Run a command; errors become a sentence and an exit code."""
    try:
        app()
    except DefinitionInvalid as error:
        for problem in error.problems:
            fail(f"{problem.path}\n    {problem.message}")
        fail(f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}, nothing was applied.")
        sys.exit(terminal.PROBLEM)
    except CannotStart as error:
        fail(str(error))
        sys.exit(terminal.MISCONFIGURED)
    except TryLater as error:
        fail(str(error))
        sys.exit(terminal.UNAVAILABLE)
    except TidingsError as error:
        fail(str(error))
        sys.exit(terminal.PROBLEM)
    except KeyboardInterrupt:
        sys.exit(terminal.INTERRUPTED)
