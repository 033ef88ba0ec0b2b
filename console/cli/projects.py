"""Projects: apply, list, show."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import typer

from console.cli.applying import Asked, DryRun, Files, Yes, carry_out
from console.cli.context import SERVERS, Session, in_session, session
from console.cli.terminal import AsJson, show_json, show_rows
from console.control import projects
from console.control.files.documents import read_documents
from console.control.plan import Planned
from console.control.projects import ProjectChange
from schemas.record import JsonObject

commands = typer.Typer()
projects_app = typer.Typer(no_args_is_help=True, help="Projects beside the default one: what belongs to each.")
commands.add_typer(projects_app, name="projects")


@projects_app.command("apply")
def apply_command(files: Files, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Check projects' documents, show what would change, and keep them."""
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json)))


async def _apply(files: list[Path], asked: Asked) -> None:
    async with session(*(("postgres",) if asked.dry_run else SERVERS)) as opened:
        plan = await projects.plan(opened.pool, read_documents(files), opened.wiring.settings, opened.now)
        await carry_out(plan, partial(_save, opened), asked)


async def _save(opened: Session, plan: Sequence[Planned[ProjectChange]]) -> None:
    settings, announce = opened.wiring.settings, opened.announce
    await projects.apply(opened.pool, plan, settings, announce, actor=opened.actor, now=opened.now)


@projects_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every project that has a document, with who applied it and when."""
    found = in_session(lambda opened: projects.listed(opened.pool))
    rows = [(one.project.id, one.project.name, one.project.version, one.applied_by, one.applied_at) for one in found]
    show_rows(("project", "name", "version", "by", "at"), rows, as_json=as_json)


@projects_app.command("show")
def show_command(name: str) -> None:
    """One project as its document says it, and how much of its limits is used."""
    found = in_session(lambda opened: projects.show(opened.pool, name, opened.wiring.settings))
    document: JsonObject = {"id": name, "plan": found.plan}
    if found.stored:
        document = {**msgspec.to_builtins(found.stored.project), "applied_by": found.stored.applied_by, **document}
    used = [{"limit": one.span, "used": one.used, "allowed": one.allowed, "free_at": one.free_at} for one in found.uses]
    show_json({**document, "used": used})
