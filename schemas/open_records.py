"""Unknown fields of open records: on the wire in `extra`, in memory beside the known ones.

Both ways are compiled once from the Avro schema, so that a record without open parts costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.avro_of import EXTRA

Walk = Callable[[Any], Any]


def unfolding(schema: Any) -> Walk | None:
    """A function that moves `extra` beside the known fields and drops nulls; None where nothing is open."""
    return _Compiler(_unfold_record).walk(schema)


def folding(schema: Any) -> Walk | None:
    """A function that copies a record with its unknown fields moved into `extra`; None where nothing is open."""
    return _Compiler(_fold_record).walk(schema)


RecordWalk = Callable[[frozenset[str], bool, dict[str, Walk]], Walk]


class _Compiler:
    """Follows a schema once; named types are remembered, since later mentions are by name only."""

    def __init__(self, record_walk: RecordWalk) -> None:
        self._record_walk = record_walk
        self._named: dict[str, Walk | None] = {}

    def walk(self, schema: Any) -> Walk | None:
        if isinstance(schema, str):
            return self._named.get(schema)
        if isinstance(schema, list):
            arms = [walk for walk in map(self.walk, schema) if walk]
            return _optional(arms[0]) if arms else None
        if schema["type"] == "array":
            return _each(self.walk(schema["items"]))
        return self._record(schema) if schema["type"] == "record" else None

    def _record(self, schema: dict[str, Any]) -> Walk | None:
        names = frozenset(field["name"] for field in schema["fields"])
        inner = {field["name"]: walk for field in schema["fields"] if (walk := self.walk(field["type"]))}
        is_open = EXTRA in names
        walk = self._record_walk(names - {EXTRA}, is_open, inner) if is_open or inner else None
        self._named[f"{schema['namespace']}.{schema['name']}"] = walk
        return walk


def _optional(walk: Walk) -> Walk:
    return lambda value: None if value is None else walk(value)


def _each(walk: Walk | None) -> Walk | None:
    return walk and (lambda values: [walk(value) for value in values] if isinstance(values, list) else values)


def _unfold_record(_names: frozenset[str], is_open: bool, inner: dict[str, Walk]) -> Walk:
    def unfold(record: dict[str, Any]) -> dict[str, Any]:
        unknown = record.pop(EXTRA, None) if is_open else None
        whole = {name: inner[name](value) if name in inner else value for name, value in record.items()}
        return {name: value for name, value in whole.items() if value is not None} | (unknown or {})

    return unfold


def _fold_record(names: frozenset[str], is_open: bool, inner: dict[str, Walk]) -> Walk:
    def fold(record: Any) -> Any:
        if not isinstance(record, dict):
            return record
        known = {name: inner[name](record[name]) if name in inner else record[name] for name in record.keys() & names}
        unknown = {name: value for name, value in record.items() if name not in names}
        return known | ({EXTRA: unknown} if is_open else {})

    return fold
