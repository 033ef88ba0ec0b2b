"""The words in which a document is found wrong: what was given, what is allowed, and the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from datetime import date

from schemas.formats.kinds import kind_in_words
from schemas.formats.paths import path_text
from schemas.names import did_you_mean

_LONGEST_SHOWN = 40

Report = Callable[[str, str], None]
"""Takes a problem: the path, and what is wrong there with what would be right."""


def refuse_unknown(source: Iterable[object], known: Collection[str], at: str, report: Report) -> None:
    """Report each key that is not known."""
    for name in source:
        if name not in known:
            report(under(at, name), unknown(name, known, "a key"))


def invalid(value: object, allowed: str) -> str:
    """A value and what is allowed instead. Not for what may be a secret: a short text is shown."""
    return _refused(value, shown(value), allowed)


def invalid_kind(value: object, allowed: str) -> str:
    """The kind of a value and what is allowed instead, without a word of the value."""
    return _refused(value, kind_of(value), allowed)


def _refused(value: object, given: str, allowed: str) -> str:
    return f"is missing: must be {allowed}" if value is None else f"{given} is not valid: must be {allowed}"


def shown(value: object) -> str:
    """A value as a problem names it: a number or a short text itself, all else by its kind."""
    match value:
        case int() if value.bit_length() > _LONGEST_SHOWN * 2:  # of thousands of digits Python makes no text
            return kind_of(value)
        case bool() | int() | float():
            return str(value).lower()
        case str() if value.strip() and len(value) <= _LONGEST_SHOWN:
            return f'"{value}"'
        case date():
            return value.isoformat()
        case _:
            return kind_of(value)


def kind_of(value: object) -> str:
    """The kind of a value, without a word of it."""
    if isinstance(value, str) and value.strip():
        return f"a text of {len(value)} character{'' if len(value) == 1 else 's'}"
    return kind_in_words(value)


def unknown(name: object, known: Collection[str], kind: str = "valid", more: str = "") -> str:
    """A name that is not in a closed list; `kind` says of what, `more` says where others come from."""
    options = known_names(known) if known else "there are none"
    head = f"is missing: {options}" if name is None else f"{shown(name)} is not {kind}: {options}"
    return sentences(head, did_you_mean(name, known).strip() if isinstance(name, str) else "", more)


def sentences(*parts: str) -> str:
    """Those that are there, one after the other; the last one has no full stop of ours."""
    text = ""
    for one in filter(None, parts):
        text += (". " if text and text[-1] not in "?." else " ") * bool(text) + one
    return text


_PARTS = re.compile(
    r"(?:(?P<given>.+?) is not [^:]+|is missing): (?P<must>must be )?(?P<allowed>.+?)"
    r'(?:[.?]? Did you mean "(?P<nearest>[^"]+)"\?.*)?',
    re.DOTALL,
)


def parts_of(message: str) -> tuple[str | None, str | None, str | None]:
    """The given value, what is allowed and the nearest name of a sentence made here; None for what it does not say."""
    found = _PARTS.fullmatch(message)
    if found is None:
        return None, None, None
    return found["given"] or "nothing", found["allowed"] if found["must"] else None, found["nearest"]


def known_names(known: Iterable[str]) -> str:
    """The names of a closed list, as what is allowed."""
    return f"must be one of {', '.join(known)}"


def a_mapping(keys: Iterable[str], example: str = "") -> str:
    """A mapping, by an example or by its keys."""
    return f"a mapping, as in {example}" if example else f"a mapping with {', '.join(keys)}"


def under(at: str, name: object) -> str:
    """The path of a key."""
    return f"{at}.{path_text((str(name),))}".removeprefix(".")
