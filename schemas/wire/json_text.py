"""JSON that came from outside: read with a limit on its depth."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from schemas.errors import TooDeep, Undecodable

MAX_DEPTH = 64
"""Levels of nesting that are still read. A valid event has about six."""


def decode_json(raw: bytes | str) -> Any:
    """A JSON value, refused when nested deeper than `MAX_DEPTH`. Raises Undecodable or TooDeep."""
    brackets = (b"{", b"[") if isinstance(raw, bytes) else ("{", "[")
    may_be_deep = sum(map(raw.count, brackets)) > MAX_DEPTH  # type: ignore[arg-type]
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(f"starts as JSON but is not valid: {_cause(raw, error)}") from error
    except RecursionError as error:
        raise TooDeep(_too_deep()) from error
    if may_be_deep and _deeper_than(value, MAX_DEPTH):
        raise TooDeep(_too_deep())
    return value


def _cause(raw: bytes | str, error: Exception) -> str:
    """The fault, in words that say more than the parser's where it is led astray."""
    if isinstance(raw, bytes) and b"\0" in raw[:4]:
        return "UTF-16 or UTF-32; JSON is read in UTF-8"
    text = raw if isinstance(raw, str) else raw.decode(errors="replace")
    if _LONE_SURROGATE.search(text):
        return "half of a surrogate pair, which is not a character (\\ud800 to \\udfff come in twos)"
    return str(error)


_LONE_SURROGATE = re.compile(r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")


def _too_deep() -> str:
    return f"nested deeper than {MAX_DEPTH} levels; flatten the object or send less of it"


def _deeper_than(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(item, levels - 1) for item in inner if isinstance(item, dict | list))
