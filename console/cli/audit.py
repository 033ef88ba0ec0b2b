"""The audit log: who changed what, and whether it is as it was written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from console.cli.context import SERVERS, Session, in_session
from console.cli.terminal import PROBLEM, AsJson, fail, show_json, show_rows, show_text
from console.control import audit
from console.control.audit import Asked, Verified, hashes_on_topic
from store.audit import AuditLog, Chained

commands = typer.Typer()
audit_app = typer.Typer(no_args_is_help=True, help="Who changed what and when: list, verify.")
commands.add_typer(audit_app, name="audit")

_LONGEST = 80
_COLUMNS = ("row", "at", "actor", "action", "thing", "version", "change", "request", "key", "address")


@audit_app.command("list")
def list_command(
    thing: Annotated[str | None, typer.Option(help="Of the thing with this id.")] = None,
    actor: Annotated[str | None, typer.Option(help="By this user, or key:NAME.")] = None,
    action: Annotated[str | None, typer.Option(help="As in distribution.paused, or a noun for all of it.")] = None,
    since: Annotated[str | None, typer.Option(help="Since a time, a day, or a span before now, as in 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="Before a time, a day, or a span before now.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Changes that people and keys made, the newest first."""
    asked = Asked(thing, actor, action, since, until)

    async def found(opened: Session) -> Sequence[Chained]:
        chosen = audit.read_filter(opened.project_id, opened.project.zone, opened.now, asked)
        return await audit.page(AuditLog(opened.pool), chosen, limit)

    show_rows(_COLUMNS, [_cells(one, as_json=as_json) for one in in_session(found)], as_json=as_json)


def _cells(one: Chained, *, as_json: bool) -> Sequence[Any]:
    row, change = one.row, one.row.change
    short = change if len(change) <= _LONGEST else f"{change[: _LONGEST - 1]}…"
    said = msgspec.Raw(change.encode()) if as_json else "" if change == "{}" else short
    thing = row.position, row.at, row.actor, row.action, row.thing, row.version
    return *thing, said, row.request_id, row.key_id, row.address


@audit_app.command("verify")
def verify_command(
    contains: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A hash that was the newest once: it has to be in the chain still."),
    ] = None,
    topic: Annotated[bool, typer.Option("--topic", help="Also hold the rows against those on the topic.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold every row against its hash and the one before. Exit code 1, and the first row that does not fit, else."""

    async def hold(opened: Session) -> Verified:
        # first what the topic has: rows that come meanwhile are in the log by then
        told = await asyncio.to_thread(hashes_on_topic, opened.wiring, opened.project_id) if topic else None
        return await audit.verify(AuditLog(opened.pool), opened.project_id, contains, told)

    verified = in_session(hold, *(SERVERS if topic else ()))
    show_json(verified) if as_json else _show(verified)
    if verified.fault or verified.contains is False or (verified.topic and verified.topic.fault):
        raise typer.Exit(PROBLEM)


def _show(verified: Verified) -> None:
    if verified.fault:
        fail(f"{verified.fault}; the {verified.rows} before it fit")
        return
    show_text(f"{verified.rows} rows fit; the newest hash is {verified.hash}")
    if verified.contains is False:
        fail("the chain does not contain the hash that was kept: rows at its end were removed, or all was made anew")
    if verified.topic is None:
        return
    if verified.topic.fault:
        fail(verified.topic.fault)
    else:
        show_text(f"{verified.topic.rows} of them are on the topic; {verified.topic.behind} are still to be told")
