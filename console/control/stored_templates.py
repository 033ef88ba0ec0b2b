"""Stored templates: find one, who sends it, take it away, and back to files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from agents.clock import utc_now
from channels.templates.mjml import is_document
from console.control.files.templates import LAYOUT, FileWrong, file_sets, named_file, read_source
from schemas.errors import TidingsError
from schemas.names import did_you_mean
from schemas.template import NamedTemplate
from store.templates import Kept, NamedTemplates, Sent, Use


def kinds(template: NamedTemplate) -> str:
    """In what a template is written, as in `mjml, txt`."""
    return ", ".join(sorted({Path(file).suffix.lstrip(".") for file in template.files if file != LAYOUT}))


def locales(template: NamedTemplate) -> str:
    """The default and every locale."""
    return ", ".join(("default", *sorted(template.locales)))


def older(templates: Iterable[NamedTemplate], uses: Iterable[Use]) -> list[Use]:
    """The distributions that send another version than the newest."""
    newest = {one.name: one.version for one in templates}
    return [use for use in uses if newest.get(use.name, use.version) != use.version]


def sent_by(version: int, sent: Iterable[Sent]) -> str:
    """Which versions of which distributions a version of a template went out with, as in `winback v1-v3, v5`."""
    found = [(one.distribution_id, _ranges(one.distribution_versions)) for one in sent if one.version == version]
    return "; ".join(f"{distribution} {versions}" for distribution, versions in found)


def _ranges(versions: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for version in versions:
        if runs and version == runs[-1][-1] + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(f"v{run[0]}" + (f"-v{run[-1]}" if len(run) > 1 else "") for run in runs)


async def find(name: str, project_id: str, templates: NamedTemplates, version: int | None = None) -> Kept:
    """One version, or the newest. Raises TidingsError with the nearest name, or the versions that there are."""
    kept = await templates.find(project_id, name, version)
    if kept is not None:
        return kept
    there = [row["version"] for row in await templates.history(project_id, name)]
    current = await templates.current(project_id)
    if there and version is not None:
        raise TidingsError(f"template {name} has no version {version}. There are: {there[-1]} to {there[0]}")
    if there:
        said = f"its versions are kept: --version {there[0]} is the last"
        raise TidingsError(f"template {name} is deleted; {said}")
    hint = did_you_mean(name, current)
    names = ", ".join(sorted(current)[:10]) or "none"
    raise TidingsError(f"there is no template {name}.{hint} There are: {names}{', …' if len(current) > 10 else ''}")


def files_in(template: NamedTemplate, tag: str) -> dict[str, str]:
    """The files of one locale, by name; of the default for the empty tag."""
    return {name: text for name, text in template.files.items() if name != LAYOUT and named_file(Path(name))[1] == tag}


async def delete(name: str, project_id: str, templates: NamedTemplates) -> None:
    """Forget a name. Raises TidingsError where there is none, or a live or paused distribution uses it."""
    await find(name, project_id, templates)
    uses = sorted({use.distribution_id for use in await templates.delete(project_id, name, utc_now())})
    if uses:
        stop = f"stop them first: tidings distributions stop {uses[0]}"
        raise TidingsError(f"template {name} is used by {', '.join(uses)}; {stop}")


def export(template: NamedTemplate, folder: Path, *, overwrite: bool) -> list[Path]:
    """Write a version's files; those that were written. Raises TidingsError where others would mix with them."""
    there = {file.name: file for file in _of(template, folder)}
    strange = sorted(there.keys() - template.files.keys())
    if strange:
        said = f"would be part of {template.name}, and v{template.version} has none; move it away"
        raise TidingsError(f"{there[strange[0]]} {said}")
    differing = [name for name, file in there.items() if not _says(file, template.files[name])]
    if differing and not overwrite:
        raise TidingsError(f"{', '.join(str(there[name]) for name in differing)}: differs; --overwrite replaces it")
    return [_written(folder / name, text) for name, text in template.files.items()]


def _of(template: NamedTemplate, folder: Path) -> list[Path]:
    """What a folder has that would be read as part of this template."""
    one = file_sets(folder).get(template.name) if folder.is_dir() else None
    files = [file for by_kind in one.files.values() for file in by_kind.values()] if one else []
    files += [one.doubled] if one and one.doubled else []
    layout = folder / LAYOUT
    is_content = any(name.endswith(".mjml") and not is_document(text) for name, text in template.files.items())
    return [*files, layout] if is_content and layout.is_file() else files


def _says(file: Path, text: str) -> bool:
    try:
        return read_source(file) == text
    except FileWrong:
        return False


def _written(file: Path, text: str) -> Path:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TidingsError(f"cannot write {file}: {error.strerror}") from error
    return file
