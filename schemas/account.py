"""Accounts as somebody writes them, read by the fields of their channel.

Values of the fields of kind `secret` and `secrets` are shown nowhere: neither by `repr` nor by an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from schemas.account_fields import AccountField, AccountForm
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.closed import ChannelName
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.kinds import kind_in_words
from schemas.names import ROUGHLY_LIKE, did_you_mean

_LONGEST_NAME = 100
_MOST_SECRETS = 5


def read_account(channel: ChannelName, written: Mapping[str, object]) -> AccountForm:
    """The account that somebody wrote, as texts or in their own kinds. Raises DefinitionInvalid with every problem."""
    kind, problems, read = ACCOUNT_TYPES[channel], dict[str, str](), dict[str, Any]()
    known = {one.name: one for one in kind.fields}
    for name, value in written.items():
        if name not in known:
            problems[name] = f"must be one of {', '.join(known)}.{did_you_mean(name, known, ROUGHLY_LIKE)}".rstrip(".")
            continue
        try:
            read[name] = _value(known[name], value)
        except ValueError as error:
            problems[name] = str(error)
    problems |= {one.name: "is missing" for one in kind.fields if one.is_required and one.name not in written}
    if not problems:
        made = kind.form(**read)
        problems |= kind.check(made)
        if not problems:
            return made
    raise DefinitionInvalid(tuple(Problem(name, said) for name, said in problems.items()))


def as_written(channel: ChannelName, form: AccountForm) -> dict[str, Any]:
    """The fields of an account that somebody writes."""
    kept = ACCOUNT_TYPES[channel].kept
    return {name: value for name, value in asdict(form).items() if name not in kept}


def changed_account(channel: ChannelName, before: AccountForm, written: Mapping[str, object]) -> AccountForm:
    """The same with what is written in place. Raises DefinitionInvalid, also where a secret would reach another place.

    Whoever may change an account need not know its secret, and does not get to know it by naming a host of their own.
    None in place of a value empties the field: it is as if nobody had ever written it.
    """
    kept = {name: getattr(before, name) for name in ACCOUNT_TYPES[channel].kept}
    fields = ACCOUNT_TYPES[channel].fields
    emptied = {one.name for one in fields if one.name in written and written[one.name] is None}
    after = {name: value for name, value in {**as_written(channel, before), **written}.items() if name not in emptied}
    changed = replace(read_account(channel, after), **kept)
    moved = [one.name for one in fields if one.is_place and getattr(changed, one.name) != getattr(before, one.name)]
    shown = [one.name for one in fields if one.kind == "secret" and not one.stays_here and getattr(changed, one.name)]
    if problems := [Problem(name, _written_anew(moved)) for name in shown if moved and name not in written]:
        raise DefinitionInvalid(tuple(problems))
    return changed


def _written_anew(moved: list[str]) -> str:
    return f"must be written anew where {', '.join(moved)} changes: what is kept was meant for the one before"


def account_name(channel: ChannelName, name: str) -> str:
    """A name as distributions refer to it. Raises DefinitionInvalid."""
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip() and "/" not in name):
        said = f'"{name}" is not valid: must be a name of at most {_LONGEST_NAME} characters without /'
        raise DefinitionInvalid((Problem("name", said),))
    try:
        return ACCOUNT_TYPES[channel].read_name(name)
    except ValueError as error:
        raise DefinitionInvalid((Problem("name", f'"{name}" is not valid: {error}'),)) from None


def _value(one: AccountField, value: object) -> Any:
    if one.kind == "names":
        names = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"must be a list of names, not {kind_in_words(value)}")
        return tuple(map(one.read, names))
    if one.kind == "truth" and not isinstance(value, str):
        if isinstance(value, bool):
            return value
        raise ValueError(f"must be true or false, not {kind_in_words(value)}")
    if one.kind == "secrets":
        items = value.replace(",", "\n").split() if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise ValueError(f"must be a list of texts, not {kind_in_words(value)}")
        if len(items) > _MOST_SECRETS:
            raise ValueError(f"must be at most {_MOST_SECRETS}: all of them count at the same time")
        return tuple(map(one.read, items))
    if one.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"must be a {one.kind}, not {kind_in_words(value)}")
    return one.read(value)
