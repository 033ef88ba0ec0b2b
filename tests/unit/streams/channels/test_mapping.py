"""Attributes of data transfers: what may be mapped, what comes out, what is refused and with which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from channels.codes.links import no_links
from channels.payload import payload_variables, render_attributes, render_payload, transfer_variables, with_worth
from channels.unsubscribe import OwnLinks
from schemas.channels.named_event import NamedEvent
from schemas.delivery import Delivery
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS
from schemas.formats.paths import PATH_PATTERN
from streams.channels.mapping import DEFAULTS, Attributes, Transfer
from streams.channels.payload import MAX_ATTRIBUTES, transfer_fields
from streams.channels.rules import PlanContext
from streams.conditions.fields import Fields
from streams.values.kinds import Group
from tests.factory import delivery

ORDER_PAID = TRIGGERS["customer.order.paid"]
FIELDS = transfer_fields(ORDER_PAID, "publish")
AT = "channels[0].toy"
VOUCHER: Any = OBJECTS["voucher"]
DATA: dict[str, Any] = {**ORDER_PAID.sample()["data"], "voucher": with_worth(VOUCHER)}
MERGE_TAGS = Attributes(
    name="[A-Z0-9_]{1,10}", named="a merge tag of at most 10 upper-case letters", defaults={"CODE": "voucher.code"}
)


def context(problems: list[str], fields: Fields | None = FIELDS) -> PlanContext:
    return PlanContext(
        at=AT,
        report=lambda at, said: problems.append(f"{at} {said}"),
        distribution="d",
        accounts=("main",),
        fields=None,
        transfer_fields=fields,
        templates={},
        stored_templates={},
        shipped_templates={},
        default_template=None,
        keep=lambda template, files: template,
    )


def read(written: Any, fields: Fields | None = FIELDS, kind: Attributes | None = None) -> tuple[Any, list[str]]:
    kind, problems = kind or Attributes(), list[str]()
    taken = kind.read(written, f"{AT}.attributes", lambda at, said: problems.append(f"{at} {said}"))
    payload = None if taken is None else kind.payload(taken, context(problems, fields))
    return payload, problems


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ({"last_code": "voucher.code"}, {"last_code": "SPRING-2026-osO"}),
        ({"n": 1, "f": 1.5, "yes": True, "no": False}, {"n": 1, "f": 1.5, "yes": True, "no": False}),
        ({"source": {"value": "spring"}}, {"source": "spring"}),
        ({"from": {"value": "spring"}}, {"from": "spring"}),
        ({"from": "voucher.code", "value": 1}, {"from": "SPRING-2026-osO", "value": 1}),
        ({"value": "voucher.code"}, {"value": "SPRING-2026-osO"}),
        ({"o": {"value": {"from": {"from": 1}, "to": {"value": 2}}}}, {"o": {"from": {"from": 1}, "to": {"value": 2}}}),
        ({"l": {"value": [{"value": 1}, "b"]}}, {"l": [{"value": 1}, "b"]}),
        ({"gone": "customer.metadata.nothing"}, {}),
        ({"gone": {"from": "customer.metadata.nothing", "default": "x"}}, {"gone": "x"}),
        ({"gone": {"from": "customer.metadata.nothing", "default": {"from": 1}}}, {"gone": {"from": 1}}),
        ({"date": "publication.created_at", "d": "distribution.name", "id": "delivery_id"}, {}),
        ({"a.b": "order.items[0].sku_id"}, {"a.b": "SHOE-42"}),
        ({}, {}),
    ],
)  # fmt: skip
def test_attributes_come_to(written: Any, sent: Any) -> None:
    payload, problems = read(written)
    assert problems == []
    assert render_attributes(msgspec.json.decode(msgspec.json.encode(payload)), DATA) == sent


@pytest.mark.parametrize(
    ("written", "at", "said"),
    [
        ({"c": "vuocher.code"}, ".attributes.c", 'Did you mean "voucher"?'),
        ({"c": "promotion_tier.id"}, ".attributes.c", "There are: event, distribution, delivery_id, preferences_url"),
        ({"c": "spring"}, ".attributes.c", "A text that is sent as it stands is written {value: …}"),
        ({"c": "two words here!"}, ".attributes.c", "There are:"),
        ({"c": "a..b"}, ".attributes.c", "is a path, as in customer.id"),
        ({"c": "voucher.valeu"}, ".attributes.c", 'Did you mean "voucher.value"?'),
        ({"c": {"from": "voucher.code", "defualt": 1}}, ".attributes.c.defualt", 'Did you mean "default"?'),
        ({"c": {"from": "voucher.code", "default": None}}, ".attributes.c.default", "must not hold null"),
        ({"c": {"value": {"d": [None]}}}, ".attributes.c.value", "must not hold null"),
        ({"c": None}, ".attributes.c", "is missing: must be a path such as voucher.code"),
        ({"c": ["voucher.code"]}, ".attributes.c", "must be a path such as voucher.code, {from: …, default: …}"),
        ({"c": {"nested": "voucher.code"}}, ".attributes.c", "must be a path such as voucher.code"),
        ({"c": {"value": "x" * 20_000}}, ".attributes", "at most 16384 are kept"),
        ({"  ": 1}, '.attributes."  "', "must be a name that is not blank"),
        (["voucher.code"], ".attributes", "must be a mapping of at most 100 names"),
        ({str(number): 1 for number in range(MAX_ATTRIBUTES + 1)}, ".attributes", "must be a mapping of at most 100"),
    ],
)  # fmt: skip
def test_refused_with_what_is_allowed(written: Any, at: str, said: str) -> None:
    _, problems = read(written)
    assert len(problems) == 1
    assert problems[0].startswith(f"{AT}{at} ")
    assert said in problems[0]


def test_a_list_is_edited_where_its_provider_can() -> None:
    edited = Attributes(edits=("$add", "$remove"))
    written = {"tags": {"$add": ["voucher.code", {"value": "x"}, 1], "$remove": ["customer.metadata.nothing"]}}
    payload, problems = read(written, kind=edited)
    assert (render_attributes(payload, DATA), problems) == (
        {"tags": {"$add": ["SPRING-2026-osO", "x", 1], "$remove": []}},
        [],
    )
    assert len(read(written)[1]) == 1


def test_names_are_those_that_a_provider_takes() -> None:
    assert read({"CODE": "voucher.code"}, kind=MERGE_TAGS)[1] == []
    _, problems = read({"code": "voucher.code"}, kind=MERGE_TAGS)
    said = '"code" is not valid: must be a merge tag of at most 10 upper-case letters'
    assert problems == [f"{AT}.attributes.code {said}"]
    assert MERGE_TAGS.schema()["propertyNames"] == {"pattern": "^(?:[A-Z0-9_]{1,10})$"}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("message", set()),
        ("publish", {name for name in DEFAULTS if not name.startswith("promotion")}),
        ("promote", {"promotion_tier_name", "promotion_tier_id", "preferences_url"}),
    ],
)
def test_the_default_is_what_trigger_and_action_bring(action: Any, expected: set[str]) -> None:
    problems: list[str] = []
    around = context(problems, transfer_fields(ORDER_PAID, action))
    payload = Attributes().payload(None, replace(around, has_links=True))
    assert (set(payload), problems) == (expected, [])
    assert set(Attributes().payload(None, around)) == expected - {"preferences_url"}, "where no page is served"
    assert Attributes().payload(None, context(problems, None)) == {}
    assert MERGE_TAGS.payload(None, context(problems)) == {"CODE": {"from": "voucher.code"}}


def test_the_page_of_choices_is_a_value_where_it_is_served() -> None:
    one = delivery("webhook")
    served = OwnLinks("https://t.example/", ("a secret of many characters",))
    page = served.of(one)["preferences_url"]
    payload, problems = read({"page": "preferences_url"})
    assert problems == []
    assert render_attributes(payload, transfer_variables(one, served)) == {"page": page}
    assert render_payload(payload, payload_variables(one, served)) == {"page": page}
    assert page.startswith("https://t.example/preferences/")
    assert render_attributes(payload, transfer_variables(one, no_links)) == {}
    assert "unsubscribe_url" not in transfer_variables(one, served)
    own = msgspec.structs.replace(one, data={**one.data, "preferences_url": "https://shop.example/p"})
    assert render_attributes(payload, transfer_variables(own, served)) == {"page": "https://shop.example/p"}


def test_no_link_is_made_for_a_payload_that_does_not_have_it() -> None:
    class Counting(OwnLinks):
        asked = 0

        def of(self, delivery: Delivery, /) -> Mapping[str, str]:
            Counting.asked += 1
            return super().of(delivery)

    one, links = delivery("webhook"), Counting("https://t.example/", ("a secret of many characters",))
    for path, asked in (("customer.id", 0), ("preferences_url", 1)):
        render_attributes({"field": {"from": path}}, transfer_variables(one, links))
        assert Counting.asked == asked


@pytest.mark.parametrize(
    ("voucher", "worth"),
    [
        ({"discount": {"type": "PERCENT", "percent_off": 10}}, {"value": 10}),
        ({"discount": {"type": "AMOUNT", "amount_off": 0}}, {"value": 0}),
        ({"gift": {"amount": 5000, "balance": 1200}}, {"value": 5000, "balance": 1200}),
        ({"loyalty_card": {"points": 70, "balance": 20}}, {"value": 70, "balance": 20}),
        ({"loyalty_card": {"points": 70}, "value": "own"}, {"value": "own"}),
        ({"discount": None, "gift": "?"}, {}),
    ],
)
def test_a_voucher_has_one_name_for_its_worth(voucher: Any, worth: Any) -> None:
    one = msgspec.structs.replace(delivery("webhook"), data={"voucher": voucher})
    made = transfer_variables(one, no_links)["voucher"]
    assert {name: made[name] for name in ("value", "balance") if name in made} == worth


def test_what_upstream_has_as_null_is_left_out_at_every_depth() -> None:
    payload, _ = read({"a": "customer.address"})
    data = {"customer": {"address": {"city": None, "lines": ["x", None, {"y": None}], "zip": "1"}}}
    assert render_attributes(payload, data) == {"a": {"lines": ["x", {}], "zip": "1"}}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, (True, None)),
        ({"attributes": {}}, (False, None)),
        ({"event": {"name": "Seen"}}, (False, "Seen")),
        ({"event": {"name": "Seen"}, "attributes": {"c": "voucher.code"}}, (True, "Seen")),
    ],
)
def test_where_only_an_event_is_written_nothing_is_set(written: Any, expected: tuple[bool, str | None]) -> None:
    problems: list[str] = []
    taken = Group(Transfer().keys).read(written, AT, lambda at, said: problems.append(said))
    assert taken is not None
    attributes, event = Transfer().read(taken, replace(context(problems), has_links=True))
    assert (bool(attributes), event and event.name, problems) == (*expected, [])
    assert event is None or set(event.properties) == {name for name in DEFAULTS if "promotion" not in name}


def test_properties_are_found_wrong_where_they_stand() -> None:
    problems: list[str] = []
    written = {"event": {"name": "Seen", "properties": {"c": "vuocher.code"}}}
    assert isinstance(Transfer().read(written, context(problems))[1], NamedEvent)
    assert [one.partition(" ")[0] for one in problems] == [f"{AT}.event.properties.c"]


def test_the_schema_knows_the_forms() -> None:
    schema = Group(Transfer().keys).schema()
    event = schema["properties"]["event"]
    assert event["properties"]["properties"] == schema["properties"]["attributes"] == Attributes().schema()
    path, bare, dynamic, static = Attributes().schema()["additionalProperties"]["anyOf"]
    assert path == dynamic["properties"]["from"] == {"type": "string", "pattern": f"^{PATH_PATTERN}$"}
    assert bare == {"type": ["number", "boolean"]}
    assert (dynamic["required"], static["required"], event["required"]) == (["from"], ["value"], ["name"])
    assert dynamic["properties"]["default"] == static["properties"]["value"] == {"not": {"type": "null"}}
