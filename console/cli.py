"""`tidings`: every command. Exit codes: 0 done, 1 a problem, 2 wrong usage, 69 a server is away, 78 wrong settings."""

from __future__ import annotations

import sys
from importlib.metadata import version as distribution_version
from typing import Annotated

import typer

from console import terminal
from console.commands import (
    authoring,
    campaigns,
    dead_letters,
    deliveries,
    operating,
    running,
    segments,
    templates,
    understanding,
)
from console.terminal import fail
from schemas.errors import CannotStart, DefinitionInvalid, TidingsError, TryLater

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(asked: bool) -> None:
    if asked:
        terminal.say(f"tidings {distribution_version('tidings')}")
        raise typer.Exit


for group in (running, authoring, campaigns, segments, templates, understanding, deliveries, operating, dead_letters):
    app.add_typer(group.commands)


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
