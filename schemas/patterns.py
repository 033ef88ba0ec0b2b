"""Codes from a pattern: `SPRING-` and `###` give SPRING-7KQ. Randomness is an argument."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from schemas.campaign import CodeConfig

Choose = Callable[[str], str]
"""One character of a text, by chance; `secrets.choice` for codes that nobody may guess."""

_HEX = "0123456789abcdef"
_SPARE = 16
"""Hexadecimal digits beyond those of a limit: 64 bits make the rest of a division fair enough."""

T = TypeVar("T")


def make_code(config: CodeConfig, choose: Choose) -> str:
    """One code: each `#` of the pattern replaced, the prefix before it and the postfix after."""
    body = "".join(choose(config.charset) if character == "#" else character for character in config.pattern)
    return f"{config.prefix}{body}{config.postfix}"


def all_codes(config: CodeConfig, choose: Choose) -> Iterator[str]:
    """Every code that a pattern can give, once, from a start and by steps that chance decides."""
    capacity, charset = config.capacity, sorted(set(config.charset))
    place, step = _below(capacity, choose), _below(capacity, choose)
    while math.gcd(step, capacity) != 1:  # only such a step comes past every place
        step += 1
    for _ in range(capacity):
        yield _code_at(config, charset, place)
        place = (place + step) % capacity


def pick(items: Sequence[T], count: int, choose: Choose) -> list[T]:
    """Some of a list, or all where it has fewer, in an order that chance decides."""
    left = list(items)
    for place in range(min(count, len(left))):
        other = place + _below(len(left) - place, choose)
        left[place], left[other] = left[other], left[place]
    return left[:count]


def pattern_regex(config: CodeConfig) -> str:
    """A regular expression, for Python and PostgreSQL, of exactly the codes that a pattern gives."""
    one = f"[{''.join(_escaped(character) for character in sorted(set(config.charset)))}]"
    body = "".join(one if character == "#" else _escaped(character) for character in config.pattern)
    return f"^{''.join(map(_escaped, config.prefix))}{body}{''.join(map(_escaped, config.postfix))}$"


def _escaped(character: str) -> str:
    return f"\\{character}" if re.fullmatch(r"[!-/:-@\[-`{-~]", character) and character != "_" else character


def _below(limit: int, choose: Choose) -> int:
    """A whole number from 0 up to, not including, a limit."""
    digits = len(f"{limit:x}") + _SPARE
    return int("".join(choose(_HEX) for _ in range(digits)), 16) % limit


def _code_at(config: CodeConfig, charset: list[str], place: int) -> str:
    body = list(config.pattern)
    for number, character in enumerate(body):
        if character == "#":
            place, digit = divmod(place, len(charset))
            body[number] = charset[digit]
    return f"{config.prefix}{''.join(body)}{config.postfix}"
