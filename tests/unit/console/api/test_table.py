"""The table of routes keeps the manners that every route has."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from console.api.openapi import description
from console.api.reading import read_parameters
from console.api.route import API, CsvBody, Route
from console.api.table import ROUTES
from tests.json_schema import is_valid

ALL = pytest.mark.parametrize("route", ROUTES, ids=lambda one: one.name)
DESCRIBED: dict[str, Any] = json.loads(description())


def test_no_two_routes_have_one_place_or_one_name() -> None:
    assert len({(one.method, one.path) for one in ROUTES}) == len({one.name for one in ROUTES}) == len(ROUTES)


@ALL
def test_the_parameters_of_a_path_are_those_that_it_declares(route: Route) -> None:
    declared = [field.encode_name for field in msgspec.structs.fields(route.path_type)]
    assert re.findall(r"{(\w+)}", route.path) == declared == list(route.path_example)
    read_parameters(route.path_type, {name: str(value) for name, value in route.path_example.items()})


@ALL
def test_every_change_can_be_tried(route: Route) -> None:
    names = [field.encode_name for field in msgspec.structs.fields(route.query_type)]
    assert ("dry_run" in names) or not route.writes


@ALL
def test_every_list_is_bounded(route: Route) -> None:
    lists = any("items" in getattr(kind, "__struct_fields__", ()) for kind in route.replies.values())
    names = [field.encode_name for field in msgspec.structs.fields(route.query_type)]
    assert {"limit", "cursor"} <= set(names) or not lists


@ALL
def test_a_route_is_described(route: Route) -> None:
    operation = DESCRIBED["paths"][API + route.path][route.method.lower()]
    assert operation["operationId"] == route.name
    assert {str(status) for status in route.replies} <= set(operation["responses"])
    assert route.permission in operation["description"]


def test_a_parameter_that_may_be_left_out_keeps_its_description() -> None:
    described = {one["name"]: one for one in DESCRIBED["paths"][f"{API}/holds"]["get"]["parameters"]}
    assert described["customer"]["description"] == "For this customer."
    assert described["customer"]["schema"] == {"type": "string", "minLength": 1, "maxLength": 256}


def test_every_reference_of_the_description_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": "([^"]+)"', description()))
    assert len(references) > 10
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in DESCRIBED["components"]["schemas"], reference


@ALL
def test_the_example_of_a_body_fits_its_schema(route: Route) -> None:
    if route.body is None:
        return
    local = json.loads(description().replace("#/components/schemas/", "#/$defs/"))
    contents = local["paths"][API + route.path][route.method.lower()]["requestBody"]["content"]
    kinds = ["text/csv"] if isinstance(route.body, CsvBody) else ["application/json"]
    if isinstance(route.body, CsvBody) and route.body.or_json:
        kinds.append("application/x-ndjson")
    assert list(contents) == kinds
    content = contents[kinds[0]]
    assert content["example"] == route.body_example
    assert is_valid(route.body_example, {**content["schema"], "$defs": local["components"]["schemas"]})
