"""Values of settings, from TOML or from a variable's text, by the type of their key."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from deploy.secret import Secret
from schemas.errors import CannotStart
from schemas.formats.durations import parse_duration
from schemas.formats.hosts import HostRefused, ascii_host, ascii_url
from schemas.formats.kinds import kind_in_words
from schemas.names import ROUGHLY_LIKE, did_you_mean


def read_group(kind: Any, written: Any, path: str) -> Any:
    """A dataclass from its keys. Raises CannotStart for a key that is not known or missing, or has another kind."""
    values = _mapping(written, path)
    hints, known = get_type_hints(kind), {entry.name: entry for entry in fields(kind)}
    for name in values:
        if name not in known:
            hint = did_you_mean(name, known, ROUGHLY_LIKE)
            raise CannotStart(
                f"{_join(path, name)} is not a setting: must be one of {', '.join(known)}.{hint}".rstrip(".")
            )
    read = {name: _read(hints[name], value, _join(path, name)) for name, value in values.items()}
    missing = [name for name, entry in known.items() if name not in read and _is_required(entry)]
    if missing:
        raise CannotStart(f"{_join(path, missing[0])} is missing")
    return kind(**read)


def _is_required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _read(hint: Any, value: Any, path: str) -> Any:
    if is_dataclass(hint):
        return read_group(hint, value, path)
    origin = get_origin(hint)
    if origin is UnionType:  # `… | None`, where leaving it out is None
        return _read(get_args(hint)[0], value, path)
    if origin is dict:
        kind = get_args(hint)[1]
        return {name: read_group(kind, inner, _join(path, name)) for name, inner in _mapping(value, path).items()}
    if origin is tuple:
        return _list(get_args(hint)[0], value, path)
    if origin is Literal:
        if value not in get_args(hint):
            raise CannotStart(f"{path} must be one of {', '.join(get_args(hint))}, not {value!r}")
        return value
    return _PLAIN[hint](value, path)


def _list(hint: Any, value: Any, path: str) -> tuple[Any, ...]:
    items = _items(value) if isinstance(value, str) else value
    if not isinstance(items, list):
        raise CannotStart(f"{path} must be a list, not {kind_in_words(value)}")
    return tuple(_read(hint, item, f"{path}[{index}]") for index, item in enumerate(items))


def _items(text: str) -> Any:
    """The items of a variable's text: between commas, or a list in JSON, whose items may have some."""
    try:
        written = json.loads(text) if text.startswith("[") else None
    except ValueError:
        written = None
    return written if isinstance(written, list) else text.split(",")


def _mapping(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CannotStart(f"{path} must be a group of keys, not {kind_in_words(value)}")
    return value


def _text(value: Any, path: str) -> str:
    """A text; where it is an address or a host, in ASCII: clients disagree on which host another spelling names."""
    if not isinstance(value, str):
        raise CannotStart(f"{path} must be a text, not {kind_in_words(value)}")
    try:
        return ascii_url(value) if path.endswith("_url") else ascii_host(value) if path.endswith(".host") else value
    except HostRefused as error:
        raise CannotStart(f"{path}: {error}") from error


def _secret(value: Any, path: str) -> Secret:
    text = _text(value, path)
    if not text.startswith("file:"):
        return Secret(text)
    try:
        return Secret(Path(text.removeprefix("file:")).read_text().strip())
    except OSError as error:
        raise CannotStart(f"{path}: cannot read {text.removeprefix('file:')}: {error.strerror}") from error


def _whole(value: Any, path: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal():
        raise CannotStart(f"{path} must be a whole number, not {kind_in_words(value)}")
    return int(text)


def _number(value: Any, path: str) -> float:
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found) or found < 0:
        raise CannotStart(f"{path} must be a number from 0 on, not {kind_in_words(value)}")
    return found


def _flag(value: Any, path: str) -> bool:
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if found is None:
        raise CannotStart(f"{path} must be true or false, not {kind_in_words(value)}")
    return found


def _span(value: Any, path: str) -> timedelta:
    try:
        return parse_duration(value.strip() if isinstance(value, str) else value)
    except ValueError as error:
        raise CannotStart(f"{path}: {error}") from error


def _written(value: Any, path: str) -> Any:
    """As it is written; a mapping or a list of a variable is in JSON."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise CannotStart(f"{path} begins as JSON does and is not: {error}") from error


_PLAIN: dict[Any, Callable[[Any, str], Any]] = {
    str: _text, Secret: _secret, int: _whole, float: _number, bool: _flag, timedelta: _span,
    object: _written,
}  # fmt: skip
