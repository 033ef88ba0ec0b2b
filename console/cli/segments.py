"""Segments: apply, list, show, members, count, of, delete."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from console.cli.applying import Asked, DryRun, Files, Override, Yes, carry_out
from console.cli.context import Session, in_session, session
from console.cli.terminal import AsJson, show_json, show_rows, show_text
from console.control import segments
from console.control.files.documents import read_documents
from store.segments import SegmentSummary

commands = typer.Typer()
segments_app = typer.Typer(no_args_is_help=True, help="Groups of customers that are kept up here.")
commands.add_typer(segments_app, name="segments")


@segments_app.command("apply")
def apply_command(
    files: Files, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False, override: Override = False
) -> None:
    """Check segments, show what would change, and have them kept up."""
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json), override=override))


async def _apply(files: list[Path], asked: Asked, *, override: bool) -> None:
    async with session("postgres") as opened:
        plan = await segments.plan(opened.pool, read_documents(files), opened.project, opened.now)
        save = partial(segments.save, opened.pool, actor=opened.actor, keep=opened.lock(override))
        await carry_out(plan, save, asked, partial(opened.met, override))


@segments_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every segment with its members, and how far it is computed."""
    found, customers = in_session(lambda opened: segments.listed(opened.pool, opened.project_id))
    rows = [_row(one, customers) for one in found]
    show_rows(("segment", "version", "kind", "members", "unjudged", "computed"), rows, as_json=as_json)


def _row(one: SegmentSummary, customers: int) -> tuple[object, ...]:
    computed = "yes" if one.is_computed else f"{one.computed} of {max(one.computed, customers)}"
    return one.definition.id, one.definition.version, one.definition.kind, one.members, one.unjudged, computed


@segments_app.command("show")
def show_command(segment: str) -> None:
    """One segment as it is defined, which events it counts, and why it cannot judge some customers."""
    found = in_session(lambda opened: segments.show(opened.pool, opened.project_id, segment))
    unjudged = {"customers": found.summary.unjudged, "reasons": found.reasons}
    counts = {"counts": found.counts} if found.counts else {}
    show_json({**msgspec.to_builtins(found.summary.definition), **counts, "unjudged": unjudged})


@segments_app.command("members")
def members_command(
    segment: str, limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100, as_json: AsJson = False
) -> None:
    """List who is in a segment, and since when."""
    found = in_session(lambda opened: segments.members(opened.pool, opened.project_id, segment, limit))
    show_rows(("customer", "since"), [(one.customer, one.since) for one in found], as_json=as_json)


@segments_app.command("count")
def count_command(segment: str) -> None:
    """Count who is in a segment."""
    show_text(str(in_session(lambda opened: segments.find(opened.pool, opened.project_id, segment)).members))


@segments_app.command("of")
def of_command(customer: str, as_json: AsJson = False) -> None:
    """The segments that a customer is in, and since when; and those that cannot judge it, and why."""
    found = in_session(lambda opened: segments.of_customer(opened.pool, opened.project_id, customer))
    rows = [(one.segment, one.since, one.cannot_judge) for one in found]
    show_rows(("segment", "since", "cannot judge"), rows, as_json=as_json)


@segments_app.command("delete")
def delete_command(segment: str, override: Override = False) -> None:
    """Forget a segment and who is in it; refused while a live or paused distribution names it."""

    async def remove(opened: Session) -> None:
        keep = opened.lock(override)
        await segments.remove(opened.pool, opened.project_id, segment, actor=opened.actor, keep=keep)

    in_session(remove)
    show_text(f"{escape(segment)} is deleted")
