"""The description of the API as OpenAPI 3.1, from the table of routes and the types that decode and answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from console.api.account_schemas import account_schemas
from console.api.bodies import CSV
from console.api.once import HEADER
from console.api.problems import MEANINGS, PROBLEM_JSON, Problem, ProblemKind
from console.api.route import (
    API,
    AccountBody,
    CsvBody,
    DocumentBody,
    EventsBody,
    Overriding,
    Paged,
    ProfilesBody,
    Route,
)
from console.api.table import ROUTES
from schemas.access import roles_with
from schemas.events.objects import Customer
from streams.documents.json_schema import SCHEMAS

_REF = "#/components/schemas/"
_JSON, _TEXT = "application/json", "text/plain"
_NOT_HTTP = "Not HTTP, or a longer line of it than 8,190 bytes (in plain text: no route was found yet)."
_ALWAYS: tuple[ProblemKind, ...] = (
    "unauthenticated", "forbidden", "invalid", "too_many_requests", "failed", "later",
)  # fmt: skip
_WITH_BODY: tuple[ProblemKind, ...] = ("unreadable", "too_slow", "too_large", "unsupported")


def description() -> str:
    """The description as it stands in the file, and is served."""
    return json.dumps(_document(), indent=1, ensure_ascii=False) + "\n"


def _document() -> dict[str, Any]:
    kinds = _types()
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF + "{name}")
    by_type = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(API + route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidings",
            "version": "1",
            "description": "Everything about distributions over HTTP. Written from the code by"
            " `python -m console.reference`, and served at `/api/v1/openapi.json`.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `tidings keys create`. One that begins with tdg_test_ may only dry-run.",
                }
            },
            "schemas": {**components, **account_schemas(), **_documents()},
        },
    }


def _types() -> list[Any]:
    found: list[Any] = [
        Problem,
        Customer,
        *(kind for route in ROUTES for kind in route.replies.values() if kind is not None),
    ]
    found += [route.body for route in ROUTES if isinstance(route.body, type)]
    return list(dict.fromkeys(found))


def _operation(route: Route, by_type: Mapping[Any, Any]) -> dict[str, Any]:
    body = {"requestBody": _request_body(route, by_type)} if route.body is not None else {}
    roles = ", ".join(roles_with(route.permission))
    return {
        "operationId": route.name,
        "tags": [route.path.split("/")[1]],
        "summary": route.summary,
        "description": f"Needs the permission `{route.permission}`, which these roles have: {roles}.",
        "parameters": [*_parameters(route)],
        **body,
        "responses": _responses(route, by_type),
    }


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    for place, kind in (("path", route.path_type), ("query", route.query_type)):
        for field in msgspec.structs.fields(kind):
            schema = dict(msgspec.json.schema(field.type))
            inner: dict[str, Any] = next((one for one in schema.get("anyOf", []) if one != {"type": "null"}), {})
            schema = {name: word for name, word in schema.items() if name != "anyOf"} | inner
            said = {"description": schema.pop("description")} if "description" in schema else {}
            if not field.required and field.default is not None:
                schema["default"] = field.default
            example = route.path_example.get(field.encode_name) if place == "path" else None
            tried = {} if example is None else {"example": example}
            yield {
                "name": field.encode_name, "in": place, "required": field.required, **said, "schema": schema, **tried,
            }  # fmt: skip
    if route.etag and route.writes:
        yield _header("If-Match", 'Do it only to this version, as in `"v3"`; else 412, which says what is different.')
    if route.etag and route.method == "PUT":
        yield _header("If-None-Match", "`*`: make it only where it is not there.")
    if route.etag and route.method == "GET":
        yield _header("If-None-Match", "Where it is in this version still, the reply is 304.")
    if route.method == "POST" and route.writes:
        yield _header(HEADER.title(), "The same request with the same key is done once; the reply is kept for a day.")


def _header(name: str, said: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": said, "schema": {"type": "string"}}


def _request_body(route: Route, by_type: Mapping[Any, Any]) -> dict[str, Any]:
    match route.body:
        case DocumentBody(kind=kind):
            schema: Any = {"$ref": f"{_REF}{kind.title()}Document"}
        case CsvBody(said=said):
            schema = {"type": "string", "description": said}
        case AccountBody():
            schema = {"anyOf": [{"$ref": _REF + name} for name in account_schemas()]}
        case EventsBody(most=most):
            event = {"type": "object"}
            schema = {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": most}]}
        case ProfilesBody(most=None):
            schema = by_type[Customer]
        case ProfilesBody(most=most):
            one = by_type[Customer]
            schema = {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": most}]}
        case kind:
            schema = by_type[kind]
    content = {"schema": schema} | ({"example": route.body_example} if route.body_example is not None else {})
    bound, contents = f"At most {route.most_bytes:,} bytes", {_JSON: content}
    if isinstance(route.body, CsvBody):
        bound = "As many bytes as `api.import_max_bytes` allows"
        contents = {one: content if one == CSV else {"schema": {"type": "string"}} for one in route.body.types}
    return {"required": True, "description": f"{bound}, not compressed.", "content": contents}


def _responses(route: Route, by_type: Mapping[Any, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for status, kind in route.replies.items():
        content = {} if kind is None else {"content": {_JSON: {"schema": by_type[kind]}}}
        said[str(status)] = {"description": "As it is already known." if kind is None else "Done.", **content}
    problem = {PROBLEM_JSON: {"schema": {"$ref": f"{_REF}Problem"}}}
    for kinds in _by_status(route).values():
        titles = "; ".join(f"{MEANINGS[kind].title} (`{kind}`)" for kind in kinds)
        said[str(MEANINGS[kinds[0]].status)] = {"description": f"{titles}.", "content": dict(problem)}
    unread = said.setdefault("400", {"description": "", "content": {}})
    unread["description"] = f"{unread['description']} {_NOT_HTTP}".strip()
    unread["content"][_TEXT] = {"schema": {"type": "string"}}
    return dict(sorted(said.items()))


def _by_status(route: Route) -> dict[int, list[ProblemKind]]:
    kinds: list[ProblemKind] = [*_ALWAYS, *(_WITH_BODY if route.body is not None else ())]
    if msgspec.structs.fields(route.path_type) or isinstance(route.body, type) or _asks_for_more(route):
        kinds.append("not_found")
    if route.writes:
        kinds += ["unreadable", "conflict"]
    if route.etag and route.writes:
        kinds.append("changed")
    if route.writes and route.method == "POST":
        kinds += ["in_flight", "key_reused"]
    found: dict[int, list[ProblemKind]] = {}
    for kind in sorted(dict.fromkeys(kinds), key=lambda one: MEANINGS[one].status):
        found.setdefault(MEANINGS[kind].status, []).append(kind)
    return found


def _asks_for_more(route: Route) -> bool:
    """True where a query says more than which page, and how to write: it may name something, as a body of ours may."""
    manners = {field.name for kind in (Paged, Overriding) for field in msgspec.structs.fields(kind)}
    return bool({field.name for field in msgspec.structs.fields(route.query_type)} - manners)


def _documents() -> dict[str, Any]:
    """The schemas of documents; what they define for themselves stands beside them, under names of its own."""
    made: dict[str, Any] = {}
    for kind in sorted({route.body.kind for route in ROUTES if isinstance(route.body, DocumentBody)}):
        name = f"{kind.title()}Document"
        schema = dict(SCHEMAS[kind]())
        defined = schema.pop("$defs", {})
        schema.pop("$schema")
        for inner, one in {"": schema, **defined}.items():
            made[name + inner.title().replace("_", "")] = _pointed(one, name)
    return made


def _pointed(schema: Any, name: str) -> Any:
    """A schema whose references lead to where its definitions stand."""
    if isinstance(schema, list):
        return [_pointed(one, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _pointed(one, name) for key, one in schema.items()}
    pointer = found.get("$ref")
    if isinstance(pointer, str):
        inner = pointer.removeprefix("#/$defs/") if pointer.startswith("#/$defs/") else ""
        found["$ref"] = _REF + name + inner.title().replace("_", "")
    return found
