"""JSON that came from outside: read with a limit on its depth."""

from __future__ import annotations

import json
import re
from itertools import chain
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
    if may_be_deep and _is_too_deep(raw, value):
        raise TooDeep(_too_deep())
    return value


def decode_unambiguous(raw: bytes) -> Any:
    """The same of what somebody wrote: also refused is what readers take for different things.

    Names that are given twice in one object, and whole numbers of more than 64 bits. Raises Undecodable or TooDeep.
    """
    value = decode_json(raw)
    try:
        json.loads(raw, object_pairs_hook=_once, parse_int=_of_64_bits)
    except RecursionError as error:
        raise TooDeep(_too_deep()) from error
    except ValueError as error:
        raise Undecodable(str(error)) from None
    return value


_LARGEST_DIGITS = 19
"""Of a whole number that 64 bits hold."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice[:64]}" is given twice in one object')


def _of_64_bits(digits: str) -> None:
    if len(digits.lstrip("-")) > _LARGEST_DIGITS or not -(2**63) <= int(digits) < 2**63:
        raise ValueError("a number is larger than 64 bits hold; write it as a text")


def _cause(raw: bytes | str, error: Exception) -> str:
    """The fault, in words that say more than the parser's where it is led astray."""
    if isinstance(raw, bytes) and b"\0" in raw[:4]:
        return "UTF-16 or UTF-32; JSON is read in UTF-8"
    text = raw if isinstance(raw, str) else raw.decode(errors="replace")
    if _LONE_SURROGATE.search(text):
        return "half of a surrogate pair, which is not a character (\\ud800 to \\udfff come in twos)"
    return str(error)


_LONE_SURROGATE = re.compile(r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")


def _is_too_deep(raw: bytes | str, value: Any) -> bool:
    """Look at a value; of a list only at the members that have so many brackets: others are not so deep."""
    if not isinstance(value, list):
        return _deeper_than(value, MAX_DEPTH)
    return any(
        _opening(bytes(written)) >= MAX_DEPTH and _deeper_than(one, MAX_DEPTH - 1)
        for one, written in zip(value, _MEMBERS.decode(raw), strict=True)
    )


_MEMBERS = msgspec.json.Decoder(list[msgspec.Raw])


def _opening(raw: bytes) -> int:
    """The brackets that open something, and those in texts: in half the time of `count`."""
    return len(raw) - len(raw.replace(b"{", b"").replace(b"[", b""))


def _too_deep() -> str:
    return f"nested deeper than {MAX_DEPTH} levels; flatten the object or send less of it"


def _deeper_than(value: Any, levels: int) -> bool:
    """True where containers stand in one another deeper than that, looked at level by level: there may be many."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels + 1):
        inner = chain.from_iterable(one.values() if type(one) is dict else one for one in level)
        level = [item for item in inner if type(item) is dict or type(item) is list]
        if not level:
            return False
    return True
