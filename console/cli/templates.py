"""Templates: what is stored or stands in a folder, and how one looks to a customer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agents.clock import utc_now
from console.cli import stored_templates
from console.cli.context import database, load_wiring, read_settings
from console.cli.stored_templates import Version, show_stored
from console.cli.terminal import PROBLEM, AsJson, fail, must_exist, say, show_json, show_rows
from console.control.files.templates import file_sets, named_file, read_templates
from console.control.preview import template as previewing
from console.control.templates import problems_of
from deploy.settings.messages import Brand
from schemas.errors import TidingsError
from schemas.wire.json_text import decode_json
from streams.channels.template_files import TemplateFiles

commands = typer.Typer()
templates_app = typer.Typer(no_args_is_help=True, help="E-mail templates, in files and stored under their names.")
templates_app.add_typer(stored_templates.commands)
commands.add_typer(templates_app, name="templates")


@templates_app.command("list")
def list_command(
    folder: Annotated[Path | None, typer.Argument(help="Those of a folder of files instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every stored template, and who sends it; or those of a folder: exit code 1 where one cannot be used."""
    if folder is None:
        show_stored(as_json=as_json)
    else:
        _list_folder(folder, as_json=as_json)


def _list_folder(folder: Path, *, as_json: bool) -> None:
    must_exist([folder])
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is no folder")
    found, sets = read_templates([folder]), file_sets(folder)
    problems = {
        name: "; ".join(f"{one.path}: {one.message}" for one in problems_of(name, sets[name])) for name in found
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
    say(f"subject  {escape(shown.subject)}")
    say(f"locale   {shown.locale or 'default'}")
    if source.template.version is not None:
        say(f"version  {source.template.version}")
    for kind, file in written.items():
        say(f"{kind:<8} {escape(file)}")
    if to is None:
        say(f"\n{escape(shown.text)}")


def _source(template: str, version: int | None) -> previewing.Source:
    file = Path(template)
    if not file.is_file():
        if named_file(file)[0] or len(file.parts) > 1:
            raise typer.BadParameter(f"there is no {file}")
        return asyncio.run(_stored(template, version))
    if version is not None:
        raise typer.BadParameter("--version is of a stored template, and this is a file")
    return previewing.from_file(file, _brand(read_settings().brand))


def _brand(brand: Brand) -> Brand:
    """With samples for what the settings lack, which is said."""
    if brand.missing():
        missing = ", ".join(f"brand.{name}" for name in brand.missing())
        fail(f"shown with samples, for the settings lack {missing}")
    return previewing.with_samples(brand)


async def _stored(name: str, version: int | None) -> previewing.Source:
    wiring = load_wiring("postgres")
    async with database(wiring) as pool:
        settings = wiring.settings
        brand = previewing.with_samples(settings.brand)
        kept = await previewing.from_named(name, wiring.project, pool, brand, version)
        if kept is None:
            return await previewing.from_store(name, wiring.project, pool)
    _brand(settings.brand)
    return kept


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
