"""Settings from the environment, and variables that look like some and are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_origin, get_type_hints

from deploy.settings.service_links import is_address, service_links
from schemas.errors import CannotStart
from schemas.names import ROUGHLY_LIKE, nearest

_OURS = "TIDINGS_"
_ACCOUNTS = "TIDINGS_EMAIL_ACCOUNTS"
_SHORT = {"TIDINGS_KAFKA": ("kafka", "bootstrap"), "TIDINGS_POSTGRES": ("postgres", "dsn")}
_NO_SETTINGS = ("TIDINGS_SETTINGS", "TIDINGS_JAVA", "TIDINGS_CACHE")
"""Where the file is, and where the embedded servers find Java and keep what they downloaded."""


def check_names(kind: Any, environ: Mapping[str, str]) -> None:
    """Raises CannotStart for variables that begin as ours do and are not settings, with the nearest that is one."""
    known = {*_variables(kind), *_SHORT, *_NO_SETTINGS}
    unknown = {name for name in environ if name.startswith(_OURS)} - known - service_links(environ)
    if unknown:
        raise CannotStart("\n".join(_unknown(name, known) for name in sorted(unknown)))


def _unknown(name: str, known: set[str]) -> str:
    if name.startswith(_ACCOUNTS):
        return f"{name} in the environment is not a setting: accounts are in the file, a secret as file:/path"
    meant = nearest(name.removeprefix(_OURS).upper(), [one.removeprefix(_OURS) for one in known], ROUGHLY_LIKE)
    hint = (
        f'Did you mean "{_OURS}{meant}"?'
        if meant
        else "deploy/settings.example.toml names all, as TIDINGS_<GROUP>_<KEY>"
    )
    return f"{name} in the environment is not a setting. {hint}"


def with_environment(kind: Any, written: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The keys of a file, with what variables say in their place. The short names win."""
    merged = {name: dict(value) if isinstance(value, dict) else value for name, value in written.items()}
    for name, path in {**_variables(kind), **_SHORT}.items():
        text = environ.get(name)
        if text is not None and not is_address(name, text):
            _put(merged, path, text)
    return merged


def _put(merged: dict[str, Any], path: tuple[str, ...], text: str) -> None:
    group, *key = path
    if not key:
        merged[group] = text
    elif isinstance(inner := merged.setdefault(group, {}), dict):  # another kind is refused when it is read
        inner[key[0]] = text


def _variables(kind: Any) -> dict[str, tuple[str, ...]]:
    """Each variable that is a setting, with the group and key that it sets; not for groups that are named freely."""
    hints, found = get_type_hints(kind), dict[str, tuple[str, ...]]()
    for group in fields(kind):
        inner = hints[group.name]
        if get_origin(inner) is not dict:
            keys = [(group.name, key.name) for key in fields(inner)] if is_dataclass(inner) else [(group.name,)]
            found |= {_OURS + "_".join(path).upper(): path for path in keys}
    return found
