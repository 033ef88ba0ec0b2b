"""The designed body of a webhook: what may be written, what comes out, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.payload import render_payload
from schemas.errors import DefinitionInvalid, RenderRefused
from schemas.events.triggers import TRIGGERS
from schemas.formats.blank import is_blank
from schemas.formats.paths import path_text, read_path
from streams.channels.payload import MAX_ATTRIBUTES, MAX_DEPTH, MAX_NODES, Design, payload_fields, read_design
from streams.channels.webhook import WEBHOOK
from streams.documents.distribution import parse_definition
from streams.documents.distribution_kinds import keys_of
from streams.documents.json_schema import definition_schema
from tests.factory import CONTEXT, definition

ORDER_PAID = TRIGGERS["customer.order.paid"]
FIELDS = payload_fields(ORDER_PAID, "message")
AT = "channels[0].webhook"
DATA: dict[str, Any] = ORDER_PAID.sample()["data"]
FIRST, SECOND = DATA["order"]["items"]


def designed(**body: Any) -> Design:
    design, problems = read_design(body, FIELDS, AT)
    assert problems == ()
    return design


def rendered(payload: Any, data: dict[str, Any] = DATA) -> Any:
    made = designed(payload=payload).payload
    assert made is not None
    return render_payload(made, data)


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


# -- what comes out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"id": {"from": "customer.id"}}, {"id": "cust_17"}),
        ({"amount": {"from": "order.amount"}}, {"amount": 12000}),
        ({"sku": {"from": "order.items[0].sku_id"}}, {"sku": "SHOE-42"}),
        ({"second": {"from": "order.items[1]"}}, {"second": SECOND}),
        ({"items": {"from": "order.items"}}, {"items": [FIRST, SECOND]}),
        ({"all": {"from": "customer.metadata"}}, {"all": {"country": "PL", "lifetime_value": 48210}}),
        ({"country": {"from": "customer.metadata.country"}}, {"country": "PL"}),
        ({"given": {"from": "customer.consents.marketing"}}, {"given": True}),
        ({"source": "tidings", "n": 1, "f": 1.5, "no": None}, {"source": "tidings", "n": 1, "f": 1.5, "no": None}),
        ({"o": {"tags": ["a", {"from": "customer.locale"}], "b": True}}, {"o": {"tags": ["a", "pl-PL"], "b": True}}),
        ({"gone": {"from": "order.items[9].sku_id"}, "n": 1}, {"n": 1}),
        ({"gone": {"from": "customer.metadata.nothing"}}, {}),
        ({"gone": {"from": "customer.metadata.nothing", "default": "x"}}, {"gone": "x"}),
        ({"gone": {"from": "customer.metadata.nothing", "default": None}}, {"gone": None}),
        ({"gone": {"from": "customer.age", "default": {"from": [{"value": 1}]}}}, {"gone": {"from": [{"value": 1}]}}),
        ({"there": {"from": "order.amount", "default": 0}}, {"there": 12000}),
        ({"list": ["a", {"from": "customer.metadata.nothing"}]}, {"list": ["a"]}),
        ({"list": [{"from": "customer.metadata.nothing"}]}, {"list": []}),
        ({"o": {"p": {"gone": {"from": "customer.metadata.nothing"}}}, "empty": {}}, {"empty": {}}),
        ({"o": {"value": {"from": "The Shop"}}}, {"o": {"from": "The Shop"}}),
        ({"o": {"value": {"from": {"from": "customer.id"}, "to": 1}}}, {"o": {"from": "cust_17", "to": 1}}),
        ({"o": {"value": {"value": {"from": "order.amount"}}}}, {"o": {"value": 12000}}),
        ({"value": {"value": 5}}, {"value": 5}),
        ({"value": {"from": "a", "to": "b"}}, {"from": "a", "to": "b"}),
        ({"price": {"value": 5, "currency": "PLN"}}, {"price": {"value": 5, "currency": "PLN"}}),
        ({"a b": {"c.d": {"from": "customer.id"}}, "": 1}, {"a b": {"c.d": "cust_17"}, "": 1}),
    ],
)  # fmt: skip
def test_a_payload_becomes_a_body(payload: Any, body: Any) -> None:
    assert json.dumps(rendered(payload)) == json.dumps(body)


def test_a_null_is_absent() -> None:
    assert rendered({"name": {"from": "customer.name", "default": "you"}}, {"customer": {"name": None}}) == {
        "name": "you"
    }


def test_a_blank_text_is_absent_where_a_default_is_there() -> None:
    payload = {"name": {"from": "customer.name", "default": "there"}, "phone": {"from": "customer.phone"}}
    data = {"customer": {"name": " \u200b", "phone": ""}}
    assert rendered(payload, data) == {"name": "there", "phone": ""}


def test_names_with_dots_are_written_in_quotes() -> None:
    data = {"customer": {"metadata": {"first.order": [{"a[b": 7}]}}}
    assert rendered({"x": {"from": 'customer.metadata."first.order"[0]."a[b"'}}, data) == {"x": 7}


@pytest.mark.parametrize(
    ("attributes", "body"),
    [
        (["customer.id", "order.amount"], {"customer": {"id": "cust_17"}, "order": {"amount": 12000}}),
        (["order.metadata"], {"order": {"metadata": {"shop": "web"}}}),
        (["customer.metadata.country", "customer.id"], {"customer": {"metadata": {"country": "PL"}, "id": "cust_17"}}),
        (["customer.metadata.nothing", "order.id"], {"order": {"id": "ord_1"}}),
        (["order.items"], {"order": {"items": [FIRST, SECOND]}}),
    ],
)
def test_chosen_attributes_stand_where_they_stand_in_the_event(attributes: list[str], body: Any) -> None:
    payload = designed(attributes=attributes).payload
    assert payload is not None
    assert json.dumps(render_payload(payload, DATA)) == json.dumps(body)
    assert read_design({"payload": payload}, FIELDS, AT) == (Design(payload), ())


@pytest.mark.parametrize("name", ["from", "value"])
def test_an_attribute_may_have_the_name_of_a_form(name: str) -> None:
    payload = designed(attributes=[f"customer.metadata.{name}"]).payload
    assert payload is not None
    data = {"customer": {"metadata": {name: 3}}}
    assert render_payload(payload, data) == data


def test_big_numbers_and_fractions_keep_every_digit() -> None:
    data = msgspec.json.decode(b'{"order":{"amount":9007199254740993,"metadata":{"rate":0.1,"huge":1e300}}}')
    body = rendered({"a": {"from": "order.amount"}, "m": {"from": "order.metadata"}}, data)
    assert msgspec.json.encode(body) == b'{"a":9007199254740993,"m":{"rate":0.1,"huge":1e300}}'


def test_a_payload_that_was_never_checked_is_refused() -> None:
    with pytest.raises(RenderRefused, match="is a path, as in") as caught:
        render_payload({"a": {"from": "..."}}, DATA)
    assert caught.value.reason == "template_error"


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        ({"payload": [1]}, "payload", "is a mapping of the names in the body"),
        ({"payload": {"from": "order"}}, "payload", "give the value a name"),
        ({"payload": {"a": {"from": "custmer.id"}}}, "payload.a.from", 'Did you mean "customer"?'),
        ({"payload": {"a": {"from": "order.amonut"}}}, "payload.a.from", 'Did you mean "order.amount"?'),
        ({"payload": {"a": {"from": "order.items[0].sku_di"}}}, "payload.a.from", 'Did you mean "sku_id"?'),
        ({"payload": {"a": {"from": "order.items.sku_id"}}}, "payload.a.from", "as in order.items[0].sku_id"),
        ({"payload": {"a": {"from": "order.amount[0]"}}}, "payload.a.from", "order.amount is no list but a number"),
        ({"payload": {"a": {"from": "order.metadata[0]"}}}, "payload.a.from", "is no list but an object"),
        ({"payload": {"a": {"from": "order.id.x"}}}, "payload.a.from", "order.id is a text and has nothing inside"),
        ({"payload": {"a": {"from": "voucher.code"}}}, "payload.a.from", "There are: "),
        ({"payload": {"a": {"from": "order..id"}}}, "payload.a.from", "is a path, as in"),
        ({"payload": {"a": {"from": "order.items[-1]"}}}, "payload.a.from", "is a path, as in"),
        ({"payload": {"a": {"from": 5}}}, "payload.a.from", "is a path, as in"),
        ({"payload": {"a": {"from": None}}}, "payload.a.from", "is a path, as in"),
        ({"payload": {"a": {"from": "order.metadata" + ".x" * 70}}}, "payload.a.from", "at most 64"),
        ({"payload": {"a": {"from": "order.id", "defualt": 1}}}, "payload.a.defualt", 'Did you mean "default"?'),
        ({"payload": {"a": {"from": "order.id", "to": 1}}}, "payload.a.to", "{value: {from: …}}"),
        ({"payload": {"a": {"value": 5}}}, "payload.a", "For a static value write it alone"),
        ({"payload": {"a": {"value": {"b": 5}}}}, "payload.a", "{value: {value: …}}"),
        ({"payload": {"a": [1, {"b c": {"from": "x"}}]}}, 'payload.a[1]."b c".from', "there is no x here"),
        ({"payload": {"a": float("nan")}}, "payload.a", "is no value of JSON"),
        ({"payload": {"a": b"x"}}, "payload.a", "is no value of JSON"),
        ({"payload": {"a": "\ud800"}}, "payload", "not valid Unicode"),
        ({"payload": {"a": 10**5000}}, "payload", "thousands of digits"),
        ({"payload": {"a": "x" * 20_000}}, "payload", "at most 16384"),
        ({"payload": {"a": list(range(MAX_NODES))}}, f"payload.a[{MAX_NODES - 2}]", f"at most {MAX_NODES}"),
        ({"payload": nested(MAX_DEPTH + 1)}, "payload" + ".a" * (MAX_DEPTH + 1), "nested deeper than"),
        ({"payload": {}, "attributes": ["order.id"]}, "attributes", "write one or the other"),
        ({"attributes": []}, "attributes", "is a list of 1 to 100 paths"),
        ({"attributes": "order.id"}, "attributes", "is a list of 1 to 100 paths"),
        ({"attributes": ["order.metadata.x"] * (MAX_ATTRIBUTES + 1)}, "attributes", "is a list of 1 to 100 paths"),
        ({"attributes": ["ordr.id"]}, "attributes[0]", 'Did you mean "order"?'),
        ({"attributes": ["order", "order.id"]}, "attributes[1]", "order.id stands in order already"),
        ({"attributes": ["order.id", "order"]}, "attributes[1]", "of which parts are chosen"),
        ({"attributes": ["order.id", "order.id"]}, "attributes[1]", "order.id stands in order.id already"),
        ({"attributes": ["order.items[0].price"]}, "attributes[0]", "choose the list, or write a payload"),
        ({"envelope": "no"}, "envelope", "is true, or false"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(body: dict[str, Any], path: str, said: str) -> None:
    _, (problem,) = read_design(body, FIELDS, AT)
    assert problem.path == f"{AT}.{path}"
    assert said in problem.message


def test_every_problem_is_found_at_once() -> None:
    _, problems = read_design({"payload": {"a": {"from": "x"}, "b": {"from": "y"}}, "envelope": 1}, FIELDS, AT)
    assert [problem.path.removeprefix(AT) for problem in problems] == [
        ".payload.a.from",
        ".payload.b.from",
        ".envelope",
    ]


def test_a_distribution_carries_its_design_and_is_refused_for_a_wrong_one() -> None:
    webhook = {"url": "https://x.example.com", "type": "t", "payload": {"id": {"from": "order.id"}}, "envelope": False}
    (plan,) = parse_definition(definition(channels=[{"webhook": webhook}]), CONTEXT).distribution.channels
    assert (plan.payload, plan.envelope) == ({"id": {"from": "order.id"}}, False)  # type: ignore[union-attr]
    webhook["payload"] = {"id": {"from": "ordr.id"}}
    with pytest.raises(DefinitionInvalid, match='Did you mean "order'):
        parse_definition(definition(channels=[{"webhook": webhook}]), CONTEXT)


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("publish", "voucher.code"),
        ("publish", "publication.id"),
        ("publish", "campaign.name"),
        ("promote", "promotion_tier.banner"),
        ("promote", "campaign.name"),
        ("message", "event.created_at"),
        ("message", "delivery_id"),
        ("message", "distribution.version"),
    ],
)
def test_what_an_action_brings_may_be_named(action: Any, path: str) -> None:
    _, problems = read_design({"payload": {"a": {"from": path}}}, payload_fields(ORDER_PAID, action), AT)
    assert problems == ()


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_every_object_of_a_sample_may_be_named_and_comes_out(trigger: Any) -> None:
    data = trigger.sample()["data"]
    design, problems = read_design({"attributes": list(data)}, payload_fields(trigger, "message"), AT)
    assert problems == ()
    assert render_payload(design.payload or {}, data) == data


# -- laws ---------------------------------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(["from", "value", "default", "id", "items", "metadata", "a.b"]) | TEXTS
JSON = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
STEPS = st.lists(NAMES.filter(lambda name: name != "" and '"' not in name) | st.integers(0, 9999), max_size=4)
SLOTS = st.builds(
    lambda root, steps, more: {"from": path_text([root, *steps]), **more},
    st.sampled_from(["customer", "order", "nobody"]),
    STEPS,
    st.just({}) | st.builds(lambda value: {"default": value}, JSON),
)
PAYLOADS = st.dictionaries(
    NAMES,
    st.recursive(
        SLOTS | SCALARS | TEXTS,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(NAMES, inner, max_size=4)
            | st.builds(lambda value: {"value": {"from": value}}, inner)
        ),
        max_leaves=10,
    ),
    max_size=5,
)
EVENTS = st.dictionaries(st.sampled_from(["customer", "order"]), JSON)


def plainly(node: Any, data: Any) -> list[Any]:
    """The value of a part of a payload, by its definition: the value in a list, or nothing."""
    if isinstance(node, list):
        return [[value for item in node for value in plainly(item, data)]]
    if not isinstance(node, dict):
        return [node]
    if "from" in node:
        found = at_path(read_path(node["from"]), data)
        is_missing = found is None or ("default" in node and isinstance(found, str) and is_blank(found))
        return [found] if not is_missing else [node["default"]] if "default" in node else []
    members = node["value"] if list(node) == ["value"] else node
    made = {name: value for name, item in members.items() for value in plainly(item, data)}
    return [made] if made or not any(map(is_dynamic_somewhere, members.values())) else []


def at_path(steps: Any, value: Any) -> Any:
    for step in steps:
        fits = isinstance(value, list) and step < len(value) if isinstance(step, int) else isinstance(value, dict)
        value = (value[step] if isinstance(step, int) else value.get(step)) if fits else None
    return value


def is_dynamic_somewhere(node: Any) -> bool:
    if isinstance(node, dict):
        return "from" in node or any(
            is_dynamic_somewhere(item) for item in (node["value"] if list(node) == ["value"] else node).values()
        )
    return isinstance(node, list) and any(map(is_dynamic_somewhere, node))


@example({"": {"value": {"value": {"from": "gone"}}}}, {})  # an object whose own name is value, and which is left empty
@example({"a": {"from": "order", "default": None}}, {"order": ""})  # a default stands for a blank text
@given(PAYLOADS, EVENTS)
def test_a_valid_payload_over_any_event_is_what_its_definition_says_and_the_same_each_time(
    payload: Any, data: dict[str, Any]
) -> None:
    design, problems = read_design({"payload": payload}, None, AT)
    if problems:
        return
    kept = msgspec.json.decode(msgspec.json.encode(design.payload))
    before = msgspec.json.encode(data)
    assert kept == design.payload
    body = msgspec.json.encode(render_payload(kept, data))
    assert body == msgspec.json.encode((plainly(kept, data) or [{}])[0])
    assert msgspec.json.encode(render_payload(kept, msgspec.json.decode(before))) == body
    assert msgspec.json.encode(data) == before


@given(JSON)
def test_whatever_is_written_is_read_or_refused(source: Any) -> None:
    for key in ("payload", "attributes", "envelope"):
        design, problems = read_design({key: source}, FIELDS, AT)
        assert problems or design.payload is None or render_payload(design.payload, DATA) is not None


@given(STEPS)
def test_a_path_is_read_as_it_is_written(steps: list[Any]) -> None:
    assert read_path(path_text(["customer", *steps])) == ("customer", *steps)


def test_the_schema_names_every_key() -> None:
    channels = definition_schema()["properties"]["channels"]["items"]["oneOf"]
    (webhook,) = (one for one in channels if "webhook" in one["properties"])
    assert set(webhook["properties"]["webhook"]["properties"]) == set(keys_of(WEBHOOK).keys)
