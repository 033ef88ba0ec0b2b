"""Versions of a distribution as people read them: its YAML, in one way of writing, and what a version changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

import asyncpg
import msgspec

from console.control import distributions
from console.control.document_texts import own_text, values_of, with_status, written
from schemas.distribution import Distribution
from store.distributions import Control, KeptVersion
from streams.documents.distribution_keys import DISTRIBUTION

_KIND = "distribution"
_UNSAID = ("id", "project_id", "version", "updated_at")
_AT_ONCE = 50
_CONTEXT = 3
_MOST_LINES = 1500
"""Of a longer text no lines are compared: that takes the square of their number, for these at most half a second."""

LineKind = Literal["same", "added", "removed", "gap"]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff; of a `gap`, `text` says how many lines are the same."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A version, as it was written and in the one way of writing, beside the version before it.

    `before` is None of the first one. `changes` are sentences, a field each; they name what the YAML does not show,
    such as a new version of a template. `lines` are None where the texts are too long to be compared.
    """

    version: KeptVersion
    text: str
    canonical: str
    before: int | None
    changes: tuple[str, ...]
    lines: tuple[DiffLine, ...] | None


async def shown(pool: asyncpg.Pool, project_id: str, identity: str, number: int) -> ShownVersion:
    """A version, and what it changed. Raises NotFound, TryLater."""
    kept = await distributions.version(pool, project_id, identity, number)
    earlier = await Control(pool).versions(project_id, identity, number, 1)
    text = await _text(pool, project_id, kept)
    canonical = canonical_text(text)
    if not earlier:
        return ShownVersion(kept, text, canonical, None, (), ())
    before = earlier[0]
    changes = distributions.changes_between(before.definition, kept.definition)
    earlier_text = canonical_text(await _text(pool, project_id, before))
    lines = await asyncio.to_thread(difference, earlier_text, canonical)
    return ShownVersion(kept, text, canonical, before.version, changes, lines)


async def _text(pool: asyncpg.Pool, project_id: str, kept: KeptVersion) -> str:
    """A version as it was written. Steps of a life write nothing: of such the text before, in its status."""
    identity, number = kept.definition.id, kept.version + 1
    while found := await Control(pool).versions(project_id, identity, number, _AT_ONCE):
        for one in found:
            if one.source and (text := own_text(one.source, _KIND, identity)):
                return text if one.version == kept.version else with_status(text, kept.definition.status)
        number = found[-1].version
    return record_text(kept.definition)


def record_text(definition: Distribution) -> str:
    """A version that was applied without a document, as matchers hold it."""
    values = {name: value for name, value in msgspec.to_builtins(definition).items() if name not in _UNSAID}
    return written({_KIND: definition.id, **_filled(values)})


def _filled(value: Any) -> Any:
    """The same without what is empty, however deep."""
    if isinstance(value, dict):
        filled = {name: _filled(one) for name, one in value.items()}
        return {name: one for name, one in filled.items() if one not in (None, "", [], {})}
    return [_filled(one) for one in value] if isinstance(value, list) else value


def canonical_text(text: str) -> str:
    """A document without comments, its keys in the order of the reference and those of mappings by their names.

    As it is, where it cannot be read: then it is of a release that read it otherwise.
    """
    found = values_of(text)
    if len(found) != 1 or not isinstance(found[0], dict):
        return text
    order = {name: place for place, name in enumerate(DISTRIBUTION.keys)}
    names = sorted(found[0], key=lambda name: (order.get(name, len(order)), str(name)))
    return written({name: _sorted(found[0][name]) for name in names})


def _sorted(value: Any) -> Any:
    """The same with the keys of every mapping in one order; the order of lists says something."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value, key=str)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def difference(before: str, after: str) -> tuple[DiffLine, ...] | None:
    """The lines that differ, with some around each; empty where none does, None where there are too many."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > _MOST_LINES:
        return None
    found: list[DiffLine] = []
    at = 0
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT):
        found += _gap(group[0][1] - at)
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                found += _lines("same", old[old_from:old_to])
            else:
                found += _lines("removed", old[old_from:old_to])
                found += _lines("added", new[new_from:new_to])
        at = group[-1][2]
    return (*found, *_gap(len(old) - at)) if found else ()


def _lines(kind: LineKind, texts: Iterable[str]) -> list[DiffLine]:
    return [DiffLine(kind, one) for one in texts]


def _gap(lines: int) -> list[DiffLine]:
    return [DiffLine("gap", f"{lines} line{'' if lines == 1 else 's'} alike")] if lines > 0 else []
