"""The brand of a project: show it, and give it another one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from console.cli.applying import Asked, DryRun, Yes, carry_out
from console.cli.context import SERVERS, Session, in_session, session
from console.cli.terminal import AsJson, must_exist, show_json, show_rows, warn
from console.control import brand, projects
from console.control.files.documents import read_documents
from console.control.plan import Planned
from console.control.projects import ProjectChange
from schemas.errors import DefinitionInvalid, Problem
from streams.values.wording import invalid_kind

commands = typer.Typer()
brand_app = typer.Typer(no_args_is_help=True, help="The brand of a project: its names, pages and colors.")
commands.add_typer(brand_app, name="brand")


@brand_app.command("show")
def show_command(as_json: AsJson = False) -> None:
    """The brand that templates are given from now on, and what is hard to read of it."""
    found = in_session(lambda opened: brand.show(opened.pool, opened.wiring.settings, opened.project_id))
    if as_json:
        show_json(found)
        return
    show_rows(("brand", "is"), list(found.texts.items()), as_json=False)
    for one in (*found.warnings, *(f"{name} is missing, which e-mail needs" for name in found.missing)):
        warn(one)


@brand_app.command("set")
def set_command(
    file: Annotated[Path, typer.Argument(help="YAML or JSON: the keys of a brand, as in `name: Outlet`.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give the project another brand, whole; its document says all else as before."""
    must_exist([file])
    asyncio.run(_set(file, Asked(yes, dry_run, as_json)))


async def _set(file: Path, asked: Asked) -> None:
    (document, *others) = read_documents([file])
    if others or not isinstance(document.plain, dict):
        reason = invalid_kind(document.plain, "the keys of one brand, as in {name: Outlet, color: '#0f766e'}")
        raise DefinitionInvalid((Problem(str(file), reason),))
    async with session(*(("postgres",) if asked.dry_run else SERVERS)) as opened:
        of = opened.wiring.settings, opened.project_id, opened.now
        try:
            planned = await brand.plan(opened.pool, document.plain, *of)
        except DefinitionInvalid as error:
            raise DefinitionInvalid(tuple(map(document.located, error.problems))) from None

        async def save(plan: Sequence[Planned[ProjectChange]]) -> None:
            await _save(opened, plan)

        await carry_out([planned], save, asked)
    for one in brand.warnings_of(document.plain):
        warn(one)


async def _save(opened: Session, plan: Sequence[Planned[ProjectChange]]) -> None:
    settings, announce = opened.wiring.settings, opened.announce
    await projects.apply(opened.pool, plan, settings, announce, actor=opened.actor, now=opened.now)
