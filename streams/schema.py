"""The JSON Schema of a distribution, for editors and for other languages. Closed: an unknown key is refused.

It says what can be said without knowing the project: paths, accounts and templates are checked on `apply`.
"""

from __future__ import annotations

from typing import Any, get_args

from schemas.closed import DistributionStatus, WhenEmpty
from schemas.triggers import TRIGGERS
from streams.conditions.parse import NUMBER_TESTS, QUANTIFIERS
from streams.conditions.predicates import PREDICATES
from streams.definition import EMAIL_KEYS, KEYS, REQUIRED, WEBHOOK_KEYS

_DURATION = {"type": "string", "pattern": r"^\d{1,6}[smhdw]$"}
_SCALAR = {"type": ["string", "number", "boolean"]}
_LIST = {"type": "array", "minItems": 1, "items": _SCALAR}
_TEXT = {"type": "string", "minLength": 1}
_OPERANDS: dict[str, Any] = {
    "in": _LIST,
    "not_in": _LIST,
    "between": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    "is_set": {"type": "boolean"},
    "within_last": _DURATION,
    "within_next": _DURATION,
    **dict.fromkeys(("is_any_case", "starts_with", "ends_with", "matches"), _TEXT),
    **dict.fromkeys(("contains_any_case", "starts_with_any_case", "ends_with_any_case"), _TEXT),
    "before": _TEXT,
    "after": _TEXT,
    "on": _TEXT,
    "in_any_case": {"type": "array", "minItems": 1, "items": _TEXT},
    "day_is": {"type": "string", "pattern": r"^(today|tomorrow|yesterday|in \d{1,6}[dw]|\d{1,6}[dw] ago)$"},
}
_NUMERIC = ("at_least", "at_most", "more_than", "less_than")


def definition_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Distribution",
        **_closed({name: _property(name) for name in KEYS}, required=REQUIRED),
        "$defs": {"condition": _condition(), "tests": _tests()},
    }


def _property(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "trigger": {"oneOf": [{"enum": list(TRIGGERS)}, *_triggers()]},
        "publish": _closed(
            {"campaign": {"type": "string"}, "when_empty": {"enum": list(get_args(WhenEmpty))}}, required=("campaign",)
        ),
        "promote": _closed({"campaign": {"type": "string"}, "tier": {"type": "string"}}, required=("campaign", "tier")),
        "when": {"$ref": "#/$defs/condition"},
        "channels": {"type": "array", "minItems": 1, "items": {"oneOf": [_email(), _webhook()]}},
        "again": {
            "oneOf": [
                {"enum": ["every_event", "once_per_customer"]},
                _closed({"once_per": {"type": "string"}}, required=("once_per",)),
                _closed({"once_in": _DURATION}, required=("once_in",)),
            ]
        },
        "expires_after": _DURATION,
        "priority": {"type": "integer"},
        "status": {"enum": list(get_args(DistributionStatus))},
    }
    text: dict[str, Any] = {"type": "string"}
    return dict(properties.get(name, text))


def _triggers() -> list[dict[str, Any]]:
    """One form for each set of selectors, so that a selector of another type is refused."""
    types: dict[tuple[str, ...], list[str]] = {}
    for trigger in TRIGGERS.values():
        types.setdefault(trigger.selector_keys, []).append(trigger.type)
    texts = {"type": "string"}
    return [
        _closed({"event": {"enum": names}, **dict.fromkeys(keys, texts)}, required=("event",))
        for keys, names in types.items()
    ]


def _email() -> dict[str, Any]:
    body = _closed({name: {"type": "string"} for name in EMAIL_KEYS}, required=("account", "subject"))
    return _closed({"email": body}, required=("email",))


def _webhook() -> dict[str, Any]:
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    fields = {name: texts if name == "headers" else {"type": "string"} for name in WEBHOOK_KEYS}
    return _closed({"webhook": _closed(fields, required=("url", "type"))}, required=("webhook",))


def _condition() -> dict[str, Any]:
    group = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {"all": group, "any": group, "not": {"$ref": "#/$defs/condition"}},
        "additionalProperties": {"oneOf": [_SCALAR, _LIST, {"$ref": "#/$defs/tests"}]},
    }


def _tests() -> dict[str, Any]:
    operands = {name: {"type": "number"} for name in _NUMERIC} | _OPERANDS
    tests = {name: operands.get(name, _SCALAR) for name in PREDICATES}
    items: dict[str, Any] = {name: {"$ref": "#/$defs/condition"} for name in QUANTIFIERS}
    number = {name: _OPERANDS.get(name, {"type": "number"}) for name in NUMBER_TESTS}
    where = {"where": {"$ref": "#/$defs/condition"}}
    count = _closed({**where, **number}, required=()) | {"anyOf": [{"required": [name]} for name in NUMBER_TESTS]}
    items["count"] = {"oneOf": [{"type": "number"}, count]}
    items["sum"] = {**count, "properties": {"of": _TEXT, **where, **number}, "required": ["of"]}
    return _closed({**tests, **items}, required=()) | {"minProperties": 1}


def _closed(properties: dict[str, Any], *, required: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
