"""The words in which a document is found wrong: what the value is, what is allowed, and the nearest known name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date

from schemas.formats.paths import path_text
from schemas.names import did_you_mean

_LONGEST_SHOWN = 40

Report = Callable[[str, str], None]
"""Takes a complaint: the path, and what is wrong there with what would be right."""


def refuse_unknown(source: Iterable[object], known: Collection[str], at: str, say: Report) -> None:
    """Complain about each key that is not known."""
    for name in source:
        if name not in known:
            say(under(at, name), not_known(name, known))


def wrong(value: object, allowed: str) -> str:
    """What a value is, and what is allowed."""
    return f"{seen(value)}; it is {allowed}"


def seen(value: object) -> str:
    """What a value is, for a complaint. Not for what may be a secret: a short text is shown."""
    match value:
        case None:
            return "is missing"
        case bool() | int() | float():
            return f"is {str(value).lower()}"
        case str():
            return f'is "{value}"' if value.strip() and len(value) <= _LONGEST_SHOWN else kind_of(value)
        case date():
            return f"is {value.isoformat()}"
        case _:
            return kind_of(value)


def kind_of(value: object) -> str:
    """What kind of value it is, without a word of it."""
    match value:
        case None:
            return "is missing"
        case bool():
            return "is true or false"
        case int() | float():
            return "is a number"
        case str():
            return f"is a text of {len(value)} characters" if value.strip() else "is an empty text"
        case date():
            return "is a date"
        case list() | tuple():
            return "is a list" if value else "is an empty list"
        case Mapping():
            return "is a mapping"
        case _:
            return f"is a {type(value).__name__}"


def not_known(name: object, known: Collection[str]) -> str:
    """A name that is none of a closed list."""
    return f'"{name}" is not known here.{did_you_mean(str(name), known)} {these(known)}'


def these(known: Iterable[str]) -> str:
    """Which names there are."""
    return f"There are: {', '.join(known) or 'none'}"


def a_mapping(keys: Iterable[str], example: str = "") -> str:
    """A mapping, by an example or by its keys."""
    return f"a mapping, as in {example}" if example else f"a mapping with {', '.join(keys)}"


def under(at: str, name: object) -> str:
    """The path of a key."""
    return f"{at}.{path_text((str(name),))}".removeprefix(".")
