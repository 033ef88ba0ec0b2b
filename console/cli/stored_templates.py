"""Templates that are stored under their names: apply, show, history, export, delete, and the list of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from agents.clock import utc_now
from console.cli.applying import Asked, DryRun, Yes, carry_out
from console.cli.context import database, load_wiring
from console.cli.terminal import AsJson, must_exist, say, show_json, show_rows
from console.control import distributions as applying
from console.control import roll_out as rolling
from console.control import stored_templates as storing
from console.control import templates as planning
from schemas.template import NamedTemplate
from store.distributions import Control
from store.templates import Kept, NamedTemplates, Sent, Use

commands = typer.Typer()

Version = Annotated[int | None, typer.Option("--version", min=1, help="Instead of the newest.")]
T = TypeVar("T")


def _ask(question: Callable[[str, NamedTemplates], Awaitable[T]]) -> T:
    """The answer to a question about the project's templates."""

    async def ask() -> T:
        wiring = load_wiring()
        async with database(wiring) as pool:
            return await question(wiring.project, NamedTemplates(pool))

    return asyncio.run(ask())


@commands.command("apply")
def apply_command(
    files: Annotated[list[Path], typer.Argument(help="Folders, or files: each stands for its whole template.")],
    roll_out: Annotated[
        bool, typer.Option("--roll-out", help="Bring up the distributions that send an older version.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Check templates, show what would change, and store them under their names."""
    must_exist(files)
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json), roll_out=roll_out))


async def _apply(files: list[Path], asked: Asked, *, roll_out: bool) -> None:
    wiring = load_wiring() if roll_out and not asked.dry_run else load_wiring("postgres")
    project = wiring.project
    async with database(wiring) as pool:
        templates, control = NamedTemplates(pool), Control(pool)
        planned = await planning.plan(files, project, templates)
        newest = {one.identity: one.change for one in planned}
        older = storing.older(newest.values(), await templates.uses(project))
        rolled = await rolling.plan(older, newest, wiring, control, utc_now()) if roll_out else []

        async def save(_: object) -> None:
            await planning.save(planned, templates)
            if roll_out:
                await applying.save(rolled, wiring, control)

        await carry_out([*planned, *rolled], save, asked)
        if older and not roll_out and not asked.as_json:
            say(_behind(older))


def _behind(older: Sequence[Use]) -> str:
    uses = ", ".join(f"{use.distribution_id} ({use.name} v{use.version})" for use in older)
    return f"older versions are sent by {escape(uses)}. To bring them up: --roll-out, or tidings apply their files"


def _uses(name: str, uses: Sequence[Use]) -> list[Use]:
    return [use for use in uses if use.name == name]


def _use(use: Use) -> dict[str, object]:
    return {"distribution": use.distribution_id, "version": use.version}


def _used_by(template: NamedTemplate, uses: Sequence[Use]) -> str:
    return ", ".join(
        use.distribution_id + ("" if use.version == template.version else f" (v{use.version})")
        for use in _uses(template.name, uses)
    )


def show_stored(*, as_json: bool) -> None:
    """Every stored template, and who sends it."""

    async def read(project_id: str, templates: NamedTemplates) -> tuple[list[NamedTemplate], list[Use]]:
        return list((await templates.current(project_id)).values()), await templates.uses(project_id)

    found, uses = _ask(read)
    if as_json:
        for one in found:
            show_json(_facts(one, uses))
        return
    rows = [(one.name, one.version, storing.kinds(one), storing.locales(one), _used_by(one, uses)) for one in found]
    show_rows(("template", "version", "format", "locales", "used by"), rows, as_json=False)
    if storing.older(found, uses):
        said = "tidings templates apply FILES --roll-out, or tidings apply their files"
        say(f"a version in brackets is older than the newest; to bring it up: {said}")


def _facts(one: NamedTemplate, uses: Sequence[Use]) -> dict[str, object]:
    used_by = [_use(use) for use in _uses(one.name, uses)]
    facts = {
        "template": one.name,
        "version": one.version,
        "format": storing.kinds(one),
        "locales": storing.locales(one),
    }
    return {**facts, "used_by": used_by}


@commands.command("show")
def show_command(
    template: str,
    version: Version = None,
    locale: Annotated[str | None, typer.Option(help="As a customer's, as in pl-PL; else the default.")] = None,
    as_json: AsJson = False,
) -> None:
    """One template as it was written: the files of one locale, with who applied it and who sends it."""

    async def read(project_id: str, templates: NamedTemplates) -> tuple[Kept, list[Use]]:
        return await storing.find(template, project_id, templates, version), await templates.uses(project_id, template)

    found, uses = _ask(read)
    one, tag = found.template, found.template.variant(locale)
    files = storing.files_in(one, tag)
    if as_json:
        by = {"applied_by": found.applied_by, "applied_at": found.applied_at}
        show_json({**_facts(one, uses), **by, "locale": tag, "files": files})
        return
    say(f"{escape(one.name)} v{one.version}  {storing.kinds(one)}  applied {found.applied_at:%Y-%m-%d %H:%M:%SZ}")
    say(f"by       {escape(found.applied_by)}")
    say(f"locales  {storing.locales(one)}; shown: {tag or 'default'}")
    say(f"used by  {escape(_used_by(one, uses)) or 'none'}")
    for name, source in files.items():
        say(f"\n[dim]--- {escape(name)}[/dim]")
        sys.stdout.write(source.rstrip("\n") + "\n")


@commands.command("history")
def history_command(template: str, as_json: AsJson = False) -> None:
    """Who applied which version and when, and which versions of distributions sent it; of a deleted one as well."""

    async def read(project_id: str, templates: NamedTemplates) -> tuple[list[Any], list[Sent]]:
        found = await templates.history(project_id, template)
        if not found:
            await storing.find(template, project_id, templates)
        return found, await templates.sent_by(project_id, template)

    found, sent = _ask(read)
    rows = [
        (row["version"], row["applied_by"], row["applied_at"], storing.sent_by(row["version"], sent)) for row in found
    ]
    show_rows(("version", "applied by", "applied at", "sent by"), rows, as_json=as_json)


@commands.command("export")
def export_command(
    template: str,
    folder: Annotated[Path, typer.Argument(help="Made where it is not there.")],
    version: Version = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that differ.")] = False,
) -> None:
    """Write a template back to files, as they were applied."""
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is no folder")
    found = _ask(lambda project_id, templates: storing.find(template, project_id, templates, version))
    for file in storing.export(found.template, folder, overwrite=overwrite):
        say(escape(str(file)))


@commands.command("delete")
def delete_command(template: str) -> None:
    """Forget a name, but not its versions; refused while a live or paused distribution uses it."""
    _ask(lambda project_id, templates: storing.delete(template, project_id, templates))
    say(f"{escape(template)} is deleted")
