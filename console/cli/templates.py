"""Templates in files and stored under their names: apply, list, show, history, preview, export, delete."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agents.clock import utc_now
from channels.templates.designs import about, design_names
from console.cli.applying import Asked, DryRun, Override, Yes, carry_out
from console.cli.context import SERVERS, Session, in_session, project_of, read_settings, session, wiring_of
from console.cli.terminal import PROBLEM, AsJson, fail, must_exist, show_json, show_rows, show_text
from console.control import distributions, roll_out, templates
from console.control.designs import design_named
from console.control.files.template_preview import from_file
from console.control.files.templates import chosen_sources, export, template_sources, write_design
from console.control.plan import Planned
from console.control.preview import template as previewing
from console.control.preview.samples import sample_texts
from console.control.template_check import problems_of
from console.control.template_source import named_file, usable
from console.control.templates import TemplateSummary
from deploy.settings.messages import Brand
from schemas.errors import TidingsError
from schemas.template import NamedTemplate
from schemas.wire.json_text import decode_json
from store.distributions import Change
from store.templates import TemplateUse
from streams.channels.template_files import TemplateFiles

commands = typer.Typer()
templates_app = typer.Typer(no_args_is_help=True, help="E-mail templates, in files and stored under their names.")
commands.add_typer(templates_app, name="templates")

Version = Annotated[int | None, typer.Option("--version", min=1, help="Instead of the newest.")]


# -- stored under their names -------------------------------------------------------------------------------------


@templates_app.command("apply")
def apply_command(
    files: Annotated[list[Path], typer.Argument(help="Folders, or files: each stands for its whole template.")],
    roll_out: Annotated[
        bool, typer.Option("--roll-out", help="Upgrade the distributions that send an older version.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    override: Override = False,
) -> None:
    """Check templates, show what would change, and store them under their names."""
    must_exist(files)
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json), is_rolled_out=roll_out, override=override))


async def _apply(files: list[Path], asked: Asked, *, is_rolled_out: bool, override: bool) -> None:
    async with session(*(SERVERS if is_rolled_out and not asked.dry_run else ("postgres",))) as opened:
        sources, problems = chosen_sources(files)
        plan = await templates.plan(opened.pool, sources, opened.project_id, problems)
        newest = {one.identity: one.version for one in plan}
        older = await templates.older_uses(opened.pool, opened.project_id, newest)
        rolled = await _rolled_out(opened, plan, older) if is_rolled_out else None
        save = partial(_save, opened, override, plan, rolled)
        await carry_out([*plan, *(rolled or ())], save, asked, partial(opened.met, override))
        if older and not is_rolled_out and not asked.as_json:
            show_text(_behind(older))


async def _rolled_out(
    opened: Session, plan: Sequence[Planned[NamedTemplate]], older: Sequence[TemplateUse]
) -> list[Planned[Change]]:
    newest = {one.identity: one.change for one in plan}
    return await roll_out.plan(opened.pool, older, newest, opened.project, opened.now)


async def _save(
    opened: Session,
    override: bool,
    plan: Sequence[Planned[NamedTemplate]],
    rolled: Sequence[Planned[Change]] | None,
    _: object,
) -> None:
    await templates.save(opened.pool, plan, **opened.acting(override))
    if rolled is not None:  # also where none is left to save: an earlier one may not be announced yet
        await distributions.save(opened.pool, rolled, opened.announce, **opened.acting(override))


def _behind(older: Sequence[TemplateUse]) -> str:
    uses = ", ".join(f"{use.distribution_id} ({use.name} v{use.version})" for use in older)
    return f"older versions are sent by {escape(uses)}. To upgrade them: --roll-out, or tidings apply their files"


@templates_app.command("list")
def list_command(
    folder: Annotated[Path | None, typer.Argument(help="Those of a folder of files instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every stored template, and who sends it; or those of a folder: exit code 1 where one cannot be used."""
    if folder is not None:
        _list_folder(folder, as_json=as_json)
        return
    found = in_session(lambda opened: templates.listed(opened.pool, opened.project_id))
    if as_json:
        for one in found:
            show_json(one)
        return
    rows = [(one.template, one.version, one.format, one.locales, _used_by(one)) for one in found]
    show_rows(("template", "version", "format", "locales", "used by"), rows, as_json=False)
    if any(one.older for one in found):
        how = "tidings templates apply FILES --roll-out, or tidings apply their files"
        show_text(f"a version in brackets is older than the newest; to upgrade it: {how}")


