"""A distribution looked over before it is set live."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from console.cli import terminal
from console.cli.context import SERVERS, Session, in_session
from console.cli.terminal import AsJson, fail, must_exist, show_json, show_text, warn
from console.control import distributions
from console.control.files.documents import ENDINGS, read_documents
from console.control.preflight.audience import MOST, MOST_ASKED
from console.control.preflight.finding import MEANINGS, Finding
from console.control.preflight.preflight import Asked, Preflight, preflight
from console.control.preview import messages
from console.control.preview.messages import Candidate
from schemas.errors import TidingsError
from schemas.record import JsonObject

commands = typer.Typer()


@commands.command("preflight")
def preflight_command(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="A distribution: a file, or one that is applied.")],
    segment: Annotated[str | None, typer.Option(metavar="ID", help="Over the members of a segment.")] = None,
    most: Annotated[int, typer.Option(min=1, max=MOST_ASKED, help="Customers that are looked at, at most.")] = MOST,
    offline: Annotated[bool, typer.Option("--offline", help="Ask neither providers, DNS nor links.")] = False,
    sms_price: Annotated[
        str | None, typer.Option("--sms-price", metavar="PRICE", help="Of one part of a text message, as in 0.04.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look a distribution over before it is set live: all that would stop it from sending well.

    Nothing is sent. Exit code 1 where something is a blocker.
    """
    asked = Asked(segment, most, offline, _price(sms_price))
    is_file = Path(what).suffix in ENDINGS
    if is_file:
        must_exist([Path(what)])

    async def work(opened: Session) -> Preflight:
        candidate = await (_of_file(opened, Path(what)) if is_file else _applied(opened, what))
        return await preflight(opened.pool, opened.wiring, opened.project, candidate, asked, opened.now)

    found = in_session(work, *SERVERS)
    show_json(_as_json(found)) if as_json else _show(found)
    if not found.is_clear:
        sys.exit(terminal.PROBLEM)


def _price(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(-1)
    if not (price.is_finite() and 0 <= price < 1_000_000):
        raise typer.BadParameter(f'--sms-price: "{text}" is not valid: must be a price, as in 0.04')
    return price


async def _applied(opened: Session, identity: str) -> Candidate:
    return await messages.from_store(opened.pool, opened.project_id, identity)


async def _of_file(opened: Session, file: Path) -> Candidate:
    known = await distributions.known_to_drafts(opened.pool, opened.project_id)
    found = messages.from_documents(read_documents([file]), opened.project, known, opened.now)
    if len(found) != 1:
        raise TidingsError(f"{file} describes {len(found)} distributions; one is looked over at a time")
    return found[0]


def _as_json(found: Preflight) -> JsonObject:
    made: JsonObject = msgspec.to_builtins(found)
    for one, shown in zip(found.findings, made["findings"], strict=True):
        shown |= {"severity": one.severity, "means": MEANINGS[one.kind].said}
    return {**made, "is_clear": found.is_clear}


def _show(found: Preflight) -> None:
    head = f"{found.distribution} v{found.version}, {found.status}"
    if found.looked_at:
        people = f"{found.gets:,} of {found.looked_at:,} looked at would get it, of {found.audience:,} {found.whence}"
        show_text(escape(f"{head}: {people}"))
    else:
        show_text(escape(f"{head}: judged on a sample alone"))
    for one in found.findings:
        _show_finding(one)
    counts = {name: sum(one.severity == name for one in found.findings) for name in ("blocker", "warning", "note")}
    show_text(", ".join(f"{number} {name}{'s' * (number != 1)}" for name, number in counts.items()))


def _show_finding(one: Finding) -> None:
    lines = f"{one.pointer or '/'}  {MEANINGS[one.kind].said} {one.reason}", f"    {one.right}"
    if one.severity == "blocker":
        fail("\n".join(lines))
    elif one.severity == "warning":
        warn("\n".join(lines))
    else:
        show_text(escape("  " + "\n".join(lines)))
