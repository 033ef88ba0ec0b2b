"""Templates as written: `<name>.mjml`, `.html` and `.txt`, with each locale beside it as `<name>.pl-PL.mjml`.

A suffix is a locale where CLDR has it (`order.pl_pl.html`); otherwise it belongs to the name (`order.new.html`).
A file may begin with a subject, between two lines of `---`: a locale's own, or in a file without a locale the one for
distributions that write none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath

from babel import Locale, UnknownLocaleError, localedata
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from channels.templates.css import with_inlined_css
from channels.templates.mjml import Layout, MjmlWrong, built_in_layout, compile_mjml, is_document
from schemas.template import LocalText
from streams.channels.template_files import TemplateFiles

_FILE = re.compile(r"(?P<name>.+?)(?:\.(?P<tag>[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*))?\.(?P<kind>mjml|html|txt)")
_FRONT = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_LAYOUT = "layout"

LAYOUT = f"{_LAYOUT}.mjml"
"""The file around MJML that is not a whole document."""


class FileWrong(ValueError):
    """A file that makes its template unusable: which one, and the line."""

    def __init__(self, file: PurePath, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason

    @property
    def place(self) -> tuple[str, int]:
        """File and line, to sort by."""
        return str(self.file), self.line


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as written, or why it cannot be read."""

    path: PurePath
    content: str = ""
    unreadable: str = ""

    @property
    def text(self) -> str:
        """The content. Raises FileWrong."""
        if self.unreadable:
            raise FileWrong(self.path, 1, f"cannot be read: {self.unreadable}")
        return self.content


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """The files of one template: by lower-case locale (empty for the default), then by ending without its dot.

    `layout` is that of their folder, `doubled` a file with the locale and ending of another, `beside` are the names of
    the folder's templates.
    """

    name: str
    files: Mapping[str, Mapping[str, SourceFile]]
    layout: SourceFile | None = None
    doubled: SourceFile | None = None
    beside: frozenset[str] = frozenset()

    @property
    def first(self) -> PurePath:
        """The file to name where none is more to blame."""
        by_kind = self.files.get("") or next(iter(self.files.values()))
        return next(iter(by_kind.values())).path

    def parts(self) -> Iterator[SourceFile]:
        """Its own files."""
        for by_kind in self.files.values():
            yield from by_kind.values()

    def every_file(self) -> Iterator[SourceFile]:
        """The files that it is made of, the layout where it is around one of them. Raises FileWrong."""
        files = list(self.parts())
        yield from files
        if self.layout and any(one.path.suffix == ".mjml" and not is_document(one.text) for one in files):
            yield self.layout


def sources(files: Iterable[SourceFile]) -> dict[str, TemplateSource]:
    """The templates that the files of one folder make, by name."""
    found: dict[str, dict[str, dict[str, SourceFile]]] = {}
    doubled: dict[str, SourceFile] = {}
    layout: SourceFile | None = None
    for file in sorted(files, key=lambda one: one.path):
        if file.path.name == LAYOUT:
            layout = file
        name, tag = named_file(file.path)
        if not name or name == _LAYOUT:
            continue
        by_kind = found.setdefault(name, {}).setdefault(tag, {})
        if by_kind.setdefault(file.path.suffix.lstrip("."), file) != file:
            doubled[name] = file
    names = frozenset(found)
    return {name: TemplateSource(name, by_tag, layout, doubled.get(name), names) for name, by_tag in found.items()}


def named_file(file: PurePath) -> tuple[str, str]:
    """The template's name and lower-case locale by the name of a file; an empty name where it is not a template."""
    parts = _FILE.fullmatch(file.name)
    return _named(parts["name"], parts["tag"]) if parts else ("", "")


def _named(name: str, suffix: str | None) -> tuple[str, str]:
    """Name and lower-case tag; a suffix that is not a locale is part of the name."""
    tag = (suffix or "").replace("_", "-").lower()
    return (name, tag) if not tag or _is_locale(tag) else (f"{name}.{suffix}", "")


def _is_locale(tag: str) -> bool:
    """Asked of the language first: Babel also follows old codes, by which `bak` would be Bashkir."""
    try:
        return localedata.exists(tag.split("-", maxsplit=1)[0]) and Locale.parse(tag, sep="-") is not None
    except (ValueError, UnknownLocaleError):
        return False


def usable(one: TemplateSource) -> TemplateFiles:
    """The template that some files make; one that cannot be used says why in `wrong`."""
    try:
        return compiled(one)
    except FileWrong as error:
        return TemplateFiles(text=None, html=None, wrong=str(error))


def compiled(one: TemplateSource) -> TemplateFiles:
    """The template that some files make, MJML compiled. Raises FileWrong."""
    if one.doubled:
        raise FileWrong(one.doubled.path, 1, "says the same locale as another file of this template; write one of them")
    read = {tag: _local(files, one.layout) for tag, files in one.files.items()}
    default = read.pop("", None)
    if default is None:
        raise FileWrong(one.first, 1, "there is no such template without a locale, for customers of every other one")
    return TemplateFiles(default.text, default.html, read, files=_places(one), subject=default.subject)


def _places(one: TemplateSource) -> dict[tuple[str, str], str]:
    """The file of each part, by locale and part; the subject of a locale stands in the first file that has one."""
    parts = {"mjml": "html", "html": "html", "txt": "text"}
    places = {(tag, parts[kind]): str(file.path) for tag, files in one.files.items() for kind, file in files.items()}
    for tag, files in one.files.items():
        for file in files.values():
            if tag and front_matter(file)[0]:
                places.setdefault((tag, "subject"), str(file.path))
    return places


def _local(files: Mapping[str, SourceFile], layout: SourceFile | None) -> LocalText:
    if "mjml" in files and "html" in files:
        raise FileWrong(files["html"].path, 1, f"stands beside {files['mjml'].path.name}; write one or the other")
    texts: dict[str, str] = {}
    subject = None
    for kind, file in files.items():
        front, texts[kind] = front_matter(file)
        subject = subject or front
    if "mjml" not in texts:
        page = texts.get("html")
        return LocalText(subject=subject, text=texts.get("txt"), html=page and with_inlined_css(page))
    around = Layout(layout.text, str(layout.path)) if layout else built_in_layout()
    try:
        html = _compiled(texts["mjml"], around)
    except MjmlWrong as error:
        raise FileWrong(PurePath(error.file or files["mjml"].path), error.line, error.reason) from error
    return LocalText(subject=subject, text=texts.get("txt"), html=html)


def front_matter(file: SourceFile) -> tuple[str | None, str]:
    """The subject, and the rest on the lines on which it stood. Raises FileWrong."""
    source = file.text
    front = _FRONT.match(source)
    if not front:
        return None, source
    try:
        keys = YAML(typ="safe").load(front.group(1))
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise FileWrong(file.path, 2, "what stands between the lines of --- is not YAML") from error
    if not isinstance(keys, dict) or list(keys) != ["subject"] or not isinstance(keys["subject"], str):
        raise FileWrong(file.path, 2, "between the lines of --- stands subject: and a text, nothing else")
    return keys["subject"], "\n" * (front.group().count("\n")) + source[front.end() :]


def stored_subject(files: Mapping[str, str]) -> str | None:
    """The subject of the default variant, of a template's files by their names."""
    own = [SourceFile(PurePath(name), text) for name, text in files.items() if not named_file(PurePath(name))[1]]
    return next((subject for file in own if (subject := front_matter(file)[0])), None)


@lru_cache(maxsize=500)
def _compiled(source: str, layout: Layout) -> str:
    return compile_mjml(source, layout)