def _used_by(one: TemplateSummary) -> str:
    return ", ".join(
        use.distribution + ("" if use.version == one.version else f" (v{use.version})") for use in one.used_by
    )


@templates_app.command("show")
def show_command(
    template: str,
    version: Version = None,
    locale: Annotated[str | None, typer.Option(help="As a customer's, as in pl-PL; else the default.")] = None,
    as_json: AsJson = False,
) -> None:
    """One template as it was written: the files of one locale, with who applied it and who sends it."""
    found = in_session(lambda opened: templates.show(opened.pool, opened.project_id, template, version, locale))
    one = found.summary
    if as_json:
        by = {"applied_by": found.applied_by, "applied_at": found.applied_at}
        facts = {"template": one.template, "version": one.version, "format": one.format, "locales": one.locales}
        show_json({**facts, "used_by": one.used_by, **by, "locale": found.locale, "files": found.files})
        return
    show_text(f"{escape(one.template)} v{one.version}  {one.format}  applied {found.applied_at:%Y-%m-%d %H:%M:%SZ}")
    show_text(f"by       {escape(found.applied_by)}")
    show_text(f"locales  {one.locales}; shown: {found.locale or 'default'}")
    show_text(f"used by  {escape(_used_by(one)) or 'none'}")
    for name, source in found.files.items():
        show_text(f"\n[dim]--- {escape(name)}[/dim]")
        sys.stdout.write(source.rstrip("\n") + "\n")


@templates_app.command("history")
def history_command(template: str, as_json: AsJson = False) -> None:
    """Every version with who applied it and when, and which distributions sent it; of a deleted one as well."""
    found = in_session(lambda opened: templates.history(opened.pool, opened.project_id, template))
    rows = [(one.version, one.applied_by, one.applied_at, one.sent_by) for one in found]
    show_rows(("version", "applied by", "applied at", "sent by"), rows, as_json=as_json)


@templates_app.command("export")
def export_command(
    template: str,
    folder: Annotated[Path, typer.Argument(help="Made where it is not there.")],
    version: Version = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that differ.")] = False,
) -> None:
    """Write a template back to files, as they were applied."""
    _must_be_folder(folder)
    found = in_session(lambda opened: templates.find(opened.pool, opened.project_id, template, version))
    for file in export(found.template, folder, overwrite=overwrite):
        show_text(escape(str(file)))


@templates_app.command("designs")
def designs_command(as_json: AsJson = False) -> None:
    """Designs of the product to copy from: a gallery, and the defaults of e-mails that name no template."""
    rows = [(name, about(name) or "default of an e-mail that names no template") for name in design_names()]
    show_rows(("design", "what for"), rows, as_json=as_json)


@templates_app.command("copy")
def copy_command(
    design: str,
    folder: Annotated[Path, typer.Argument(help="Made where it is not there.")],
    name: Annotated[str | None, typer.Option("--as", help="The template's name, if not the design's.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that differ.")] = False,
) -> None:
    """Write a design to files, in every language, to make it one's own."""
    _must_be_folder(folder)
    project = asyncio.run(project_of(wiring_of(read_settings())))
    files = design_named(design, project.brand.locale, name or design)
    for file in write_design(name or design, files, folder, overwrite=overwrite):
        show_text(escape(str(file)))


def _must_be_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder")


@templates_app.command("delete")
def delete_command(template: str, override: Override = False) -> None:
    """Forget a name, but not its versions; refused while a live or paused distribution uses it."""

    async def delete(opened: Session) -> None:
        await templates.delete(opened.pool, opened.project_id, template, **opened.acting(override))

    in_session(delete)
    show_text(f"{escape(template)} is deleted")


