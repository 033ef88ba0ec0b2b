"""A value of another kind is an error, never "not equal"; a blank one is missing; and no event is lost for one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.contract import topic_codec
from schemas.decision import Check
from schemas.events.triggers import TRIGGERS
from schemas.formats.paths import path_text, read_path
from streams.conditions.answer import Failure
from streams.conditions.compile import PLAIN
from streams.conditions.fields import Fields
from streams.conditions.parse import parse_condition
from streams.event_context import EventContext, LooseHead
from streams.events import EventReader, read_customer
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.factory import NOW, customer, order_event, rule

FIELDS = Fields.of(TRIGGERS["customer.order.paid"])
METADATA = "customer.metadata.x"
VALUES: dict[str, tuple[Any, ...]] = {
    "a text": ("42", "true", "PL", "2026-11-20"),
    "a number": (42, 0.5, 0),
    "true or false": (True, False),
    "a list": (["42"], [42]),
    "an object": ({"a": 1},),
}
TESTS: dict[str, tuple[dict[str, Any], ...]] = {
    "a text": (
        {"is": "PL"}, {"is_not": "PL"}, {"in": ["PL", "DE"]}, {"not_in": ["PL", "DE"]}, {"is_any_case": "pl"},
        {"in_any_case": ["pl"]}, {"starts_with": "P"}, {"ends_with": "L"}, {"starts_with_any_case": "p"},
        {"ends_with_any_case": "l"}, {"contains_any_case": "p"}, {"matches": "P"},
    ),
    "a number": (
        {"is": 42}, {"is_not": 42}, {"in": [42, 43]}, {"not_in": [42, 43]}, {"at_least": 1}, {"at_most": 1},
        {"more_than": 1}, {"less_than": 1}, {"between": [1, 2]},
    ),
    "true or false": ({"is": True}, {"is_not": True}, {"in": [True]}, {"not_in": [True]}),
    "a list": ({"any_item": {"a": 1}}, {"every_item": {"a": 1}}, {"no_item": {"a": 1}}, {"count": 1},
               {"sum": {"of": "a", "at_least": 1}}),
}  # fmt: skip
OTHERS = [
    (test, value)
    for kind, tests in TESTS.items()
    for test in tests
    for other, values in VALUES.items()
    if other != kind
    for value in values
]
WRAPPED = (
    lambda one: one,
    lambda one: {"not": one},
    lambda one: {"all": [{"customer.id": "c1"}, one]},
    lambda one: {"any": [{"customer.id": "c2"}, one]},
    lambda one: {"not": {"any": [{"customer.id": "c2"}, one]}},
)


JSON = topic_codec("events.orders", "json")
READER = EventReader("events.orders", JSON, max_future=timedelta(days=1), max_bytes=1_000_000, default_project="shop")


def arrived(data: dict[str, Any], profile: dict[str, Any] | None = None) -> EventContext:
    """As the matcher takes it: bytes in, and the row of the customer table where there is one."""
    raw = msgspec.json.encode(order_event(data=data))
    head = READER.read(raw, data["customer"]["id"].encode(), NOW)
    return EventContext(head, raw, READER.decode, None if profile is None else msgspec.json.encode(profile))


def decided(when: dict[str, Any], happened: EventContext) -> str | None:
    """`sent`, the reason of the decision, or None where there is no match."""
    index = RuleIndex()
    index.insert(rule(when=when))
    matched = match_event(happened, index, NOW)
    return "sent" if matched.deliveries else matched.decisions[0].reason if matched.decisions else None


def order(**fields: Any) -> dict[str, Any]:
    return {"id": "o1", **fields}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_another_kind_is_an_error_whatever_stands_around_it(wrap: Any) -> None:
    for test, value in OTHERS:
        happened = arrived({"customer": customer(metadata={"x": value}), "order": order()})
        assert decided(wrap({METADATA: test}), happened) == "rule_error", (test, value)


@pytest.mark.parametrize(
    ("test", "value"),
    [
        ({"contains": "1"}, [1, 2]),
        ({"contains": 1}, ["1"]),
        ({"contains": 1}, "1 apple"),
        ({"contains": True}, [1]),
        ({"any_item": {"a": 1}}, ["a"]),
        ({"no_item": {"a": 1}}, [{"a": "1"}]),
        ({"every_item": {"a": 1}}, [{"a": "1"}, {"a": 1}]),
        ({"count": {"where": {"a": {"is_not": 1}}, "is": 1}}, [{"a": "1"}]),
        ({"sum": {"of": "a", "at_least": 1}}, [{"a": "1"}]),
        ({"before": "now"}, 1750000000),
        ({"within_last": "30d"}, "26.01.2026"),
        ({"day_is": "today"}, ["2026-11-20"]),
    ],
)
def test_another_kind_inside_is_one_as_well(test: dict[str, Any], value: Any) -> None:
    happened = arrived({"customer": customer(metadata={"x": value}), "order": order()})
    assert decided({METADATA: test}, happened) == decided({"not": {METADATA: test}}, happened) == "rule_error"


@pytest.mark.parametrize("blank", ["", "  ", "\u00a0", "\u200b"])
@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"is_set": True}, False),
        ({"is_set": False}, True),
        ({"is": 42}, False),
        ({"is_not": 42}, True),
        ({"not_in": [42]}, True),
        ({"is": True}, False),
        ({"at_least": 0}, False),
        ({"day_is": "today"}, False),
        ({"before": "now"}, False),
        ({"any_item": {"a": 1}}, False),
        ({"no_item": {"a": 1}}, True),
        ({"count": 0}, True),
        ({"sum": {"of": "a", "is": 0}}, True),
        ({"is_not": "PL"}, True),
        ({"starts_with": "P"}, False),
        ({"matches": "^\\W*$"}, True),
    ],
)
def test_a_blank_text_is_missing_but_for_tests_of_texts(blank: str, test: dict[str, Any], expected: bool) -> None:
    for value in (blank, None) if "matches" not in test else (blank,):
        happened = arrived({"customer": customer(metadata={"x": value}), "order": order()})
        assert decided({METADATA: test}, happened) == ("sent" if expected else None)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"order.id": {"is": 1001}}, 'as order.id is one. In quotes it is a text: "1001"'),
        ({"order.id": {"is_not": 1001}}, "must be a text"),
        ({"order.id": 1001}, "must be a text"),
        ({"order.id": ["1001", 1002]}, "1002 (number) is not valid"),
        ({"order.id": {"not_in": [True]}}, "true (boolean) is not valid"),
        ({"order.amount": "1000"}, '"1000" (text) is not valid: must be a number, as order.amount is one'),
        ({"order.amount": {"in": ["1000"]}}, "must be a number"),
        ({"event.id": {"is_not": 5}}, "must be a text"),
        ({"customer.consents.marketing": "yes"}, None),
        ({"order.items": {"any_item": {"quantity": "2"}}}, 'must be a number, as quantity is one'),
        ({"order.items": {"any_item": {"quantity": {"at_least": 0.5}}}}, None),
        ({"order.items": {"contains": "GIFT"}}, "is a list of objects; any_item asks about them"),
        ({"customer.metadata.first": 1}, None),
        ({"customer.metadata.first": ["1", 2, True]}, None),
    ],
)  # fmt: skip
def test_the_kind_of_an_operand_is_checked_on_save(when: dict[str, Any], said: str | None) -> None:
    _, problems = parse_condition(when, FIELDS)
    assert len(problems) == (said is not None), problems
    assert said is None or said in problems[0].message


def test_the_index_finds_rules_that_demand_different_kinds_of_one_path() -> None:
    demands = {"text": "x", "other": "y", "number": 42, "flag": True, "mixed": ["x", 42]}
    index = RuleIndex()
    for name, wanted in demands.items():
        index.insert(rule(distribution=name, when={METADATA: wanted}))
    for gone in (None, "mixed", "number", "flag"):
        if gone:
            index.remove("shop", gone)
            demands.pop(gone)
        for value, can in (("x", ("text", "other", "mixed")), (42, ("number", "mixed")), (True, ("flag",))):
            matched = match_event(arrived({"customer": customer(metadata={"x": value}), "order": order()}), index, NOW)
            reasons = {one.distribution.id: one.reason for one in matched.decisions}
            wanted = {name: "rule_error" for name in demands if name not in can}
            fits = {name: None for name in demands if name in can and value in _listed(demands[name])}
            assert reasons == wanted | fits, value


def _listed(demand: Any) -> list[Any]:
    return demand if isinstance(demand, list) else [demand]


def test_what_an_earlier_release_saved_stays_and_fails() -> None:
    made = msgspec.structs.replace(rule(), when={"order.id": {"is_not": 1001}})
    index = RuleIndex()
    index.insert(made)
    (decision,) = match_event(arrived({"customer": customer(), "order": order()}), index, NOW).decisions
    assert decision.reason == "rule_error"
    assert decision.detail == 'order.id is_not 1001: needs a number, the value is "o1" (text)'


def test_kinds_are_shown_where_they_matter() -> None:
    source = {"all": [{METADATA: {"is": "42"}}, {"customer.metadata.y": {"is": 42}}, {"customer.name": "Jo"}]}
    condition, _ = parse_condition(source, FIELDS)
    assert condition
    seen: list[Check] = []
    PLAIN.compile(condition)({"customer": customer(metadata={"x": 42, "y": "42"})}, NOW, seen.append)
    assert [(check.test, check.passed, check.seen) for check in seen] == [
        ('customer.metadata.x is "42"', None, "42 (number)"),
        ("customer.metadata.y is 42", None, '"42" (text)'),
        ("customer.name is Jo", True, "Jo"),
    ]


# -- paths ----------------------------------------------------------------------------------------------------------

QUOTED = ('customer.metadata."first.order"', 'customer."metadata"."first.order"', '"customer".metadata."first.order"')


@pytest.mark.parametrize("path", QUOTED)
def test_a_quoted_key_is_read_alike_everywhere(path: str) -> None:
    happened = arrived({"customer": customer(metadata={"first.order": "yes"}), "order": order()})
    assert decided({path: "yes"}, happened) == "sent"
    assert decided({path: "no"}, happened) is None
    index = RuleIndex()
    index.insert(rule(again={"once_per": path}))
    assert len(match_event(happened, index, NOW).deliveries) == 1


@pytest.mark.parametrize("name", ["first.order", "a b", 'say "hi"', "größe", "x[0]", "back\\slash", "."])
def test_a_path_is_read_as_it_is_written(name: str) -> None:
    written = path_text(("customer", "metadata", name))
    assert read_path(written) == ("customer", "metadata", name)
    condition, problems = parse_condition({written: "yes"}, FIELDS)
    assert condition, problems
    assert str(condition) == f"{written} is yes"
    happened = arrived({"customer": customer(metadata={name: "yes"}), "order": order()})
    assert decided({written: "yes"}, happened) == "sent"


@pytest.mark.parametrize(
    "path", ["customer..name", ".customer", "customer.", 'customer."metadata', "order.items[0].id"]
)
def test_what_is_no_path_is_refused_with_what_would_be_one(path: str) -> None:
    (problem,) = parse_condition({path: "x"}, FIELDS)[1]
    assert "any_item" in problem.message or "as in customer.id" in problem.message


# -- events and profiles whose fields are of other kinds ------------------------------------------------------------

ITEMS = [{"sku_id": "CHEESE", "quantity": 0.5, "price": 2000.0, "amount": 1000}]
ODD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a fraction": ({}, {"items": ITEMS}),
    "a fraction of money": ({}, {"amount": 49.99}),
    "a number as text": ({}, {"amount": "5000"}),
    "a number as id": ({}, {"id": 1001}),
    "no id": ({}, {"id": None}),
    "a text as list": ({}, {"items": "none"}),
    "a text among items": ({}, {"items": ["GIFT"]}),
    "a text as metadata": ({}, {"metadata": "none"}),
    "a list as metadata": ({}, {"metadata": ["a"]}),
    "a number as date": ({"birthday": 19901120}, {"created_at": 1750000000}),
    "a text as address": ({"address": "Main street"}, {}),
    "a number as name": ({"name": 5, "locale": False, "timezone": 1, "phone": 48600100200}, {}),
    "consents as texts": ({"consents": {"marketing": True, "loyalty": "yes"}}, {}),
}


@pytest.mark.parametrize(("profile", "fields"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("is_row", [False, True])
def test_an_event_is_not_lost_for_a_field_that_no_rule_reads(
    profile: dict[str, Any], fields: dict[str, Any], is_row: bool
) -> None:
    who = customer(**profile)
    row = read_customer(who, b"c1", "shop") if is_row else None
    happened = arrived({"customer": customer() if is_row else who, "order": order(**fields)}, row)
    assert decided({"order.status": {"is_not": "CANCELED"}}, happened) == "sent"
    assert decided({"customer.email": "jo@example.com"}, happened) == "sent"


@pytest.mark.parametrize(
    ("profile", "fields", "when"),
    [
        ({}, {"amount": "5000"}, {"order.amount": {"less_than": 1}}),
        ({}, {"id": 1001}, {"order.id": {"is_not": "1001"}}),
        ({}, {"items": "none"}, {"order.items": {"no_item": {"sku_id": "X"}}}),
        ({}, {"items": ["GIFT"]}, {"order.items": {"any_item": {"sku_id": "X"}}}),
        ({}, {"metadata": "none"}, {"order.metadata.shop": {"is_not": "web"}}),
        ({}, {"metadata": ["a"]}, {"order.metadata.shop": {"is_set": False}}),
        ({"address": "Main street"}, {}, {"customer.address.city": {"is_not": "Leeds"}}),
        ({"birthday": 19901120}, {}, {"customer.birthday": {"day_is": "today"}}),
        ({"name": 5}, {}, {"customer.name": "Jo"}),
        ({"consents": {"marketing": True, "loyalty": "yes"}}, {}, {"customer.consents.loyalty": {"is_not": True}}),
        ({"timezone": "Mars/Olympus", "birthday": "1990-11-20"}, {}, {"customer.birthday": {"day_is": "today"}}),
        ({"timezone": 7, "birthday": "1990-11-20"}, {}, {"customer.birthday": {"on": "today"}}),
    ],
)
@pytest.mark.parametrize("is_row", [False, True])
def test_a_rule_that_reads_it_fails(
    profile: dict[str, Any], fields: dict[str, Any], when: dict[str, Any], is_row: bool
) -> None:
    who = customer(**profile)
    row = read_customer(who, b"c1", "shop") if is_row else None
    happened = arrived({"customer": customer() if is_row else who, "order": order(**fields)}, row)
    assert decided(when, happened) == "rule_error"
    assert decided({"not": when}, happened) == "rule_error"


@pytest.mark.parametrize(
    ("fields", "name", "tidy"),
    [
        ({"amount": 5000.0}, "amount", 5000),
        ({"items": None}, "items", None),
        ({"items": {}}, "items", []),
        ({"metadata": None}, "metadata", None),
        ({"metadata": []}, "metadata", {}),
        ({"items": [{"quantity": 2.0, "metadata": [], "amount": 1.0}]}, "items",
         [{"quantity": 2, "metadata": {}, "amount": 1}]),
        ({"items": [{"quantity": 0.5}]}, "items", [{"quantity": 0.5}]),
        ({"items": [{"quantity": 2.0}, {"quantity": 0.5}]}, "items", [{"quantity": 2}, {"quantity": 0.5}]),
    ],
)  # fmt: skip
def test_what_means_the_same_is_made_the_same(fields: dict[str, Any], name: str, tidy: Any) -> None:
    plain = arrived({"customer": customer(), "order": order(**fields)}).facts["order"].get(name)
    happened = arrived({"customer": customer(metadata=None, address=[], consents=[]), "order": order(**fields)})
    found = happened.facts["order"].get(name)
    assert msgspec.json.encode(plain) == msgspec.json.encode(found)
    assert (found, type(found)) == (tidy, type(tidy))
    assert msgspec.json.encode(found) == msgspec.json.encode(tidy)
    assert decided({"order.metadata.shop": {"is_set": True}}, happened) in (None, "consent")


def test_fractions_of_quantities_need_no_closer_look() -> None:
    happened = arrived({"customer": customer(), "order": order(items=[{"quantity": 0.5}, {"quantity": 2}])})
    assert not isinstance(happened.head, LooseHead)
    assert decided({"order.items": {"sum": {"of": "quantity", "is": 2.5}}}, happened) == "sent"


@pytest.mark.parametrize("consents", ["all", ["marketing"], {"marketing": "true"}, {"marketing": 1}, 5, [], None, ""])
def test_consent_is_true_and_nothing_else(consents: Any) -> None:
    who = customer(consents=consents)
    happened = arrived({"customer": customer(), "order": order()}, read_customer(who, b"c1", "shop"))
    index = RuleIndex()
    index.insert(rule())
    (decision,) = match_event(happened, index, NOW).decisions
    assert decision.reason == "consent"


def test_a_withdrawn_consent_gets_through_beside_fields_of_other_kinds() -> None:
    who = customer(consents={"marketing": False}, birthday=19901120, address="x", metadata=["a"], phone=1)
    row = read_customer(who, b"c1", "shop")
    codec = topic_codec("customers", "avro")
    assert codec.decode(codec.encode(row)) == row
    index = RuleIndex()
    index.insert(rule())
    (decision,) = match_event(arrived({"customer": customer(), "order": order()}, row), index, NOW).decisions
    assert (decision.reason, decision.detail) == ("consent", "marketing: withdrawn")


@pytest.mark.parametrize(("profile", "fields"), [one for one in ODD.values() if "id" not in one[1]])
def test_avro_keeps_what_its_types_do_not_have(profile: dict[str, Any], fields: dict[str, Any]) -> None:
    codec = topic_codec("events.orders", "avro")
    sent = order_event(data={"customer": customer(**profile), "order": order(**fields)})
    sent["created_at"] = NOW
    raw = codec.encode(sent)
    read = codec.decode(raw)["data"]
    assert {name: read["customer"][name] for name in customer(**profile)} == customer(**profile)
    for name, value in fields.items():
        found = read["order"][name]
        assert found == value or (value is ITEMS and found[0].items() >= {**ITEMS[0], "price": 2000}.items())
    reader = EventReader(
        "events.orders", codec, max_future=timedelta(days=1), max_bytes=1_000_000, default_project="shop"
    )
    happened = EventContext(reader.read(raw, b"c1", NOW), raw, reader.decode)
    if fields.get("amount"):
        expected = "rule_error" if isinstance(fields["amount"], str) else None
        assert decided({"order.amount": {"more_than": 10**6}}, happened) == expected


def test_an_error_says_which_value_and_which_kinds() -> None:
    failure = PLAIN.compile(parse_condition({METADATA: {"at_least": 40}}, FIELDS)[0])(  # type: ignore[arg-type]
        {"customer": {"metadata": {"x": "42"}}}, NOW
    )
    assert failure == Failure('customer.metadata.x at_least 40: needs a number, the value is "42" (text)')
