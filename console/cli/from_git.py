"""A project in a folder: pull what is live, plan, apply; and what is managed from Git."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from console.cli.applying import Asked, confirm_apply
from console.cli.context import SERVERS, Session, in_session, session
from console.cli.terminal import AsJson, show_json, show_rows, show_text, warn
from console.control import accounts, git_lock
from console.control.field_check import Compare, compare_fields
from console.control.files.git_source import git_source, named_source
from console.control.from_git.apply import apply, must_be_as_planned, must_not_overwrite
from console.control.from_git.folder import PulledFile, read_project_folder, write_live
from console.control.from_git.live import live
from console.control.from_git.plan import FolderPlan, plan
from console.control.from_git.three_way import Compared
from schemas.errors import TidingsError
from schemas.managed import MANAGED_KINDS, ManagedThing
from store.accounts import Accounts
from store.managed import Managed
from streams.values.wording import unknown

CHANGES = 2
"""The exit code of a plan by which something changes."""

Offline = Annotated[bool, typer.Option("--offline", help="Do not ask providers which fields they have.")]
FromSource = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="NAME",
        help="Of a project's folder: what it is applied as. Default: its Git repository, or its name.",
    ),
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Of a project's folder: stop or delete what was applied from it and has left it."),
]

commands = typer.Typer()
managed_app = typer.Typer(no_args_is_help=True, help="What is managed from Git, and its release.")
commands.add_typer(managed_app, name="managed")


@dataclass(frozen=True, slots=True)
class FolderAsked:
    """The way in which a project's folder is to be applied."""

    source: str | None
    prune: bool = False
    force: bool = False
    offline: bool = False
    digest: str | None = None


def comparison(opened: Session) -> Compare:
    """Asks providers which fields they have."""
    ask = partial(accounts.check, Accounts(opened.pool), opened.wiring.settings)
    return partial(compare_fields, ask=ask, warn=warn)


# -- pull --------------------------------------------------------------------------------------------------------


@commands.command("pull")
def pull_command(
    into: Annotated[Path, typer.Option("--into", help="The folder; made where it is not there.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write everything that is live into a folder, as `tidings apply` reads it.

    A file that says the same stays as it is written, with its comments.
    """
    if into.exists() and not into.is_dir():
        raise typer.BadParameter(f"{into} is not a folder")
    found = in_session(lambda opened: live(opened.pool, opened.project_id))
    for note in found.notes:
        warn(note)
    pulled = write_live(found, into)
    if as_json:
        for one in pulled:
            show_json({"file": str(one.file), "plan": one.what})
        return
    _show_pulled(pulled)


def _show_pulled(pulled: list[PulledFile]) -> None:
    for one in pulled:
        if one.what != "same":
            show_text(f"  {one.what:<9} {escape(str(one.file))}")
    same = sum(one.what == "same" for one in pulled)
    show_text(f"{same} of {len(pulled)} files were the same")


# -- plan and apply ----------------------------------------------------------------------------------------------


@commands.command("plan")
def plan_command(
    folder: Annotated[Path, typer.Argument(help="A project's folder: distributions/, segments/, …")] = Path(),
    source: FromSource = None,
    prune: Prune = False,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Hold a project's folder against what is live: what differs, and where it was changed.

    Exit codes: 0 nothing to do, 1 a problem, 2 applying would change something.
    """
    if not folder.is_dir():
        raise TidingsError(f"{folder} is not a folder")
    found = in_session(partial(_planned, folder=folder, asked=FolderAsked(source, prune, offline=offline)))
    _show_plan(found, as_json=as_json)
    if found.changes or found.drift:
        sys.exit(CHANGES)


async def _planned(opened: Session, folder: Path, asked: FolderAsked) -> FolderPlan:
    source = named_source(asked.source) if asked.source else git_source(folder)
    compare = None if asked.offline else comparison(opened)
    read = read_project_folder(folder)
    return await plan(
        opened.pool, read, opened.project, source, opened.now, prunes=asked.prune, compare_fields=compare, warn=warn
    )


async def apply_folder(folder: Path, asked: Asked, of_folder: FolderAsked) -> None:
    """Apply a project's folder, once it is shown what that does."""
    async with session(*(("postgres",) if asked.dry_run else SERVERS)) as opened:
        found = await _planned(opened, folder, of_folder)
        _show_plan(found, as_json=asked.as_json)
        must_be_as_planned(found, of_folder.digest)
        if not of_folder.force:
            must_not_overwrite(found)
        if asked.dry_run:
            return
        if found.changes and not asked.yes:
            confirm_apply()
        await apply(opened.pool, found, opened.project_id, opened.announce, actor=opened.actor, now=opened.now)
        if not asked.as_json:
            show_text("applied" if found.changes else "nothing to do")


def _show_plan(found: FolderPlan, *, as_json: bool) -> None:
    if as_json:
        source = {"digest": found.digest, "source": found.source.name, "revision": found.source.revision}
        show_json({**source, "changes": len(found.changes), "drift": len(found.drift), "things": found.compared})
        return
    for one in found.compared:
        if one.plan != "unchanged" or one.is_drift:
            _show_compared(one)
    unchanged = sum(one.plan == "unchanged" for one in found.compared)
    said = f"{len(found.changes)} to change, {len(found.drift)} changed elsewhere, {unchanged} unchanged"
    show_text(escape(f"{said}; from {found.source}"))


_WORDS = {"only_live": "only live", "gone": "not in the folder"}
_SIDES = {
    "git": "",
    "elsewhere": "changed elsewhere, not in Git",
    "both": "changed elsewhere and in Git",
    "another_source": "of another source",
}


def _show_compared(one: Compared) -> None:
    said = [_SIDES.get(one.changed_in or "git", ""), one.note]
    head = ": ".join(part for part in said if part)
    show_text(escape(f"  {one.kind} {one.identity:<30} {_WORDS.get(one.plan, one.plan)}  {head}".rstrip()))
    for line in one.lines:
        show_text(escape(f"      {line}"))


# -- what is managed ---------------------------------------------------------------------------------------------


@managed_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Everything that is managed from Git: from where, in which version, and who applied it when."""
    found = in_session(lambda opened: Managed(opened.pool).of_project(opened.project_id))
    columns = ("kind", "id", "version", "source", "revision", "applied by", "applied at")
    rows = [
        (one.thing.kind, one.thing.identity, one.version, one.source.name, one.source.revision, one.applied_by,
         one.applied_at)
        for one in found
    ]  # fmt: skip
    show_rows(columns, rows, as_json=as_json)


@managed_app.command("release")
def release_command(
    kind: Annotated[str, typer.Argument(help="distribution, segment, template or campaign.")],
    identity: Annotated[str, typer.Argument(metavar="ID")],
) -> None:
    """Manage a thing here from now on; the next apply of its folder manages it from Git again."""
    chosen = next((one for one in MANAGED_KINDS if one == kind), None)
    if chosen is None:
        raise typer.BadParameter(unknown(kind, MANAGED_KINDS))

    async def release(opened: Session) -> None:
        thing = ManagedThing(opened.project_id, chosen, identity)
        await git_lock.release(opened.pool, thing, actor=opened.actor)

    in_session(release)
    show_text(f"{kind} {escape(identity)} is managed here")
