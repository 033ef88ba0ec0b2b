"""Segments: apply, list, show, members, count, of, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.markup import escape

from agents.wiring import Wiring
from console.cli.applying import Asked, DryRun, Files, Yes, carry_out
from console.cli.context import database, load_wiring
from console.cli.terminal import AsJson, say, show_json, show_rows
from console.control import segments as planning
from schemas.errors import TidingsError
from store.distributions import Control
from store.segments import Listed, Segments

commands = typer.Typer()
segments_app = typer.Typer(no_args_is_help=True, help="Groups of customers that are kept up here.")
commands.add_typer(segments_app, name="segments")

T = TypeVar("T")

_REASONS = 5
"""Of those why a segment cannot judge customers, how many are shown."""


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple[Wiring, Segments, Control]]:
    wiring = load_wiring("postgres")
    async with database(wiring) as pool:
        yield wiring, Segments(pool), Control(pool)


def _ask(question: Callable[[str, Segments], Awaitable[T]]) -> T:
    """The answer to a question about the project's segments."""

    async def ask() -> T:
        async with _opened() as (wiring, segments, _):
            return await question(wiring.project, segments)

    return asyncio.run(ask())


@segments_app.command("apply")
def apply_command(files: Files, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Check segments, show what would change, and have them kept up."""
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json)))


async def _apply(files: list[Path], asked: Asked) -> None:
    async with _opened() as (wiring, segments, _):
        plan = await planning.plan(files, wiring.project, segments)
        await carry_out(plan, partial(planning.save, segments=segments), asked)


@segments_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every segment with its members, and how far it is computed."""

    async def read(project_id: str, segments: Segments) -> tuple[list[Listed], int]:
        return await segments.current(project_id), await segments.customers(project_id)

    found, customers = _ask(read)
    rows = [
        (
            one.definition.id,
            one.definition.version,
            one.definition.kind,
            one.members,
            one.unjudged,
            _progress(one, customers),
        )
        for one in found
    ]
    show_rows(("segment", "version", "kind", "members", "unjudged", "computed"), rows, as_json=as_json)


def _progress(one: Listed, customers: int) -> str:
    return "yes" if one.is_computed else f"{one.computed} of {max(one.computed, customers)}"


@segments_app.command("show")
def show_command(segment: str) -> None:
    """One segment as it is defined, and why it cannot judge some customers, where there are any."""

    async def read(project_id: str, segments: Segments) -> dict[str, Any]:
        found = await _find(project_id, segments, segment)
        why = await segments.unjudged_reasons(project_id, segment, _REASONS) if found.unjudged else []
        unjudged = {"customers": found.unjudged, "reasons": [dict(row) for row in why]}
        return {**msgspec.to_builtins(found.definition), "unjudged": unjudged}

    show_json(_ask(read))


async def _find(project_id: str, segments: Segments, segment: str) -> Listed:
    for one in await segments.current(project_id):
        if one.definition.id == segment:
            return one
    raise TidingsError(f"there is no segment {segment}")


@segments_app.command("members")
def members_command(
    segment: str, limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100, as_json: AsJson = False
) -> None:
    """Who is in a segment, and since when."""

    async def read(project_id: str, segments: Segments) -> list[Any]:
        await _find(project_id, segments, segment)
        return await segments.members(project_id, segment, limit)

    rows = [(row["customer_id"], row["since"]) for row in _ask(read)]
    show_rows(("customer", "since"), rows, as_json=as_json)


@segments_app.command("count")
def count_command(segment: str) -> None:
    """How many are in a segment."""
    say(str(_ask(lambda project_id, segments: _find(project_id, segments, segment)).members))


@segments_app.command("of")
def of_command(customer: str, as_json: AsJson = False) -> None:
    """The segments that a customer is in, and since when; and those that cannot judge it, and why."""

    async def read(project_id: str, segments: Segments) -> list[tuple[Any, ...]]:
        members = [(row["segment_id"], row["since"], None) for row in await segments.of_customer(project_id, customer)]
        unjudged = await segments.unjudged_of_customer(project_id, customer)
        return members + [(row["segment_id"], None, row["reason"]) for row in unjudged]

    show_rows(("segment", "since", "cannot judge"), _ask(read), as_json=as_json)


@segments_app.command("delete")
def delete_command(segment: str) -> None:
    """Forget a segment and who is in it; refused while a live or paused distribution names it."""

    async def delete() -> None:
        async with _opened() as (wiring, segments, control):
            await planning.remove(segment, wiring.project, segments, control)

    asyncio.run(delete())
    say(f"{escape(segment)} is deleted")
