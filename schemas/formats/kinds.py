"""Kinds of values in words, for whoever wrote one of another kind than is asked for. Never the value itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date


def kind_in_words(value: object) -> str:
    """With its article, as in `a number` or `an empty list`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text" if value.strip() else "an empty text"
        case date():
            return "a date"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case Mapping():
            return "a mapping"
        case _:
            return f"a {type(value).__name__}"
