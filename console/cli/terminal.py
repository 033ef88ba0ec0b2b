"""Output of a command: tables for people, JSON for programs; colour only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

OK = 0
PROBLEM = 1
"""Something is wrong with what was given, or a check failed."""
UNAVAILABLE = 69
"""A server does not answer (EX_UNAVAILABLE)."""
MISCONFIGURED = 78
"""Settings have to be mended (EX_CONFIG)."""
INTERRUPTED = 130
"""Ended by Ctrl-C, as shells say it."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False, soft_wrap=True)


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option of every command that prints data."""


def must_exist(files: Iterable[Path]) -> None:
    """Refuse, as wrong usage, a file that is not there."""
    for file in files:
        if not file.exists():
            raise typer.BadParameter(f"there is no {file}")


def show_text(line: str) -> None:
    """A line for people; square brackets in it are markup."""
    out.print(line)


def show_json(value: Any) -> None:
    """One JSON value on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool) -> None:
    """Rows as a table, or each as a JSON object on its line."""
    if as_json:
        for row in rows:
            show_json(dict(zip(columns, row, strict=True)))
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for row in rows:
        table.add_row(*(escape(text(value)) for value in row))
    out.print(table)


def text(value: object) -> str:
    """A value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, Mapping):
        return msgspec.json.encode(value).decode()
    return str(value)


def warn(message: str) -> None:
    """A warning of what should be looked at, though it is done; to standard error."""
    err.print(f"[yellow]![/yellow] {escape(message)}")


def fail(message: str) -> None:
    """A problem, to standard error."""
    err.print(f"[red]✗[/red] {escape(message)}")
