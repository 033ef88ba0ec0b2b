"""The fields that a distribution names, in its conditions, keys, payloads and templates, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from channels.templates.engine import PARTS, names_in
from schemas.distribution import Distribution
from schemas.events.triggers import TRIGGERS
from schemas.formats.paths import Steps, path_text, read_path
from schemas.payload import DEFAULT, FROM
from streams.conditions.language import SEGMENTS
from streams.conditions.parse import EVENTS
from streams.documents.distribution import Definition

_WITHOUT = frozenset({"is_set", "is_not", "not_in"})
"""Tests that a value which is missing may pass."""
_KEYS = (("again", "once_per"), ("delay", "until"), ("unless", "same"))


@dataclass(frozen=True, slots=True)
class Named:
    """A path, and the key under which it is written; `needed`: nothing is there for the case that it is missing."""

    at: str
    path: Steps
    needed: bool = True

    def __str__(self) -> str:
        return path_text(self.path)


def named_in(source: Any, rule: Distribution) -> Iterator[Named]:
    """The fields of the triggering event that a distribution as written names, but for those of its templates."""
    yield from of_condition(source.get("when"), "when")
    for key, inner in _KEYS:
        written = source.get(key)
        path = written.get(inner) if isinstance(written, Mapping) else None
        if isinstance(path, str):
            yield Named(f"{key}.{inner}", read_path(path))
    for number, plan in enumerate(rule.channels):
        yield from _of_body(msgspec.to_builtins(plan), f"channels[{number}].{plan.channel}")


def of_condition(source: Any, at: str) -> Iterator[Named]:
    """The fields that a condition asks for; those of a list's items, and memberships, are not events' own."""
    for name, value in source.items() if isinstance(source, Mapping) else ():
        if name in ("all", "any"):
            for number, part in enumerate(value):
                yield from of_condition(part, f"{at}.{name}[{number}]")
        elif name == "not":
            yield from of_condition(value, f"{at}.not")
        elif name == EVENTS and isinstance(value, Mapping) and "type" in value:
            continue  # what a customer did: of other events than this one
        elif read_path(name) != SEGMENTS:
            may_lack = isinstance(value, Mapping) and not _WITHOUT.isdisjoint(value)
            yield Named(f"{at}.{path_text((name,))}", read_path(name), needed=not may_lack)


def _of_body(node: Any, at: str) -> Iterator[Named]:
    """The values that payloads and attributes take from the event."""
    if isinstance(node, Mapping):
        path = node.get(FROM)
        if isinstance(path, str):
            yield Named(at, read_path(path), needed=DEFAULT not in node)
            return
        node = list(node.values())
    for inner in node if isinstance(node, list) else ():
        yield from _of_body(inner, at)


def with_template_fields(definition: Definition) -> Definition:
    """A definition that says which fields of its events its templates show, for whoever watches those."""
    rule = definition.distribution
    shown = {str(one) for one in named_by_templates(definition) if one.path[0] in TRIGGERS[rule.trigger.event].objects}
    return replace(definition, distribution=msgspec.structs.replace(rule, template_fields=sorted(shown)))


def named_by_templates(definition: Definition) -> Iterator[Named]:
    """The variables of templates: what is missing there was refused on save, or has its `default` or `if`."""
    for at, template in definition.templates:
        variants = [template.in_locale(tag) for tag in ("", *template.locales)]
        sources = {text for one in variants for part in PARTS if (text := getattr(one, part))}
        for name in sorted({name for source in sources for name in names_in(source)}):
            yield Named(at, tuple(name.split(".")), needed=False)
