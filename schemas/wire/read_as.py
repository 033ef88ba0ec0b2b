"""Decoded records as structs, also those that a newer release wrote."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from schemas.closed import UNKNOWN
from schemas.errors import InvalidEvent

T = TypeVar("T")


def read_as(decoded: Any, kind: type[T]) -> T:
    """A decoded record as a struct; a symbol that is not known here counts as `unknown` where its field allows that.

    Raises InvalidEvent, saying which field.
    """
    try:
        return msgspec.convert(decoded, kind)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.convert(_with_known_symbols(decoded, kind), kind)
    except msgspec.ValidationError as error:
        raise InvalidEvent(str(error)) from error


def _with_known_symbols(value: Any, hint: Any) -> Any:
    arms = _arms(hint)
    if isinstance(value, str):
        symbols = [symbol for arm in arms if get_origin(arm) is Literal for symbol in get_args(arm)]
        return UNKNOWN if UNKNOWN in symbols and value not in symbols else value
    for arm in arms:
        if isinstance(value, list) and get_origin(arm) is list:
            return [_with_known_symbols(item, get_args(arm)[0]) for item in value]
        if isinstance(value, dict) and isinstance(arm, type) and issubclass(arm, msgspec.Struct):
            hints = get_type_hints(arm)
            return {name: _with_known_symbols(item, hints.get(name, Any)) for name, item in value.items()}
    return value


def _arms(hint: Any) -> tuple[Any, ...]:
    """A hint without its annotations."""
    is_plain = get_origin(hint) in (None, Literal, list, dict)
    return (hint,) if is_plain else tuple(arm for one in get_args(hint) for arm in _arms(one))
