"""Documents as people write them: YAML or JSON, with the line of every key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from schemas.errors import DefinitionInvalid, Problem
from streams.channels.template_files import TemplateFiles

_FREELY = 10_000
"""Values that a document may have by aliases, however short it is."""
_DEEPEST = 500
"""Open brackets; the reader takes fewer, but texts may hold some that are not closed."""
_BRACKET = re.compile(r"[\[\]{}]")
_NO_VALUE = (ValueError, LookupError, TypeError, AttributeError)
"""Raised by the YAML library where a date or a tagged value is none: 2026-02-30, `!!int x`."""
_FOREIGN = {f"tag:yaml.org,2002:{kind}": f"!!{kind}" for kind in ("binary", "set")}
"""Tags of values that JSON has not, as they are written."""
_VALUES = "a text, a number, true or false, a date, a list or a mapping"
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

    def file(self, path: str, most: int) -> bytes:
        """A file of at most so many bytes. Raises ValueError."""

    def raw(self, name: str) -> bytes | None:
        """The bytes of a file; None where it is not there."""


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

    def file(self, path: str, most: int) -> bytes:
        """Raises ValueError."""
        raise ValueError(f"{path} cannot be read: no file came with the document; attach it by url")

    def raw(self, name: str) -> bytes | None:
        """No file."""
        return None


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
        """The id under a key, before anything is checked; empty where it is missing."""
        found = self.plain.get(key) if isinstance(self.plain, dict) else None
        return found if isinstance(found, str) else ""

    def says(self, path: str) -> bool:
        """True where something is written at a path."""
        return self._value(path) is not None

    def located(self, problem: Problem) -> Problem:
        """A problem with the file and the line: those of what it is about, where that is written elsewhere.

        As it is, where nothing has lines: the document came by itself.
        """
        if not self.place:
            return problem
        line = self.line(problem.path)
        if problem.file:
            return Problem(f"{problem.file}:{problem.line or 1}  {problem.path}", problem.message)
        if problem.line and isinstance(self._value(problem.path), LiteralScalarString):
            line += problem.line
        return Problem(f"{self.place}:{line}  {problem.path}", problem.message)

    def _value(self, path: str) -> Any:
        """The value at a path; None where it is missing."""
        node = self.tree
        for quoted, index, name in _STEP.findall(path):
            try:
                node = node[int(index) if index else quoted or name]
            except (KeyError, IndexError, TypeError):
                return None
        return node


def json_document(value: Any, source: str) -> Document:
    """A document that came by itself, read as JSON already."""
    return Document("", value, value, source)


def parse_documents(source: str, place: str, beside: Beside = Alone()) -> Iterator[Document]:
    """Every document of a text. Raises DefinitionInvalid where it is not YAML, too deep, or multiplied by aliases."""
    try:
        _check_depth(source)
        trees = [tree for tree in _reader().load_all(source) if tree is not None]
        plain = [_Values(max(_FREELY, len(source))).plain(tree) for tree in trees]
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DefinitionInvalid((Problem(f"{place}:{line}", str(error.problem)),)) from error
    except (YAMLError, _TooMany) as error:
        raise DefinitionInvalid((Problem(place, f"cannot be read: {error}"),)) from error
    except RecursionError as error:
        raise DefinitionInvalid((Problem(place, "cannot be read: is nested too deeply"),)) from error
    yield from (Document(place, *both, source, beside) for both in zip(trees, plain, strict=True))


class _Constructor(RoundTripConstructor):
    """Names the line of a value that the library cannot make."""

    def construct_non_recursive_object(self, node: Any, tag: str | None = None) -> Any:
        """Raises ConstructorError."""
        if node.tag in _FOREIGN:
            reason = f"cannot be read: {_FOREIGN[node.tag]} is not valid: must be {_VALUES}"
            raise ConstructorError(None, None, reason, node.start_mark)
        try:
            return super().construct_non_recursive_object(node, tag)
        except _NO_VALUE as error:
            raise _not_made(node, error) from error

    def construct_document(self, node: Any) -> Any:
        """Raises ConstructorError: lists and mappings are filled after they are made."""
        try:
            return super().construct_document(node)
        except _NO_VALUE as error:
            raise _not_made(node, error) from error


def _not_made(node: Any, error: Exception) -> ConstructorError:
    reason = f"cannot be read: {error}" if isinstance(error, ValueError) else "cannot be read: its tag does not fit it"
    return ConstructorError(None, None, reason, node.start_mark)


def _reader() -> YAML:
    reader = YAML(typ="rt")
    reader.Constructor = _Constructor
    return reader


def _check_depth(source: str) -> None:
    """Looked at first, since the reader's time grows with the square of it. Raises RecursionError."""
    depth = 0
    for bracket in _BRACKET.findall(source):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > _DEEPEST:
            raise RecursionError


class _TooMany(ValueError):
    """Aliases stand for more values than a document may have."""


class _Values:
    """Makes ordinary values: the reader's own classes know positions, but not every library knows them.

    A few lines of aliases can stand for billions of values, so they are counted, up to `most`. By itself a text has
    fewer values than characters.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    def plain(self, node: Any) -> Any:
        """A node as ordinary values. Raises _TooMany."""
        self._left -= 1
        if self._left < 0:
            raise _TooMany("its aliases (*) stand for far more than it says; write less of it by alias")
        if isinstance(node, Mapping):
            return {str(name): self.plain(value) for name, value in node.items()}
        if isinstance(node, list):
            return [self.plain(value) for value in node]
        if isinstance(node, bool) or node is None:
            return node
        if isinstance(node, datetime):
            return datetime.fromisoformat(node.isoformat())
        if isinstance(node, date):
            return node
        return next((kind(node) for kind in (int, float, str) if isinstance(node, kind)), str(node))
