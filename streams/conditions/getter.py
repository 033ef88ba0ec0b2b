"""Functions that read one path from what a condition is asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.formats.paths import path_text
from streams.conditions.answer import misfit
from streams.conditions.language import Path

Getter = Callable[[Any], Any]
"""Reads one path from what a condition is asked about; None where it leads nowhere."""


def getter(path: Path) -> Getter:
    """A function that follows a path through nested mappings: None where it leads nowhere, else what is there.

    A `Misfit` where it would have to go on inside a value that has nothing inside.
    """
    if len(path) == 1:
        return _get_one(*path)
    if len(path) == 2:
        return _get_two(*path)
    if len(path) == 3:
        return _get_three(*path)

    def get(facts: Any) -> Any:
        for depth, name in enumerate(path):
            if type(facts) is not dict:
                return misfit(facts, path_text(path[:depth]))
            facts = facts.get(name)
        return facts

    return get


def _get_one(name: str) -> Getter:
    return lambda facts: facts.get(name)


def _get_two(first: str, second: str) -> Getter:
    def get(facts: Any) -> Any:
        outer = facts.get(first)
        return outer.get(second) if type(outer) is dict else misfit(outer, path_text((first,)))

    return get


def _get_three(first: str, second: str, third: str) -> Getter:
    def get(facts: Any) -> Any:
        outer = facts.get(first)
        if type(outer) is not dict:
            return misfit(outer, path_text((first,)))
        inner = outer.get(second)
        return inner.get(third) if type(inner) is dict else misfit(inner, path_text((first, second)))

    return get
