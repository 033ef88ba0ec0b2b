"""Distributions: apply, list, show, pause, resume, stop, archive, restore, delete, and the schema for editors."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from console.cli.applying import Asked, DryRun, Files, Override, Yes, carry_out, confirm_apply
from console.cli.context import SERVERS, Session, in_session, session
from console.cli.from_git import FolderAsked, FromSource, Offline, Prune, apply_folder, comparison
from console.cli.terminal import AsJson, show_json, show_rows, show_text, warn
from console.control import archive, distributions
from console.control.files.documents import read_documents
from console.control.from_git.folder import is_project_folder
from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from streams.values.wording import unknown

commands = typer.Typer()
rules_app = typer.Typer(no_args_is_help=True, help="The distributions that are there.")
commands.add_typer(rules_app, name="distributions")


@commands.command("apply")
def apply_command(
    files: Files,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    offline: Offline = False,
    source: FromSource = None,
    prune: Prune = False,
    force: Annotated[
        bool, typer.Option("--force", help="Of a project's folder: take back what was changed elsewhere.")
    ] = False,
    digest: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Of a project's folder: that of `tidings plan --json`, no other plan."),
    ] = None,
    override: Override = False,
) -> None:
    """Check distributions, or a project's folder, show what would change, and make it live.

    A folder that holds `distributions/`, `segments/` or `campaigns/` is a project's: all of it is applied, and managed
    from there from then on.
    """
    asked = Asked(yes, dry_run, as_json)
    is_of_folder = source is not None or digest is not None or prune or force  # also of one that is empty by now
    if len(files) == 1 and files[0].is_dir() and (is_of_folder or is_project_folder(files[0])):
        if override:
            raise typer.BadParameter("--override is for documents that are not applied as a project's folder; --force")
        asyncio.run(apply_folder(files[0], asked, FolderAsked(source, prune, force, offline, digest)))
        return
    if is_of_folder:
        raise typer.BadParameter("--source, --prune, --force and --digest are of a project's folder, which this is not")
    asyncio.run(_apply(files, asked, offline=offline, override=override))


async def _apply(files: list[Path], asked: Asked, *, offline: bool, override: bool) -> None:
    async with session(*(("postgres",) if asked.dry_run else SERVERS)) as opened:
        compare = None if offline else comparison(opened)
        plan = await distributions.plan(opened.pool, read_documents(files), opened.project, opened.now, compare, warn)
        save = partial(distributions.save, opened.pool, announce=opened.announce, **opened.acting(override))
        await carry_out(plan, save, asked, partial(opened.met, override))


@rules_app.command("list")
def list_command(
    archived: Annotated[
        bool, typer.Option("--archived", help="Those that are archived, in place of the others.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Every distribution with its newest version, but those that are archived."""
    listed = distributions.archived if archived else distributions.listed
    found = in_session(lambda opened: listed(opened.pool, opened.project_id))
    rows = [(d.id, d.version, d.status, d.trigger.event, ", ".join(c.channel for c in d.channels)) for d in found]
    show_rows(("distribution", "version", "status", "trigger", "channels"), rows, as_json=as_json)


@rules_app.command("show")
def show_command(distribution: str) -> None:
    """One distribution, as the matchers hold it."""
    show_json(in_session(lambda opened: distributions.find(opened.pool, opened.project_id, distribution)))


@rules_app.command("history")
def history_command(distribution: str, as_json: AsJson = False) -> None:
    """Every version with who applied it and when."""
    found = in_session(lambda opened: distributions.history(opened.pool, opened.project_id, distribution))
    rows = [(one.version, one.applied_by, one.applied_at) for one in found]
    show_rows(("version", "applied by", "applied at"), rows, as_json=as_json)


def _status_command(name: str, status: DistributionStatus, help_text: str) -> None:
    @rules_app.command(name, help=help_text)
    def change(distribution: str) -> None:
        after = in_session(partial(_set_status, identity=distribution, status=status), *SERVERS)
        show_text(f"{escape(after.id)} v{after.version} is {after.status}")


async def _set_status(
    opened: Session, identity: str, status: DistributionStatus, override: bool = False
) -> Distribution:
    return await distributions.set_status(
        opened.pool, opened.project_id, identity, status, opened.announce, actor=opened.actor, now=opened.now,
        lock=opened.lock(override),
    )  # fmt: skip


