"""Documents as text: one of several in a file, another status, and values written as YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

import msgspec
from ruamel.yaml import YAML

from console.control.documents import Document, parse_documents
from schemas.errors import DefinitionInvalid

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_STATUS = re.compile(r"^(status:[ \t]*)(?:\"\w+\"|'\w+'|\w+)", re.MULTILINE)
_WIDTH = 120


def own_text(source: str, kind: str, identity: str) -> str:
    """The text of one document of a source; what came as JSON is written as YAML. Empty where it is not there."""
    for part in parts_of(source):
        if found := _named(part, kind, identity):
            return written(found.plain) if _is_json(part) else _without_separator(part)
    return ""


def parts_of(source: str) -> list[str]:
    """The documents of a source, each with the line that begins it; together they are the source."""
    starts = [found.start() for found in _SEPARATOR.finditer(source)]
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    return [source[start:end] for start, end in zip(starts, [*starts[1:], len(source)], strict=True)]


def with_part(source: str, kind: str, identity: str, text: str) -> str:
    """A source with another text for one of its documents; the others stay as they are written."""
    made = [_replaced(part, text) if _named(part, kind, identity) else part for part in parts_of(source)]
    return "".join(made)


def with_status(text: str, status: str) -> str:
    """A distribution in another status, the rest as it is written."""
    document = next(iter(parse_documents(text, "")))
    wanted = {**document.plain, "status": status}
    for changed in (_STATUS.sub(rf"\g<1>{status}", text, count=1), f"{text.rstrip()}\nstatus: {status}\n"):
        if values_of(changed) == [wanted]:
            return changed
    return written(wanted)


def values_of(text: str) -> list[Any]:
    """The values of each document of a text; none where it cannot be read."""
    try:
        return [one.plain for one in parse_documents(text, "")]
    except DefinitionInvalid:
        return []


def written(value: Any) -> str:
    """Values as YAML that reads as the same ones."""
    writer, made = YAML(), StringIO()
    writer.width, writer.allow_unicode = _WIDTH, True
    writer.dump(value, made)
    text = made.getvalue()
    return text if values_of(text) == [value] else msgspec.json.encode(value).decode() + "\n"


def _replaced(part: str, text: str) -> str:
    begins = "---\n" if part.startswith("---") else ""
    return begins + text.rstrip("\n") + "\n"


def _named(part: str, kind: str, identity: str) -> Document | None:
    found: Sequence[Document] = list(parse_documents(part, ""))
    return next((one for one in found if one.identity(kind) == identity), None)


def _is_json(part: str) -> bool:
    try:
        msgspec.json.decode(part.encode())
    except msgspec.DecodeError:
        return False
    return True


def _without_separator(part: str) -> str:
    return part.removeprefix("---").lstrip("\n") if part.startswith("---") else part


def mappings_in(values: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of some values, however deep, those outside first."""
    if isinstance(values, dict):
        yield values
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, dict | list):
            yield from mappings_in(value)
