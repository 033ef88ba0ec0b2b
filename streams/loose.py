"""Objects of upstream's whose known fields are not all of their kind: no event is lost for a field that no rule reads.

First what means the same is made the same: a whole float is an integer, an empty list is an empty mapping (as PHP
writes one), null is an absent list or mapping. What is then still of another kind stays as it is: a rule that reads it
fails with the reason, and everything else goes on.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from schemas.events.triggers import object_fields

T = TypeVar("T", bound=msgspec.Struct)


def tidied(value: Any, hint: Any) -> Any:
    """A value with what means the same made the same, as far as a type says what is meant."""
    kind = get_origin(hint) or hint
    if _is_struct(hint):
        fields = object_fields(hint)
        if value == []:
            return {}
        return _tidied_members(value, fields) if isinstance(value, dict) else value
    if kind is dict:
        return {} if value == [] else value
    if kind is list:
        item = get_args(hint)[0]
        return [] if value == {} else [tidied(one, item) for one in value] if isinstance(value, list) else value
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and value.is_integer() and int in (hint, *_arms(hint)):
        return int(value)
    return value.isoformat() if hint is str and isinstance(value, date) else value


def _tidied_members(members: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tidied(value, fields[name]) if name in fields else value
        for name, value in members.items()
        if value is not None or name not in fields or not _holds_many(fields[name])
    }


def with_whole_quantities(data: dict[str, Any]) -> dict[str, Any]:
    """An event's objects whose fields are of their kind: a quantity may be a fraction, a whole one is an integer."""
    order = data.get("order")
    items = order.get("items") if type(order) is dict else None
    for item in items if type(items) is list else ():
        quantity = item.get("quantity") if type(item) is dict else None
        if type(quantity) is float and quantity.is_integer():
            item["quantity"] = int(quantity)
    return data


def loosely(members: dict[str, Any], kind: type[T]) -> T:
    """A record of what is there, of whatever kind it is; a required field that is not there is None."""
    made: dict[str, Any] = {}
    hints = object_fields(kind)
    for field in msgspec.structs.fields(kind):
        value, hint = members.get(field.name), hints[field.name]
        if value is None and not field.required:
            continue
        made[field.name] = loosely(value, hint) if _is_struct(hint) and isinstance(value, dict) else value
    return kind(**made)


def _holds_many(hint: Any) -> bool:
    return (get_origin(hint) or hint) in (list, dict)


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _arms(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else ()
