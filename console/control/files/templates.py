"""Templates in files and folders, as people keep them: from paths to sources, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from channels.templates.mjml import is_document
from console.control.template_source import LAYOUT, SourceFile, TemplateSource, named_file, sources, usable
from schemas.errors import Problem, TidingsError
from schemas.template import NamedTemplate
from streams.channels.template_files import TemplateFiles

NO_TEMPLATE = "is not a template: its name ends in .mjml, .html or .txt, and layout.mjml is none"


def read_templates(folders: Iterable[Path]) -> dict[str, TemplateFiles]:
    """Every template of some folders by name; a later folder wins. One that cannot be used says why in `wrong`."""
    found: dict[str, TemplateFiles] = {}
    for folder in folders:
        found |= {name: usable(one) for name, one in template_sources(folder).items()}
    return found


def template_sources(folder: Path) -> dict[str, TemplateSource]:
    """The files of each template of a folder, by name; nothing where there is no such folder."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sources(_read(file) for file in files if named_file(file)[0])


def _read(file: Path) -> SourceFile:
    try:
        return SourceFile(file, file.read_text(encoding="utf-8-sig"))  # editors on Windows begin files with a mark
    except (OSError, UnicodeDecodeError) as error:
        return SourceFile(file, unreadable=str(error))


def chosen_sources(paths: Sequence[Path]) -> tuple[list[TemplateSource], list[Problem]]:
    """The templates that files and folders stand for, a file for its whole template; and paths that are none."""
    chosen: list[TemplateSource] = []
    problems: list[Problem] = []
    for path in paths:
        found = template_sources(path if path.is_dir() else path.parent)
        if not path.is_dir():
            found = {name: one for name, one in found.items() if name == named_file(path)[0]}
        if not found:
            folder = "holds no templates: files that end in .mjml, .html or .txt"
            problems.append(Problem(str(path), folder if path.is_dir() else NO_TEMPLATE))
        chosen += found.values()
    return chosen, problems


def export(template: NamedTemplate, folder: Path, *, overwrite: bool) -> list[Path]:
    """Write a version's files; those that were written. Raises TidingsError where others would mix with them."""
    reason = f"would be part of {template.name}, and v{template.version} has none; move it away"
    present, layout = _files_there(template.name, folder), folder / LAYOUT
    is_content = any(name.endswith(".mjml") and not is_document(text) for name, text in template.files.items())
    if is_content and layout.is_file():
        present.append(_read(layout))
    return _placed(template.files, folder, present, reason, overwrite=overwrite)


def write_design(name: str, files: Mapping[str, str], folder: Path, *, overwrite: bool) -> list[Path]:
    """Write a design's files, inside the folder's own layout where it has one. Raises TidingsError as `export` does."""
    reason = f"would be part of {name}, and the design has none; move it away"
    return _placed(files, folder, _files_there(name, folder), reason, overwrite=overwrite)


def _files_there(name: str, folder: Path) -> list[SourceFile]:
    """The files of a folder that would be read as part of a template."""
    one = template_sources(folder).get(name)
    return [*one.parts(), *([one.doubled] if one.doubled else [])] if one else []


def _placed(
    files: Mapping[str, str], folder: Path, present: Iterable[SourceFile], strange: str, *, overwrite: bool
) -> list[Path]:
    """`present` are files that would be read with them, `strange` is what is said of one that is not among them."""
    there = {file.path.name: file for file in present}
    others = sorted(there.keys() - files.keys())
    if others:
        raise TidingsError(f"{there[others[0]].path} {strange}")
    differing = [str(file.path) for name, file in there.items() if file.unreadable or file.content != files[name]]
    if differing and not overwrite:
        raise TidingsError(f"{', '.join(differing)}: differs; --overwrite replaces it")
    return [_written(folder / name, text) for name, text in files.items()]


def _written(file: Path, text: str) -> Path:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TidingsError(f"cannot write {file}: {error.strerror}") from error
    return file
