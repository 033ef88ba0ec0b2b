"""The outcome of an import of customers: how many went in, and the first lines that are wrong, with their field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.markup import escape

from console.cli.terminal import PROBLEM, fail, show_json, show_text
from store.imports import ImportProblem, ImportRow, LookedThrough

_SHOWN = 20
"""Of the lines that are wrong."""


def show_outcome(file: Path, done: ImportRow, *, as_json: bool) -> None:
    """As JSON, or in sentences; ends with an exit code of its own where not every line went in."""
    if as_json:
        counts = {"rows": done.rows, "added": done.added, "wrong": done.wrong, "erased": done.erased}
        state = {"import": done.import_id, "state": done.state, "why": done.why}
        show_json({**state, **counts, "problems": done.problems, "dry_run": False})
    else:
        show_text(f"{escape(done.import_id)} is {done.state}: {done.added:,} profiles are written")
        if done.erased:
            show_text(f"  {done.erased:,} are left out, since their customers were erased meanwhile")
        _show_wrong(file, done.problems, done.wrong)
        if done.why:
            fail(done.why)
    _end(is_right=done.state == "done" and not done.wrong)


def show_tried(file: Path, found: LookedThrough, *, is_right: bool, as_json: bool) -> None:
    """The same of a look at all lines, of which nothing is kept."""
    if as_json:
        counts = {"rows": found.rows, "wrong": found.wrong}
        show_json({"is_right": is_right, **counts, "problems": found.problems, "dry_run": True})
    else:
        written = found.rows - found.wrong if is_right else 0
        show_text(f"{written:,} profiles would be written")
        _show_wrong(file, found.problems, found.wrong)
    _end(is_right=is_right and not found.wrong)


def _show_wrong(file: Path, problems: Sequence[ImportProblem], wrong: int) -> None:
    for one in problems[:_SHOWN]:
        place = f"{file}:{one.line}" if one.line else f"{file}"
        fail(f"{place}: {one.field}: {one.detail}" if one.field else f"{place}: {one.detail}")
    if len(problems) > _SHOWN or wrong > len(problems):
        fail(f"{wrong:,} lines are wrong; these are the first")


def _end(*, is_right: bool) -> None:
    if not is_right:
        raise typer.Exit(PROBLEM)
