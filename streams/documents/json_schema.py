"""The JSON Schemas of what authors write, for editors and for other languages. Closed: an unknown key is refused.

They say what can be said without knowing the project: paths, accounts and templates are checked on `apply`. Each
is made of the table by which its documents are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.formats.paths import PATH_PATTERN
from schemas.payload import DEFAULT, FROM, VALUE
from streams.conditions.operands import SCALAR, SCALARS, SPAN
from streams.conditions.parse import CALENDARS, COUNTED, QUANTIFIERS
from streams.conditions.predicates import PREDICATES, TIME_TESTS, number_tests
from streams.documents.campaign import CAMPAIGN
from streams.documents.distribution_keys import DISTRIBUTION
from streams.documents.event_schema import EVENT_SCHEMA
from streams.documents.project import BRAND, PROJECT
from streams.documents.segment import MEMBERSHIP, SEGMENT

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string", "minLength": 1}
_PATH: dict[str, Any] = {"type": "string", "pattern": f"^{PATH_PATTERN}$"}


def definition_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    return {
        "$schema": _DIALECT,
        "title": "Distribution",
        **DISTRIBUTION.schema(),
        "$defs": {**_conditions(), "body": _body()},
    }


def campaign_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    return {"$schema": _DIALECT, "title": "Campaign", **CAMPAIGN.schema()}


def segment_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    return {
        "$schema": _DIALECT,
        "title": "Segment",
        **SEGMENT.schema(),
        "oneOf": [{"required": [name]} for name in MEMBERSHIP],
        "$defs": {**_conditions(), "of_customers": _condition("of_customers", events=_events())},
    }


def project_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    return {
        "$schema": _DIALECT,
        "title": "Project",
        **PROJECT.schema(),
        "$defs": _conditions(),
    }


def brand_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    return {"$schema": _DIALECT, "title": "Brand", **BRAND.schema()}


def event_schema_schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    return {"$schema": _DIALECT, "title": "Event schema", **EVENT_SCHEMA.schema()}


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "distribution": definition_schema,
    "campaign": campaign_schema,
    "segment": segment_schema,
    "project": project_schema,
    "brand": brand_schema,
    "event-schema": event_schema_schema,
}
"""By the kind of document."""


def _conditions() -> dict[str, Any]:
    return {"condition": _condition(), "tests": _tests()}


def _body() -> dict[str, Any]:
    """A part of a webhook's payload: a value of the event, one of its look-alikes in {value: …}, or static."""
    part = {"$ref": "#/$defs/body"}
    parts = {"type": "object", "additionalProperties": part}
    escape = {"required": [VALUE], "maxProperties": 1}
    escaped = _closed({VALUE: {**parts, "anyOf": [{"required": [FROM]}, escape]}}, required=(VALUE,))
    return {
        "oneOf": [
            _closed({FROM: _PATH, DEFAULT: True}, required=(FROM,)),
            escaped,
            {**parts, "not": {"anyOf": [{"required": [FROM]}, escape]}},
            {"type": "array", "items": part},
            {"type": ["string", "number", "boolean", "null"]},
        ]
    }


def _condition(name: str = "condition", **more: dict[str, Any]) -> dict[str, Any]:
    inner = {"$ref": f"#/$defs/{name}"}
    group = {"type": "array", "minItems": 1, "items": inner}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {"all": group, "any": group, "not": inner, **more},
        "additionalProperties": {"oneOf": [SCALAR.schema, SCALARS.schema, {"$ref": "#/$defs/tests"}]},
    }


def _events() -> dict[str, Any]:
    """A term on what a customer did."""
    number = {name: operand.schema for name, operand in number_tests().items()}
    count = {"oneOf": [{"type": "number"}, {**_closed(number, required=()), "minProperties": 1}]}
    time = {**_closed({name: PREDICATES[name].operand.schema for name in TIME_TESTS}, required=()), "minProperties": 1}
    total = {**_closed({"of": _TEXT, **number}, required=("of",)), "minProperties": 2}
    within = {"anyOf": [SPAN.schema, {"enum": list(CALENDARS)}]}
    kept = {"type": {"enum": list(COUNTED)}, "when": {"$ref": "#/$defs/condition"}, "within": within}
    made = {"count": count, "sum": total, "first": time, "last": time}
    return {**_closed({**kept, **made}, required=("type",)), "anyOf": [{"required": [name]} for name in made]}


def _tests() -> dict[str, Any]:
    tests = {name: test.operand.schema for name, test in PREDICATES.items()}
    items: dict[str, Any] = {name: {"$ref": "#/$defs/condition"} for name in QUANTIFIERS}
    number = {name: operand.schema for name, operand in number_tests().items()}
    where = {"where": {"$ref": "#/$defs/condition"}}
    count = _closed({**where, **number}, required=()) | {"anyOf": [{"required": [name]} for name in number]}
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
