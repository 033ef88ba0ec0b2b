"""Every branch of a template, rendered with the fewest samples that lead into all of them.

A template that is right for the sample may fail in the branch that only some customers come into. So each branch, and
the way past an `if` or a `for` that has no `else`, calls back when it is rendered; what its tags ask for is varied
until it is reached.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

import msgspec

from channels.templates.author_lines import AuthorLine, author_line
from channels.templates.engine import PARTS, names_in
from schemas.errors import TemplateFailed
from schemas.formats.paths import value_at
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from streams.conditions.answer import kind_of

CALLED = "tidings_branch"
"""The name under which a branch calls back."""

_TAG = re.compile(
    r"\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}"
    r"|\{%[-+]?\s*(?P<word>if|elif|else|endif|for|endfor)\b(?P<asks>.*?)[-+]?%\}",
    re.DOTALL,
)
_LOOP = re.compile(r"\s*(?P<item>\w+)(?:\s*,\s*\w+)?\s+in\s+(?P<list>[\w.]+)")
_CONSTANT = re.compile(r"\"([^\"]*)\"|'([^']*)'|(?<![\w.])(\d+(?:\.\d+)?)")
_MOST_TRIED = 200
"""Samples that are tried for one branch."""
_ABSENT: Any = object()
_PLAIN: tuple[Any, ...] = (
    _ABSENT, True, False, 0, 1, 1_000_000_000, "text", "2026-11-20", [], ["text"], [{"id": "x"}], {},
)  # fmt: skip
_MOST_NAMES = 3
_MOST_BEGINNINGS = 50
"""Samples that the search for the fewest begins with, each in its turn."""

Render = Callable[[StoredTemplate, JsonObject], TemplateFailed | None]
"""Writes a template with some objects, as a sender does, and says why it cannot."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch. `parent` is the one around it; `asks` are the tags that decide about it, `loops` those around it."""

    number: int
    part: str
    line: AuthorLine
    tag: str
    parent: int | None
    asks: tuple[str, ...]
    loops: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A branch that cannot be rendered, or that was `reached` by no sample (then without an error)."""

    branch: Branch
    error: TemplateFailed | None


@dataclass(frozen=True, slots=True)
class Covered:
    """The result: how many branches there are, the samples that lead into them, and those that fail."""

    branches: int
    samples: tuple[JsonObject, ...]
    failed: tuple[Failed, ...]


@dataclass(slots=True)
class _Open:
    """An `if` or `for` that is being read."""

    kind: str
    text: str
    asks: list[str]
    branch: int
    has_else: bool = False


@dataclass(slots=True)
class _Reader:
    """Reads the tags of one part, and puts a call behind each that begins a branch."""

    part: str
    source: str
    branches: list[Branch]
    _open: list[_Open] = field(default_factory=list)
    _made: list[str] = field(default_factory=list)

    def with_calls(self) -> str:
        """The source with its calls."""
        at = 0
        for tag in _TAG.finditer(self.source):
            self._made.append(self.source[at : tag.start()])
            self._take(tag)
            at = tag.end()
        return "".join([*self._made, self.source[at:]])

    def _take(self, tag: re.Match[str]) -> None:
        word, asks, whole = tag["word"], (tag["asks"] or "").strip(), tag.group()
        if word in ("if", "for"):
            parent = self._open[-1].branch if self._open else None
            self._open.append(_Open(word, whole, [asks], -1))
            self._made += [whole, self._begin(whole, parent, tag.start())]
        elif word in ("elif", "else") and self._open:
            one = self._open[-1]
            one.asks += [asks] if word == "elif" else []
            one.has_else = one.has_else or word == "else"
            self._made += [whole, self._begin(f"{whole} of {one.text}", self._outer(), tag.start())]
        elif word in ("endif", "endfor") and self._open:
            one = self._open[-1]
            if not one.has_else:
                self._made += ["{% else %}", self._begin(f"past {one.text}", self._outer(), tag.start())]
            self._open.pop()
            self._made.append(whole)
        else:
            self._made.append(whole)

    def _outer(self) -> int | None:
        return self._open[-2].branch if len(self._open) > 1 else None

    def _begin(self, tag: str, parent: int | None, at: int) -> str:
        number = len(self.branches)
        loops = tuple(found for one in self._open if one.kind == "for" and (found := _loop(one.asks[0])))
        line = author_line(self.source, at)
        self.branches.append(Branch(number, self.part, line, tag, parent, tuple(self._open[-1].asks), loops))
        self._open[-1].branch = number
        return f"{{{{ {CALLED}({number}) }}}}"


def _loop(asks: str) -> tuple[str, str] | None:
    found = _LOOP.match(asks)
    return (found["item"], found["list"]) if found else None


def branches_of(template: StoredTemplate) -> tuple[StoredTemplate, list[Branch]]:
    """A template without locales in which each branch calls back, and its branches."""
    branches: list[Branch] = []
    parts = {part: source for part in PARTS if (source := getattr(template, part)) is not None}
    called = {part: _Reader(part, source, branches).with_calls() for part, source in parts.items()}
    return msgspec.structs.replace(template, **called, locales={}), branches


def cover(template: StoredTemplate, samples: Iterable[JsonObject], render: Render) -> Covered:
    """Render every branch. `samples` are objects that events have; what they do not lead into is made of them."""
    called, branches = branches_of(template)
    search = _Search(called, branches, render)
    for sample in samples:
        search.tried(sample)
    for branch in branches:
        search.reach(branch)
    failed = tuple(one for branch in branches if (one := search.failed(branch)))
    return Covered(len(branches), search.fewest(), failed)


class _Search:
    """All that was tried, and where it led."""

    def __init__(self, template: StoredTemplate, branches: list[Branch], render: Render) -> None:
        self._template, self._branches, self._render = template, branches, render
        self._written: list[tuple[frozenset[int], JsonObject]] = []
        self._errors: dict[int, TemplateFailed] = {}
        self._base: dict[int | None, JsonObject] = {}

    def tried(self, sample: JsonObject) -> None:
        """Render one sample, and note the branches that it leads into."""
        entered: set[int] = set()
        error = self._render(self._template, {**sample, CALLED: lambda number: entered.add(number) or ""})
        self._base.setdefault(None, sample)
        for number in entered:
            self._base.setdefault(number, sample)
        if error is None:
            self._written.append((frozenset(entered), sample))
        else:
            for number in entered:
                self._errors.setdefault(number, error)

    def is_written(self, branch: Branch) -> bool:
        """True where a sample led into it and was rendered."""
        return any(branch.number in entered for entered, _ in self._written)

    def reach(self, branch: Branch) -> None:
        """Vary what its tags ask for, from a sample that led to the branch around it."""
        base = self._base.get(branch.parent)
        for sample in islice(_varied(base, branch), _MOST_TRIED) if base is not None else ():
            if self.is_written(branch):
                return
            self.tried(sample)

    def failed(self, branch: Branch) -> Failed | None:
        """The result for one that was not rendered; one inside of such a branch says nothing more."""
        if self.is_written(branch):
            return None
        around = None if branch.parent is None else self._branches[branch.parent]
        error = self._errors.get(branch.number)
        if (around and not self.is_written(around)) or (error is None and not self._asks_event(branch)):
            return None
        return Failed(branch, error)

    def _asks_event(self, branch: Branch) -> bool:
        """False for a branch by what is no part of an event, as the brand."""
        roots = {name.partition(".")[0] for asks in branch.asks for name in _names(asks, dict(branch.loops))}
        return not roots.isdisjoint(self._base.get(None, {}))

    def fewest(self) -> tuple[JsonObject, ...]:
        """Samples that lead into all that was rendered: each time the one that leads into most of the rest."""
        fewest = min((self._from(first) for first in self._written[:_MOST_BEGINNINGS]), key=len, default=[])
        return tuple(fewest)

    def _from(self, first: tuple[frozenset[int], JsonObject]) -> list[JsonObject]:
        left, chosen = set().union(*(entered for entered, _ in self._written)) - first[0], [first[1]]
        while left:
            entered, sample = max(self._written, key=lambda one: len(one[0] & left))
            left -= entered
            chosen.append(sample)
        return chosen


def _varied(base: JsonObject, branch: Branch) -> Iterator[JsonObject]:
    """Samples with other values where the tags of a branch look."""
    names = sorted({name for asks in branch.asks for name in _names(asks, dict(branch.loops))})[:_MOST_NAMES]
    constants = [value for asks in branch.asks for value in _constants(asks)]
    for _, items in branch.loops:  # a first item and a last one
        yield _with(base, {items: [{"id": "x"}, {"id": "y"}]})
        found = _at(base, items)
        if isinstance(found, list) and found:
            yield _with(base, {items: [*found, *found]})
    values = [_fitting([*dict.fromkeys(constants), *_PLAIN], _at(base, name)) for name in names]
    for name, some in zip(names, values, strict=True):  # one at a time first: most tags ask about one
        yield from (_with(base, {name: value}) for value in some)
    if len(names) > 1:
        yield from (_with(base, dict(zip(names, chosen, strict=True))) for chosen in product(*values))


def _fitting(values: Iterable[Any], now: Any) -> list[Any]:
    """Values of the kind of the one that is there: no event has another."""
    return [value for value in values if now is None or value is _ABSENT or kind_of(value) == kind_of(now)]


def _at(base: JsonObject, path: str) -> Any:
    """The value in a sample; None where it is missing."""
    steps = [int(step) if step.isdigit() else step for step in path.split(".")]
    return value_at(tuple(steps), base)


def _names(asks: str, loops: Mapping[str, str]) -> set[str]:
    """The fields that a tag asks about; those of an item as fields of its list's first."""
    loop = _loop(asks)
    found = {loop[1]} if loop else names_in(f"{{% if {asks} %}}{{% endif %}}")
    return {_of_list(name, loops) for name in found}


