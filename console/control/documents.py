"""Documents as people write them: YAML or JSON, with the line of every key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from schemas.errors import DefinitionInvalid, Problem
from streams.channels.template_files import TemplateFiles

_STEP = re.compile(r'"((?:[^"\\]|\\.)+)"|\[(\d+)\]|([^.\[\]"]+)')


class Beside(Protocol):
    """Files beside a document, read only where the document asks for them."""

    @property
    def folder(self) -> Path | None:
        """The folder of the document; None for one that came by itself."""

    def templates(self) -> Mapping[str, TemplateFiles]:
        """Templates by name."""

    def members(self, name: str) -> Sequence[str]:
        """The ids of a list of customers. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Nothing beside it: a document that came by itself, as over HTTP."""

    folder: Path | None = None

    def templates(self) -> Mapping[str, TemplateFiles]:
        """No template."""
        return {}

    def members(self, name: str) -> Sequence[str]:
        """Raises ValueError."""
        raise ValueError(f"{name} cannot be read: no file came with the document; write the ids under members")


@dataclass(frozen=True, slots=True)
class Document:
    """One document as written. `tree` keeps positions, `plain` is the same as ordinary values.

    `place` is how problems name it: its file, where it stands in one.
    """

    place: str
    tree: Any
    plain: Any
    source: str
    beside: Beside = Alone()

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
        return Problem(f"{self.place}:{line}  {problem.path}", problem.message)

    def _value(self, path: str) -> Any:
        """The value at a path; None where there is none."""
        node = self.tree
        for quoted, index, name in _STEP.findall(path):
            try:
                node = node[int(index) if index else quoted or name]
            except (KeyError, IndexError, TypeError):
                return None
        return node


def parse_documents(source: str, place: str, beside: Beside = Alone()) -> Iterator[Document]:
    """Every document of a text. Raises DefinitionInvalid where it is not YAML."""
    try:
        trees = [tree for tree in YAML(typ="rt").load_all(source) if tree is not None]
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DefinitionInvalid((Problem(f"{place}:{line}", str(error.problem)),)) from error
    except YAMLError as error:
        raise DefinitionInvalid((Problem(place, f"cannot be read: {error}"),)) from error
    yield from (Document(place, tree, _plain(tree), source, beside) for tree in trees)


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
