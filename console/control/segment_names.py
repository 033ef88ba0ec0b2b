"""The segments that a distribution names, held against those that are defined.

Segments of upstream's own are known by their events alone, so a name that is not defined may be one of them. It is an
error where a guard most likely means one that is defined, as with fields; else a warning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from console.control.documents import Document
from schemas.distribution import Distribution, TriggerRef
from schemas.errors import Problem
from schemas.formats.paths import path_text, read_names
from schemas.names import LIKE, ROUGHLY_LIKE
from streams.conditions.language import SEGMENTS, Path

REACTING = ("LIVE", "PAUSED")
"""Statuses in which a distribution reacts, or will again."""
_ABOUT: Path = ("segment", "id")
"""The segment that an event of a segment is about."""
_TRIGGERS = (("trigger",), ("unless", "trigger"))
_SHOWN = 5
_DIGITS = re.compile(r"\d+")

Place = Literal["membership", "event"]
"""The question that is asked: who is in it, or which one an event is about."""


@dataclass(frozen=True, slots=True)
class NamedSegment:
    """A segment, and the key under which it is named."""

    at: str
    segment: str
    place: Place


@dataclass(frozen=True, slots=True)
class KnownSegments:
    """Those that are defined, and upstream's own as far as triggers name them."""

    defined: Collection[str]
    of_triggers: Collection[str] = ()

    @classmethod
    def beside(
        cls, defined: Iterable[str], documents: Iterable[Document], rules: Iterable[Distribution] = ()
    ) -> KnownSegments:
        """Those that are defined, and what the triggers of distributions name, as written or as they are there."""
        triggers = {ref.segment for rule in rules for _, ref, _ in _parts(rule) if ref.segment}
        written = (_at(document.plain, *path, "segment") for document in documents for path in _TRIGGERS)
        return cls(sorted(set(defined)), sorted(triggers.union(one for one in written if isinstance(one, str))))


def named_segments(rule: Distribution) -> Iterator[NamedSegment]:
    """Each segment that a distribution names, in its triggers, its guard and what ends it."""
    for at, ref, when in _parts(rule):
        if ref.segment:
            yield NamedSegment(f"{at}trigger.segment", ref.segment, "event")
        yield from _of_condition(when, f"{at}when")


def slips(rule: Distribution, known: KnownSegments | None) -> tuple[Problem, ...]:
    """Errors: guards on segments that are not defined where one with almost this name is."""
    return (
        ()
        if known is None
        else tuple(
            Problem(one.at, f'"{one.segment}" is not a segment that is defined.{meant} {_options(one.segment, known)}')
            for one in _unknown(rule, known)
            if one.place == "membership" and (meant := _meant(one.segment, known))
        )
    )


def doubts(rule: Distribution, known: KnownSegments | None) -> tuple[Problem, ...]:
    """Warnings: names that may be upstream's own. A trigger's are, as a rule: of them only what looks like a slip."""
    if known is None:
        return ()
    found = []
    for one in _unknown(rule, known):
        meant = _meant(one.segment, known)
        if one.place == "membership" and not meant:
            said = f'no segment "{one.segment}" is defined: nobody is in it, unless upstream enters them into one'
            found.append(Problem(one.at, f"{said} of that id. {_options(one.segment, known)}"))
        elif one.place == "event" and meant:
            said = f'no segment "{one.segment}" is defined: only upstream\'s own events are about one of that id.'
            found.append(Problem(one.at, said + meant))
    return tuple(found)


def _unknown(rule: Distribution, known: KnownSegments) -> Iterator[NamedSegment]:
    """Of distributions that react: a stopped one may name what is gone."""
    if rule.status in REACTING:
        for one in dict.fromkeys(named_segments(rule)):
            heard = one.place == "membership" and one.segment in known.of_triggers
            if one.segment not in known.defined and not heard:
                yield one


def _parts(rule: Distribution) -> Iterator[tuple[str, TriggerRef, Any]]:
    yield "", rule.trigger, rule.when
    if rule.unless is not None:
        yield "unless.", rule.unless.trigger, rule.unless.when


def _at(node: Any, *path: str) -> Any:
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _of_condition(source: Any, at: str) -> Iterator[NamedSegment]:
    for name, value in source.items() if isinstance(source, Mapping) else ():
        if name in ("all", "any"):
            for number, part in enumerate(value):
                yield from _of_condition(part, f"{at}.{name}[{number}]")
        elif name == "not":
            yield from _of_condition(value, f"{at}.not")
        else:
            yield from _of_test(_names(name), value, f"{at}.{path_text((name,))}")


def _of_test(path: Path, value: Any, at: str) -> Iterator[NamedSegment]:
    """A membership is asked by `contains`; the segment of an event by any equality."""
    tests = value if isinstance(value, Mapping) else {"": value}
    if path == SEGMENTS and isinstance(tests.get("contains"), str):
        yield NamedSegment(f"{at}.contains", tests["contains"], "membership")
    if path == _ABOUT:
        for test in ("", "is", "in", "is_not", "not_in"):
            operands = tests.get(test)
            where = f"{at}.{test}" if test else at
            for one in operands if isinstance(operands, list) else [operands]:
                if isinstance(one, str):
                    yield NamedSegment(where, one, "event")


def _names(name: str) -> Path:
    try:
        return read_names(name)
    except ValueError:
        return ()


def _meant(name: str, known: KnownSegments) -> str:
    """A sentence that names the defined one that was probably meant.

    Names that differ in nothing but numbers are of two segments: vip-2025 and vip-2026.
    """
    plain = _DIGITS.sub("", name)
    others = [one for one in known.defined if not _DIGITS.search(one + name) or _DIGITS.sub("", one) != plain]
    folded = {one.casefold(): one for one in others}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=LIKE)
    return f' Did you mean "{folded[close[0]]}"?' if close else ""


def _options(name: str, known: KnownSegments) -> str:
    """The nearest names that there are, and how many more; how one of upstream's becomes known."""
    if not known.defined:
        return "None is defined"
    near = get_close_matches(name, known.defined, n=_SHOWN, cutoff=ROUGHLY_LIKE / 2) or list(known.defined)[:_SHOWN]
    rest = len(known.defined) - len(near)
    others = f" and {rest} more (tidings segments list)" if rest else ""
    upstream = "One of upstream's own is known once a trigger names it"
    return f"There are: {', '.join(near)}{others}. {upstream}"
