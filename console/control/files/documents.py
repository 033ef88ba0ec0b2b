"""Distributions in files: YAML or JSON, with the line of every key, and the templates that stand beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from console.control.files.templates import read_templates
from schemas.errors import DefinitionInvalid, Problem
from streams.channels.template_files import TemplateFiles

ENDINGS = (".yaml", ".yml", ".json")
"""Of files that hold distributions."""
_STEP = re.compile(r'"((?:[^"\\]|\\.)+)"|\[(\d+)\]|([^.\[\]"]+)')


@dataclass(frozen=True, slots=True)
class Document:
    """One distribution as written. `tree` keeps positions, `plain` is the same as ordinary values."""

    file: Path
    tree: Any
    plain: Any
    source: str

    def line(self, path: str) -> int:
        """The line of a problem's path, as near as the document has it."""
        node, line = self.tree, getattr(getattr(self.tree, "lc", None), "line", 0)
        for quoted, index, name in _STEP.findall(path):
            key: Any = int(index) if index else re.sub(r'\\(["\\])', r"\1", quoted) or name
            try:
                line = node.lc.item(key)[0] if index else node.lc.key(key)[0]
                node = node[key]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return int(line) + 1

    def identity(self, key: str) -> str:
        """The id under a key, before anything is checked; empty where there is none."""
        found = self.plain.get(key) if isinstance(self.plain, dict) else None
        return found if isinstance(found, str) else ""

    def located(self, problem: Problem) -> Problem:
        """A problem with the file and the line: those of what it is about, where that is written elsewhere."""
        line = self.line(problem.path)
        if problem.file:
            return Problem(f"{problem.file}:{problem.line or 1}  {problem.path}", problem.message)
        if problem.line and isinstance(self._value(problem.path), LiteralScalarString):
            line += problem.line
        return Problem(f"{self.file}:{line}  {problem.path}", problem.message)

    def _value(self, path: str) -> Any:
        """What stands at a path; None where that is not there."""
        node = self.tree
        for quoted, index, name in _STEP.findall(path):
            try:
                node = node[int(index) if index else quoted or name]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def templates(self) -> dict[str, TemplateFiles]:
        """The templates in `templates/` beside the file, or one folder up."""
        return read_templates([self.file.parent.parent / "templates", self.file.parent / "templates"])


def read_documents(paths: list[Path]) -> list[Document]:
    """Every document in some files and folders. Raises DefinitionInvalid where a file cannot be read as YAML."""
    files = [file for path in paths for file in (sorted(_files(path, ENDINGS)) if path.is_dir() else [path])]
    return [document for file in files for document in _read(file)]


def _read(file: Path) -> Iterator[Document]:
    yaml = YAML(typ="rt")
    try:
        source = file.read_text()
        trees = [tree for tree in yaml.load_all(source) if tree is not None]
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DefinitionInvalid((Problem(f"{file}:{line}", str(error.problem)),)) from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise DefinitionInvalid((Problem(str(file), f"cannot be read: {error}"),)) from error
    yield from (Document(file, tree, _plain(tree), source) for tree in trees)


def _plain(node: Any) -> Any:
    """Ordinary values: the reader's own classes know positions, but not every library knows them."""
    if isinstance(node, Mapping):
        return {str(name): _plain(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    if isinstance(node, datetime):
        return datetime.fromisoformat(node.isoformat())
    if isinstance(node, date):
        return node
    return next((kind(node) for kind in (int, float, str) if isinstance(node, kind)), str(node))


def _files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix in endings] if folder.is_dir() else []
