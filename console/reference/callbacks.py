"""The calls that providers make, as OpenAPI 3.1."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from channels.status_calls import BOUNCES, JSON_TYPE, LONGEST_ID, MOST_EVENTS, OUTCOMES
from channels.webhook.signing import TOLERANCE
from console.control.callbacks import MOST_BYTES, RETRY_AFTER
from schemas.closed import CHANNELS

_ID = "[dD][lL][vV]_[0-9a-fA-F]{32}(?![0-9a-zA-Z])"
_OF_OTHERS = "^(?!.*[dD][lL][vV]_).+$"


def callbacks_description() -> str:
    """The description as it stands in the file."""
    return json.dumps(_document(), indent=2, ensure_ascii=False) + "\n"


def _document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Callbacks",
            "version": "1",
            "description": "What providers tell of messages that they took. Written from the code by"
            " `python -m console.reference`; callbacks.md says it in words.",
        },
        "paths": {"/callbacks/{project}/{channel}/{account}": {"post": _call()}},
        "components": {"schemas": {"Event": _event(), "Problem": _problem()}},
    }


def _call() -> dict[str, Any]:
    return {
        "operationId": "report",
        "parameters": [
            _parameter("project", "path", {"type": "string"}),
            _parameter("channel", "path", {"enum": list(CHANNELS)}),
            _parameter("account", "path", {"type": "string"}),
            _parameter("webhook-id", "header", {"type": "string", "minLength": 1}),
            _parameter(
                "webhook-timestamp",
                "header",
                {"type": "integer"},
                f"Unix seconds, at most {TOLERANCE.total_seconds():.0f} from ours.",
            ),
            _parameter(
                "webhook-signature",
                "header",
                {"type": "string"},
                "v1, and the base64 of HMAC-SHA256 over id.timestamp.body (Standard Webhooks 1.0), as in v1,K5oZfz…;"
                " several are separated by spaces.",
            ),
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {MOST_BYTES} bytes, not compressed.",
            "content": {JSON_TYPE: {"schema": _body()}, "message/rfc822": {"schema": {"type": "string"}}},
        },
        "responses": _responses(),
    }


def _parameter(name: str, place: str, schema: Mapping[str, Any], description: str = "") -> dict[str, Any]:
    said = {"description": description} if description else {}
    return {"name": name, "in": place, "required": True, **said, "schema": schema}


def _body() -> dict[str, Any]:
    event = {"$ref": "#/components/schemas/Event"}
    return {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": MOST_EVENTS}]}


def _event() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["delivery_id", "outcome"],
        "additionalProperties": False,
        "properties": {
            "delivery_id": {"type": "string", "pattern": f"{_ID}|{_OF_OTHERS}", "maxLength": LONGEST_ID},
            "outcome": {"enum": list(OUTCOMES)},
            "bounce": {"enum": list(BOUNCES)},
            "occurred_at": {"type": "string", "format": "date-time"},
            "detail": {"type": "string"},
        },
        "if": {"required": ["bounce"]},
        "then": {"properties": {"outcome": {"const": "bounced"}}},
    }


def _problem() -> dict[str, Any]:
    """Source: RFC 9457."""
    texts = {name: {"type": "string"} for name in ("pointer", "detail")}
    return {
        "type": "object",
        "required": ["title", "status", "detail"],
        "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": {"type": "object", "properties": texts}},
        },
    }


def _responses() -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    taken = {"type": "object", "required": ["received"], "properties": {"received": {"type": "integer"}}}
    refused = {
        "400": "Not valid; nothing of it was taken.",
        "401": "Not proven.",
        "408": "Too slow.",
        "413": "Too large.",
        "415": "Of another type, or compressed.",
        "503": f"Not kept; the same is taken later, after {math.ceil(RETRY_AFTER.total_seconds())} s say.",
    }
    return {
        "202": {"description": "Taken, all of it.", "content": {JSON_TYPE: {"schema": taken}}},
        **{status: {"description": said, "content": problem} for status, said in refused.items()},
    }