# -- in files, and how one looks ----------------------------------------------------------------------------------


def _list_folder(folder: Path, *, as_json: bool) -> None:
    must_exist([folder])
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder")
    sources = template_sources(folder)
    found = {name: usable(one) for name, one in sources.items()}
    problems = {
        name: "; ".join(f"{one.path}: {one.message}" for one in problems_of(source)) for name, source in sources.items()
    }
    rows = [(name, _parts(files), _locales(files), problems[name] or None) for name, files in sorted(found.items())]
    show_rows(("template", "parts", "locales", "problem"), rows, as_json=as_json)
    if any(problems.values()):
        raise typer.Exit(PROBLEM)


def _parts(files: TemplateFiles) -> str:
    """A text is there always: where there is HTML alone it is made of that."""
    return "" if files.wrong else "text" if files.html is None else "html, text"


def _locales(files: TemplateFiles) -> str:
    return "" if files.wrong else ", ".join(("default", *sorted(files.locales)))


@templates_app.command("preview")
def preview_command(
    template: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A file, or the name of a stored template.")],
    event: Annotated[Path, typer.Option("--event", help="A file with one event as JSON.")],
    locale: Annotated[str | None, typer.Option(help="Instead of the customer's, as in pl-PL.")] = None,
    to: Annotated[Path | None, typer.Option(help="Write the HTML here, and the text beside it as .txt.")] = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Subject, HTML and text as a customer would get them. Nothing is sent; a file needs no servers."""
    must_exist([event])
    if to and to.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"--to is the HTML file, as in preview.html, not {to}")
    source = _source(template, version)
    shown = previewing.preview(source, decode_json(event.read_bytes()), locale, utc_now())
    written = _written(shown, to) if to else {}
    if as_json:
        parts = {"html": shown.html, "text": shown.text} if to is None else written
        show_json({"subject": shown.subject, "locale": shown.locale, "version": source.template.version, **parts})
        return
    show_text(f"subject  {escape(shown.subject)}")
    show_text(f"locale   {shown.locale or 'default'}")
    if source.template.version is not None:
        show_text(f"version  {source.template.version}")
    for kind, file in written.items():
        show_text(f"{kind:<8} {escape(file)}")
    if to is None:
        show_text(f"\n{escape(shown.text)}")


def _source(template: str, version: int | None) -> previewing.Source:
    file = Path(template)
    if not file.is_file():
        if named_file(file)[0] or len(file.parts) > 1:
            raise typer.BadParameter(f"there is no {file}")
        return in_session(partial(_stored, name=template, version=version))
    if version is not None:
        raise typer.BadParameter("--version is of a stored template, and this is a file")
    project = asyncio.run(project_of(wiring_of(read_settings())))
    _tell_of_samples(project.brand)
    return from_file(file, sample_texts(project))


async def _stored(opened: Session, name: str, version: int | None) -> previewing.Source:
    texts = sample_texts(opened.project)
    source = await previewing.from_store(opened.pool, opened.project_id, name, texts, version)
    if source.is_stored:
        _tell_of_samples(opened.project.brand)
    return source


def _tell_of_samples(brand: Brand) -> None:
    if brand.missing():
        missing = ", ".join(f"brand.{name}" for name in brand.missing())
        fail(f"shown with samples, for the brand lacks {missing}")


def _written(shown: previewing.Preview, to: Path) -> dict[str, str]:
    """The files by what they hold. HTML begins with a byte order mark: the mail says its charset, a file cannot."""
    text = to.with_suffix(".txt")
    try:
        if shown.html is not None:
            to.write_text(shown.html, encoding="utf-8-sig")
        text.write_text(shown.text, encoding="utf-8")
    except OSError as error:
        raise TidingsError(f"cannot write {error.filename}: {error.strerror}") from error
    return {**({"html": str(to)} if shown.html is not None else {}), "text": str(text)}
