"""A document with other values under some of its keys: everything else, comments too, stays as it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from io import StringIO
from textwrap import dedent, indent
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from console.control.document_texts import values_of, written
from console.control.documents import parse_documents
from schemas.errors import DefinitionInvalid

_WIDTH = 120
_KEPT = 64
"""Texts whose values are kept."""
_BESIDES = ("#", "---")
"""Lines that begin so belong to what comes after them."""
_INDENTED = re.compile(r"^ +- ", re.MULTILINE)
"""A list whose entries are set in."""


class Gone:
    """The value of a key that is to be taken away."""


GONE = Gone()


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of one key at the top: from its own to the last one of its value."""

    name: str
    start: int
    end: int


def with_values(text: str, changes: Mapping[str, Any], order: Sequence[str] = ()) -> str:
    """A document in block style whose keys at the top have other values; `order` is where new ones belong.

    Lines of other keys stay byte for byte. Where that cannot be done (the document is JSON, or has anchors), all of it
    is written anew, and its comments are gone.
    """
    before = _values(text)
    for name, value in changes.items():
        text = _with_value(text, name, value, order)
    wanted = {name: value for name, value in {**before, **changes}.items() if value is not GONE}
    if not wanted or _read(text)[1] != wanted:
        return written(_in_order(wanted, order)) if wanted else ""
    return text


@lru_cache(_KEPT)
def _read(text: str) -> tuple[Any, Any]:
    """The tree of a text, and its values; None for both where it is not one document. It is read slowly."""
    try:
        found = list(parse_documents(text, ""))
    except DefinitionInvalid:
        return None, None
    return (found[0].tree, found[0].plain) if len(found) == 1 else (None, None)


def _values(text: str) -> dict[str, Any]:
    _, values = _read(text)
    return values if isinstance(values, dict) else {}


def _in_order(values: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    place = {name: number for number, name in enumerate(order)}
    return dict(sorted(values.items(), key=lambda one: place.get(one[0], len(place))))


def _with_value(text: str, name: str, value: Any, order: Sequence[str]) -> str:
    lines, blocks = text.splitlines(keepends=True), _blocks(text)
    if blocks is None:
        return text
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    found = next((one for one in blocks if one.name == name), None)
    if found is None:
        new = [] if value is GONE else [_dumped({name: _fresh(value)}, {name: value})]
        at = _place(name, blocks, order, len(lines))
        return "".join([*lines[:at], *new, *lines[at:]])
    own = "".join(lines[found.start : found.end])
    changed = "" if value is GONE else _changed(own, name, value)
    return "".join([*lines[: found.start], changed, *lines[found.end :]])


def _place(name: str, blocks: Sequence[_Block], order: Sequence[str], end: int) -> int:
    """The line at which a new key goes: behind the last one that comes before it in the reference."""
    if name in order:
        earlier = set(order[: order.index(name)])
        ends = [one.end for one in blocks if one.name in earlier]
        if ends:
            return ends[-1]
        if blocks:
            return blocks[0].start
    return blocks[-1].end if blocks else end


def _blocks(text: str) -> list[_Block] | None:
    """The keys at the top with their lines; None where they do not stand on lines of their own."""
    tree, _ = _read(text)
    if tree is None:
        return []
    if not isinstance(tree, CommentedMap) or tree.fa.flow_style():
        return None
    lines, names = text.splitlines(), list(tree)
    starts = [tree.lc.key(name)[0] for name in names]
    if starts != sorted(set(starts)) or any(tree.lc.key(name)[1] for name in names):
        return None
    found = []
    for name, start, following in zip(names, starts, [*starts[1:], len(lines)], strict=True):
        end = following
        while end > start + 1 and _is_besides(lines[end - 1]):
            end -= 1
        found.append(_Block(str(name), start, end))
    return found


def _is_besides(line: str) -> bool:
    """True of a line that is blank or a comment at the margin: it is about what comes after it."""
    return not line.strip() or line.startswith(_BESIDES) or line.startswith("...")


def _changed(own: str, name: str, value: Any) -> str:
    """The lines of a key with another value: the parts of it that stay are as they are written."""
    tree = _tree(own)
    if not isinstance(tree, CommentedMap) or list(tree) != [name]:
        return _dumped({name: _fresh(value)}, {name: value})
    text = _with_entries(own, *_only_list(tree[name], value))
    if text and values_of(text) == [{name: value}]:
        return text
    tree[name] = _merged(tree[name], value)
    return _dumped(tree, {name: value}, is_indented=bool(_INDENTED.search(own)))


def _dumped(tree: Any, wanted: dict[str, Any], *, is_indented: bool = True) -> str:
    """A tree as text, where that reads as what is wanted; else as any text that does."""
    out, writer = StringIO(), _writer()
    if is_indented:
        writer.indent(mapping=2, sequence=4, offset=2)
    try:
        writer.dump(tree, out)
    except (YAMLError, ValueError, TypeError, AttributeError):
        return written(wanted)
    text = out.getvalue()
    return text if values_of(text) == [wanted] else written(wanted)


def _only_list(old: Any, new: Any) -> tuple[Any, list[Any]]:
    """The one list, with an entry a line, in which two values differ; (None, []) where they differ elsewhere."""
    if isinstance(old, CommentedSeq) and isinstance(new, list) and not old.fa.flow_style() and old and new:
        return old, new
    if isinstance(old, dict) and isinstance(new, dict) and list(old) == list(new):
        differing = [name for name in old if not _same(old[name], new[name])]
        if len(differing) == 1:
            return _only_list(old[differing[0]], new[differing[0]])
    return None, []


def _with_entries(own: str, old: Any, new: list[Any]) -> str:
    """Lines with other entries in a list of theirs: what goes takes the comments before it along.

    The library gives a comment to the entry before it, so that the wrong one would go. Empty where it cannot be done.
    """
    lines = own.splitlines(keepends=True)
    starts = [] if old is None else [old.lc.item(number)[0] for number in range(len(old))]
    if not starts or any(not lines[start].lstrip().startswith("- ") for start in starts):
        return ""
    dash = len(lines[starts[0]]) - len(lines[starts[0]].lstrip())
    begins = [_begin(lines, start) for start in starts]
    parts = ["".join(lines[begin:end]) for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True)]
    keys = [_key(one) for one in old], [_key(one) for one in new]
    made = ["".join(lines[: begins[0]])]
    for tag, start, end, new_start, new_end in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
        if tag == "equal":
            made += parts[start:end]
            continue
        for place, value in enumerate(new[new_start:new_end], start):
            made.append(_entry(parts[place] if place < end else "", value, dash))
    return "".join(made)