def _of_list(name: str, loops: Mapping[str, str]) -> str:
    root, _, rest = name.partition(".")
    if root not in loops:
        return name
    return ".".join((_of_list(loops[root], {one: of for one, of in loops.items() if one != root}), "0", rest)).rstrip(
        "."
    )


def _constants(asks: str) -> Iterator[Any]:
    """The texts and numbers in a tag, and numbers beside them: what it compares with."""
    for double, single, number in _CONSTANT.findall(asks):
        if not number:
            yield double or single
            continue
        value = float(number) if "." in number else int(number)
        yield from (value, value + 1, value - 1)


def _with(base: JsonObject, values: Mapping[str, Any]) -> JsonObject:
    made = copy.deepcopy(base)
    for name, value in values.items():
        _put(made, name.split("."), value)
    return made


def _put(node: Any, path: list[str], value: Any) -> None:
    """Put a value at a path, making what is missing on the way."""
    step, rest = path[0], path[1:]
    if isinstance(node, list):
        if not node:
            node.append({})
        if rest and isinstance(node[0], dict):
            _put(node[0], rest, value)
        elif not rest:
            node[0] = value
    elif isinstance(node, dict) and not rest:
        if value is _ABSENT:
            node.pop(step, None)
        else:
            node[step] = copy.deepcopy(value)
    elif isinstance(node, dict):
        if not isinstance(node.get(step), dict | list):
            node[step] = [] if rest[0] == "0" else {}
        _put(node[step], rest, value)
