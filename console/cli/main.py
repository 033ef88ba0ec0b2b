"""`tidings`: every command. Exit codes: 0 done, 1 a problem, 2 wrong usage, 69 a server is away, 78 wrong settings."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from console.cli.commands import COMMANDS, WITHIN_A_PROJECT
from schemas.errors import CannotStart, DefinitionInvalid, TidingsError, TryLater


class Commands(TyperGroup):
    """Imports a command's module when it is called for: none takes the time that the others need to start."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {
            name: TyperCommand(name, help=one.help, rich_help_panel=one.panel) for name, one in COMMANDS.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command itself in the place of its line in the list."""
        name, found, rest = super().resolve_command(ctx, args)
        if name is None or found is None:
            return name, found, rest
        made = get_group(import_module(f"console.cli.{COMMANDS[name].module}").commands)
        found = made.commands[name]
        if name in WITHIN_A_PROJECT:
            from console.cli.context import within_project

            found = within_project(found)
        return name, found, rest


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tidings {version('tidings')}")
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
    except TidingsError as error:
        sys.exit(_report(error))
    except KeyboardInterrupt:
        from console.cli.terminal import INTERRUPTED

        sys.exit(INTERRUPTED)


def _report(error: TidingsError) -> int:
    """Say what is wrong; the exit code."""
    from console.cli.terminal import MISCONFIGURED, PROBLEM, UNAVAILABLE, fail

    if isinstance(error, DefinitionInvalid):
        for problem in error.problems:
            fail(f"{problem.path}\n    {problem.message}")
        fail(f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}, nothing was applied.")
        return PROBLEM
    fail(str(error))
    return MISCONFIGURED if isinstance(error, CannotStart) else UNAVAILABLE if isinstance(error, TryLater) else PROBLEM
