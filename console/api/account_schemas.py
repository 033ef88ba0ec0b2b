"""The fields of accounts as JSON Schema, a channel each; what is secret is only ever written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.account_fields import AccountField, FieldKind
from schemas.channels.tables import ACCOUNT_TYPES

_TEXTS = {"type": "array", "items": {"type": "string"}}
_BY_KIND: Mapping[FieldKind, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "integer"},
    "truth": {"type": "boolean"},
    "names": _TEXTS,
    "secret": {"type": "string", "writeOnly": True},
    "secrets": {**_TEXTS, "writeOnly": True},
}


def account_schemas() -> dict[str, Any]:
    """By name, as in EmailAccount. A change names some fields, so that none is required; null empties one."""
    return {f"{channel.title()}Account": _schema(kind.fields) for channel, kind in ACCOUNT_TYPES.items()}


def _schema(fields: tuple[AccountField, ...]) -> dict[str, Any]:
    properties = {one.name: _or_null(_of(one)) for one in fields}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _of(one: AccountField) -> Mapping[str, Any]:
    is_listed = one.kind == "text" and one.choices
    return {**_BY_KIND[one.kind], "enum": [*one.choices, None]} if is_listed else _BY_KIND[one.kind]


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}
