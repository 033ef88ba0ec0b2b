"""Templates in files: `<name>.mjml`, `.html` and `.txt`, with each locale beside it as `<name>.pl-PL.mjml`.

A locale's file may begin with its subject, between two lines of `---`; the distribution's `subject:` is the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from channels.bundle import text_of
from channels.mjml import Layout, MjmlWrong, built_in_layout, compile_mjml
from schemas.errors import DefinitionInvalid, Problem
from schemas.template import LocalText
from streams.definition import TemplateFiles

_FILE = re.compile(r"(?P<name>.+?)(?:\.(?P<tag>[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*))?\.(?P<kind>mjml|html|txt)")
_FRONT = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_LAYOUT = "layout"


def read_templates(folders: Iterable[Path]) -> dict[str, TemplateFiles]:
    """Every template of some folders by name; a later folder wins. Raises DefinitionInvalid with file and line."""
    found: dict[str, TemplateFiles] = {}
    for folder in folders:
        found |= _read_folder(folder) if folder.is_dir() else {}
    return found


def _read_folder(folder: Path) -> dict[str, TemplateFiles]:
    layout = _layout(folder / f"{_LAYOUT}.mjml")
    files: dict[str, dict[str, dict[str, Path]]] = {}
    for file in sorted(folder.iterdir()):
        parts = _FILE.fullmatch(file.name)
        if parts and parts["name"] != _LAYOUT:
            tag = (parts["tag"] or "").replace("_", "-").lower()
            files.setdefault(parts["name"], {}).setdefault(tag, {})[parts["kind"]] = file
    return {name: _template(by_tag, layout) for name, by_tag in files.items()}


def _layout(file: Path) -> Layout:
    return Layout(file.read_text(), str(file)) if file.is_file() else built_in_layout()


def _template(by_tag: dict[str, dict[str, Path]], layout: Layout) -> TemplateFiles:
    read = {tag: _local(files, layout, tag) for tag, files in by_tag.items()}
    default = read.pop("", None)
    if default is None:
        file = next(iter(next(iter(by_tag.values())).values()))
        raise _wrong(file, 1, "there is no such template without a locale, for customers of every other one")
    return TemplateFiles(text=default.text, html=default.html, locales=read)


def _local(files: dict[str, Path], layout: Layout, tag: str) -> LocalText:
    if "mjml" in files and "html" in files:
        raise _wrong(files["html"], 1, f"stands beside {files['mjml'].name}; write one or the other")
    texts: dict[str, str] = {}
    subject = None
    for kind, file in files.items():
        front, texts[kind] = _front_matter(file, tag)
        subject = subject or front
    if "mjml" not in texts:
        return LocalText(subject=subject, text=texts.get("txt"), html=texts.get("html"))
    try:
        html = _compiled(texts["mjml"], layout)
    except MjmlWrong as error:
        raise _wrong(files["mjml"], error.line, error.reason) from error
    return LocalText(subject=subject, text=texts.get("txt") or text_of(texts["mjml"]), html=html)


def _front_matter(file: Path, tag: str) -> tuple[str | None, str]:
    """The subject, and the rest on the lines on which it stood."""
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(file, 1, f"cannot be read: {error}") from error
    front = _FRONT.match(source)
    if not front:
        return None, source
    try:
        keys = YAML(typ="safe").load(front.group(1))
    except YAMLError as error:
        raise _wrong(file, 2, "what stands between the lines of --- is no YAML") from error
    if not isinstance(keys, dict) or list(keys) != ["subject"] or not isinstance(keys["subject"], str):
        raise _wrong(file, 2, "between the lines of --- stands subject: and a text, nothing else")
    if not tag:
        raise _wrong(file, 2, "the default subject is that of the distribution; only a locale has its own here")
    return keys["subject"], "\n" * (front.group().count("\n")) + source[front.end() :]


@lru_cache(maxsize=500)
def _compiled(source: str, layout: Layout) -> str:
    return compile_mjml(source, layout)


def _wrong(file: Path, line: int, reason: str) -> DefinitionInvalid:
    return DefinitionInvalid((Problem(f"{file}:{line}", reason),))
