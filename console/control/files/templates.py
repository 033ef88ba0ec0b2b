"""Templates in files and folders, as people keep them: from paths to sources, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    present = {file.path.name: file for file in _own_files(template, folder)}
    strange = sorted(present.keys() - template.files.keys())
    if strange:
        reason = f"would be part of {template.name}, and v{template.version} has none; move it away"
        raise TidingsError(f"{present[strange[0]].path} {reason}")
    differing = [
        str(file.path) for name, file in present.items() if file.unreadable or file.content != template.files[name]
    ]
    if differing and not overwrite:
        raise TidingsError(f"{', '.join(differing)}: differs; --overwrite replaces it")
    return [_written(folder / name, text) for name, text in template.files.items()]


def _own_files(template: NamedTemplate, folder: Path) -> list[SourceFile]:
    """The files of a folder that would be read as part of this template."""
    one = template_sources(folder).get(template.name)
    files = list(one.parts()) if one else []
    files += [one.doubled] if one and one.doubled else []
    layout = folder / LAYOUT
    is_content = any(name.endswith(".mjml") and not is_document(text) for name, text in template.files.items())
    return [*files, _read(layout)] if is_content and layout.is_file() else files


def _written(file: Path, text: str) -> Path:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TidingsError(f"cannot write {file}: {error.strerror}") from error
    return file
