"""The steps of every command called `apply`: check all, show the plan, ask, and save all or nothing."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from console.cli.terminal import must_exist, show_json, show_text, warn
from console.control.plan import Planned, changes
from schemas.errors import TidingsError

C = TypeVar("C")


def _existing(files: list[Path]) -> list[Path]:
    must_exist(files)
    return files


Files = Annotated[list[Path], typer.Argument(help="YAML or JSON files, or folders of them.", callback=_existing)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Override = Annotated[bool, typer.Option("--override", help="Also what is managed from Git; the audit log says so.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan only.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """The way in which a plan is to be carried out."""

    yes: bool
    dry_run: bool
    as_json: bool


async def carry_out(
    plan: Sequence[Planned[C]],
    save: Callable[[Sequence[Planned[C]]], Awaitable[None]],
    asked: Asked,
    lock: Callable[[Sequence[Planned[C]]], Awaitable[Sequence[str]]] | None = None,
) -> None:
    """Show a plan and save it, where that is wanted. `save` gets it even where nothing is changed.

    `lock` is met before anybody is asked, and by a dry run. Raises TidingsError where nobody says yes, and what it
    raises.
    """
    is_mixed = len({one.kind for one in plan}) > 1
    for one in plan:
        _show(one, f"{one.kind} {one.identity}" if is_mixed else one.identity, as_json=asked.as_json)
    for note in await lock(plan) if lock else ():
        warn(note)
    if asked.dry_run:
        return
    is_change = bool(changes(plan))
    if is_change and not asked.yes:
        confirm_apply()
    await save(plan)
    if is_change and not asked.as_json:
        show_text("applied")


def confirm_apply() -> None:
    """Ask whether to go on. Raises TidingsError where nobody says yes."""
    if not sys.stdin.isatty():
        raise TidingsError("nothing was applied; use --yes without a terminal")
    if not typer.confirm("Apply?", default=False):
        raise TidingsError("nothing was applied")


def _show(one: Planned[C], name: str, *, as_json: bool) -> None:
    if as_json:
        show_json({one.kind: one.identity, "plan": one.what, "version": one.version, "changes": one.lines})
        return
    version = f"v{one.version}"
    shown = {"new": f"{version} new", "unchanged": version}.get(one.what, f"v{one.version - 1} → {version}")
    show_text(f"  {escape(name):<30} {shown:<10} {escape('; '.join(one.lines) or 'unchanged')}")
