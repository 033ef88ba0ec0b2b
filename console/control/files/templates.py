"""Templates in files: `<name>.mjml`, `.html` and `.txt`, with each locale beside it as `<name>.pl-PL.mjml`.

A suffix is a locale where CLDR has it (`order.pl_pl.html`); otherwise it belongs to the name (`order.new.html`).
A locale's file may begin with its subject, between two lines of `---`; the distribution's `subject:` is the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from babel import Locale, UnknownLocaleError, localedata
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from channels.templates.mjml import Layout, MjmlWrong, built_in_layout, compile_mjml
from schemas.template import LocalText
from streams.channels.template_files import TemplateFiles

_FILE = re.compile(r"(?P<name>.+?)(?:\.(?P<tag>[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*))?\.(?P<kind>mjml|html|txt)")
_FRONT = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_LAYOUT = "layout"

LAYOUT = f"{_LAYOUT}.mjml"
"""What stands around MJML that is no whole document."""


class FileWrong(ValueError):
    """A file that makes its template unusable; says which, and the line."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason

    @property
    def place(self) -> tuple[str, int]:
        """Where it is, to sort by."""
        return str(self.file), self.line


@dataclass(frozen=True, slots=True)
class FileSet:
    """The files of one template: by lower-case locale (empty for the default), then by ending without its dot.

    `layout` is where the layout of their folder would stand; `doubled` is a file with the locale and ending of another.
    """

    files: Mapping[str, Mapping[str, Path]]
    layout: Path
    doubled: Path | None = None

    @property
    def first(self) -> Path:
        """The file to name where none is more to blame."""
        by_kind = self.files.get("") or next(iter(self.files.values()))
        return next(iter(by_kind.values()))


def read_templates(folders: Iterable[Path]) -> dict[str, TemplateFiles]:
    """Every template of some folders by name; a later folder wins. One that cannot be used says why in `wrong`."""
    found: dict[str, TemplateFiles] = {}
    for folder in folders:
        found |= _read_folder(folder) if folder.is_dir() else {}
    return found


def _read_folder(folder: Path) -> dict[str, TemplateFiles]:
    return {name: _usable(one) for name, one in file_sets(folder).items()}


def file_sets(folder: Path) -> dict[str, FileSet]:
    """The files of each template of a folder, by name."""
    files: dict[str, dict[str, dict[str, Path]]] = {}
    doubled: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        name, tag = named_file(file)
        if not name or name == _LAYOUT:
            continue
        by_kind = files.setdefault(name, {}).setdefault(tag, {})
        if by_kind.setdefault(file.suffix.lstrip("."), file) != file:
            doubled[name] = file
    return {name: FileSet(by_tag, folder / LAYOUT, doubled.get(name)) for name, by_tag in files.items()}


def named_file(file: Path) -> tuple[str, str]:
    """The template's name and lower-case locale that a file name says; the name is empty where it is no template."""
    parts = _FILE.fullmatch(file.name)
    return _named(parts["name"], parts["tag"]) if parts else ("", "")


def _named(name: str, suffix: str | None) -> tuple[str, str]:
    """Name and lower-case tag; a suffix that is no locale is part of the name."""
    tag = (suffix or "").replace("_", "-").lower()
    return (name, tag) if not tag or _is_locale(tag) else (f"{name}.{suffix}", "")


def _is_locale(tag: str) -> bool:
    """Asked of the language first: Babel also follows old codes, by which `bak` would be Bashkir."""
    try:
        return localedata.exists(tag.split("-", maxsplit=1)[0]) and Locale.parse(tag, sep="-") is not None
    except (ValueError, UnknownLocaleError):
        return False


def _layout(file: Path) -> Layout:
    return Layout(read_source(file), str(file)) if file.is_file() else built_in_layout()


def _usable(one: FileSet) -> TemplateFiles:
    try:
        return read_template(one)
    except FileWrong as error:
        return TemplateFiles(text=None, html=None, wrong=str(error))


def read_template(one: FileSet) -> TemplateFiles:
    """What some files make, MJML compiled. Raises FileWrong."""
    if one.doubled:
        raise FileWrong(one.doubled, 1, "says the same locale as another file of this template; write one of them")
    read = {tag: _local(files, one.layout, tag) for tag, files in one.files.items()}
    default = read.pop("", None)
    if default is None:
        raise FileWrong(one.first, 1, "there is no such template without a locale, for customers of every other one")
    return TemplateFiles(text=default.text, html=default.html, locales=read, files=_places(one))


def _places(one: FileSet) -> dict[tuple[str, str], str]:
    """The file of each part, by locale and part; the subject of a locale stands in the first file that has one."""
    parts = {"mjml": "html", "html": "html", "txt": "text"}
    places = {(tag, parts[kind]): str(file) for tag, files in one.files.items() for kind, file in files.items()}
    for tag, files in one.files.items():
        for file in files.values():
            if tag and front_matter(file, tag)[0]:
                places.setdefault((tag, "subject"), str(file))
    return places


def _local(files: Mapping[str, Path], layout: Path, tag: str) -> LocalText:
    if "mjml" in files and "html" in files:
        raise FileWrong(files["html"], 1, f"stands beside {files['mjml'].name}; write one or the other")
    texts: dict[str, str] = {}
    subject = None
    for kind, file in files.items():
        front, texts[kind] = front_matter(file, tag)
        subject = subject or front
    if "mjml" not in texts:
        return LocalText(subject=subject, text=texts.get("txt"), html=texts.get("html"))
    try:
        html = _compiled(texts["mjml"], _layout(layout))
    except MjmlWrong as error:
        raise FileWrong(Path(error.file or files["mjml"]), error.line, error.reason) from error
    return LocalText(subject=subject, text=texts.get("txt"), html=html)


def front_matter(file: Path, tag: str) -> tuple[str | None, str]:
    """The subject, and the rest on the lines on which it stood. Raises FileWrong."""
    source = read_source(file)
    front = _FRONT.match(source)
    if not front:
        return None, source
    try:
        keys = YAML(typ="safe").load(front.group(1))
    except YAMLError as error:
        raise FileWrong(file, 2, "what stands between the lines of --- is no YAML") from error
    if not isinstance(keys, dict) or list(keys) != ["subject"] or not isinstance(keys["subject"], str):
        raise FileWrong(file, 2, "between the lines of --- stands subject: and a text, nothing else")
    if not tag:
        raise FileWrong(file, 2, "the default subject is that of the distribution; only a locale has its own here")
    return keys["subject"], "\n" * (front.group().count("\n")) + source[front.end() :]


def read_source(file: Path) -> str:
    """A file as text. Raises FileWrong."""
    try:
        return file.read_text(encoding="utf-8-sig")  # editors on Windows begin files with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise FileWrong(file, 1, f"cannot be read: {error}") from error


@lru_cache(maxsize=500)
def _compiled(source: str, layout: Layout) -> str:
    return compile_mjml(source, layout)
