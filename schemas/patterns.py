"""Codes from a pattern: `SPRING-` and `###` give SPRING-osO. Randomness is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from schemas.campaign import CodeConfig

Choose = Callable[[str], str]
"""One character of a text, by chance; `secrets.choice` for codes that nobody may guess."""


def make_code(config: CodeConfig, choose: Choose) -> str:
    """One code: each `#` of the pattern replaced, the prefix before it and the postfix after."""
    body = "".join(choose(config.charset) if character == "#" else character for character in config.pattern)
    return f"{config.prefix}{body}{config.postfix}"


def all_codes(config: CodeConfig) -> Iterator[str]:
    """Every code that a pattern can give; for small patterns only."""
    choices = [sorted(set(config.charset)) if character == "#" else [character] for character in config.pattern]
    return (f"{config.prefix}{''.join(body)}{config.postfix}" for body in product(*choices))