_status_command("pause", "PAUSED", "Send nothing for now; decisions say `paused`.")


@rules_app.command("resume")
def resume_command(distribution: str, yes: Yes = False, override: Override = False) -> None:
    """Send again. Where that makes a backfill begin, show how many get it, and ask."""

    async def resume(opened: Session) -> Distribution:
        said = await distributions.at_once(opened.pool, opened.project_id, distribution, "LIVE")
        if said is not None:
            show_text(escape(said))
            if not yes:
                confirm_apply()
        return await _set_status(opened, distribution, "LIVE", override)

    after = in_session(resume, *SERVERS)
    show_text(f"{escape(after.id)} v{after.version} is {after.status}")


_status_command("stop", "STOPPED", "Do not react any more.")


@rules_app.command("archive")
def archive_command(distribution: str, dry_run: DryRun = False, override: Override = False) -> None:
    """Take one that is stopped, or a draft, out of the lists; its messages and decisions stay readable.

    Refused while anything of it waits to go out. `restore` brings it back.
    """

    async def act(opened: Session) -> Distribution:
        before = await distributions.find(opened.pool, opened.project_id, distribution)
        return await archive.archive(
            opened.pool, before, opened.announce, dry_run=dry_run, actor=opened.actor, now=opened.now,
            keep=opened.lock(override),
        )  # fmt: skip

    after = in_session(act, *SERVERS)
    show_text(f"{escape(after.id)} {'would be' if dry_run else f'v{after.version} is'} archived")


@rules_app.command("restore")
def restore_command(distribution: str, override: Override = False) -> None:
    """Bring back one that is archived, or was deleted in the last 30 days. It sends nothing by that."""

    async def act(opened: Session) -> Distribution:
        found = await archive.restorable(opened.pool, opened.project_id, distribution)
        return await archive.restore(
            opened.pool, found, opened.announce, actor=opened.actor, now=opened.now, keep=opened.lock(override)
        )

    after = in_session(act, *SERVERS)
    show_text(f"{escape(after.id)} v{after.version} is {after.status}")


@rules_app.command("delete")
def delete_command(distribution: str, yes: Yes = False, dry_run: DryRun = False, override: Override = False) -> None:
    """Delete one that never was live, with all its versions. `restore` brings it back for 30 days."""

    async def act(opened: Session) -> datetime:
        before = await distributions.find(opened.pool, opened.project_id, distribution)
        how: dict[str, Any] = {"actor": opened.actor, "now": opened.now, "keep": opened.lock(override)}
        until = await archive.delete(opened.pool, before, opened.announce, dry_run=True, **how)
        if dry_run:
            return until
        if not yes:
            typer.confirm(f"delete {before.id}, with {before.version} versions?", abort=True, err=True)
        return await archive.delete(opened.pool, before, opened.announce, **how)

    until = in_session(act, *SERVERS)
    said = "would be deleted" if dry_run else "is deleted"
    show_text(f"{escape(distribution)} {said}; until {until:%Y-%m-%d} tidings distributions restore brings it back")


@rules_app.command("test")
def test_command(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="A distribution: a file, or one that is applied.")],
    to: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="An e-mail address or a number. Default: the profile's own.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Over which of its channels, where it has several.")] = None,
    event: Annotated[Path | None, typer.Option(help="A file with one event as JSON. Default: a sample.")] = None,
    customer: Annotated[Path | None, typer.Option(help="A file with the profile that counts.")] = None,
    arm: Annotated[str | None, typer.Option(help="One arm, in place of the customer's own.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Render it, and send nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send one message to an address, marked as a test and counted nowhere, and show what the provider answers.

    Nobody gets one who is suppressed, or whom a sandbox does not reach. Exit code 1 where it is not accepted.
    """
    from console.cli.message_trial import Asked as TrialAsked
    from console.cli.message_trial import run

    run(TrialAsked(what, to, channel, event, customer, arm), dry_run=dry_run, as_json=as_json)


@commands.command("schema")
def schema_command(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="distribution, campaign, segment, project, brand or event-schema.")
    ] = "distribution",
) -> None:
    """The JSON Schema of a distribution, a campaign, a segment or a project, for editors."""
    from streams.documents.json_schema import SCHEMAS

    if kind not in SCHEMAS:
        raise typer.BadParameter(unknown(kind, SCHEMAS))
    show_json(SCHEMAS[kind]())
