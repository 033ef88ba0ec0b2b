"""Reading of a document that people write: key by key, so that one problem does not hide the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.days import read_moment
from streams.values.kinds import Moment, Value
from streams.values.wording import a_mapping, invalid_kind, unknown

T = TypeVar("T")


class DocumentReader:
    """Collects problems; each method reads one value of one kind and goes on without it where it is wrong."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.problems: list[Problem] = []
        self._zone = zone

    def checked(self, made: T | None) -> T:
        """The result. Raises DefinitionInvalid where there are problems."""
        if self.problems or made is None:
            raise DefinitionInvalid(tuple(self.problems))
        return made

    def _problem(self, at: str, message: str) -> None:
        self.problems.append(Problem(at, message))

    def _document(self, source: object, name: str, keys: Iterable[str]) -> Mapping[Any, Any] | None:
        """The whole of it."""
        if isinstance(source, Mapping):
            return source
        return self._problem("", invalid_kind(source, f"a {name}, {a_mapping(keys)}"))

    def _value(self, kind: Value[T], value: object, at: str) -> T | None:
        return kind.read(value, at, self._problem)

    def _instant(self, value: object, at: str, *, is_end: bool = False) -> datetime | None:
        """The moment of a begin or an end; a day is meant in the project's zone, and as an end it is included."""
        written = None if value is None else self._value(Moment(), value, at)
        return read_moment(written, self._zone, is_end=is_end)

    def _one_of(self, name: object, options: Mapping[str, T], at: str, kind: str, where: str = "") -> T | None:
        """The value under a name. `where` says where it was looked for, where that is a question."""
        if isinstance(name, str) and name in options:
            return options[name]
        return self._problem(at, unknown(name, sorted(options), kind, where))