def _begin(lines: Sequence[str], start: int) -> int:
    """The first line of an entry: that of the comments before it."""
    while start > 0 and (not lines[start - 1].strip() or lines[start - 1].lstrip().startswith("#")):
        start -= 1
    return start


def _entry(part: str, value: Any, dash: int) -> str:
    """An entry of a list with another value, set in; nothing is there yet where `part` is empty."""
    tree = _tree(dedent(part)) if part else None
    if isinstance(tree, CommentedSeq) and len(tree) == 1:
        lines = part.splitlines(keepends=True)
        head = next(number for number, line in enumerate(lines) if line.lstrip().startswith("- "))
        tree = _tree(dedent("".join(lines[head:])))
        tree[0] = _merged(tree[0], value)
        return "".join(lines[:head]) + indent(_listed(tree, value), " " * dash)
    return indent(_listed([_fresh(value)], value), " " * dash)


def _listed(tree: Any, value: Any) -> str:
    """A list of one entry as text; values of documents are mappings, so it is compared below a key."""
    text = _dumped({"entries": tree}, {"entries": [value]}, is_indented=False)
    return text.removeprefix("entries:\n") if text.startswith("entries:\n- ") else ""


def _merged(old: Any, new: Any) -> Any:
    """A value as it was written where it is the same, however deep."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [name for name in old if name not in new]:
            del old[name]
        for name, value in new.items():
            old[name] = _merged(old[name], value) if name in old else _fresh(value)
        return old
    if isinstance(old, list) and isinstance(new, list):
        return _merged_list(old, new)
    return old if _same(old, new) else _fresh(new)


def _fresh(value: Any) -> Any:
    """A new value as it reads best: texts of several lines as lines."""
    if isinstance(value, dict):
        return {name: _fresh(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_fresh(one) for one in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value


def _merged_list(old: Any, new: list[Any]) -> Any:
    """Entries that are alike are matched first; of those between, the ones at the same place."""
    keys = [_key(one) for one in old], [_key(one) for one in new]
    operations = SequenceMatcher(None, *keys, autojunk=False).get_opcodes()
    for tag, start, end, new_start, new_end in reversed(operations):
        if tag == "equal":
            continue
        both = min(end - start, new_end - new_start)
        for place in reversed(range(start + both, end)):
            del old[place]
        for place in range(both):
            old[start + place] = _merged(old[start + place], new[new_start + place])
        for place in range(new_start + both, new_end):
            old.insert(start + place - new_start, _fresh(new[place]))
    return old


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def _tree(text: str) -> Any:
    try:
        return _writer().load(text)
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _writer() -> YAML:
    writer = YAML()
    writer.width, writer.allow_unicode, writer.preserve_quotes = _WIDTH, True, True
    return writer
