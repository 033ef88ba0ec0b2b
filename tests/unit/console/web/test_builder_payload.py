"""Payloads as rows: what nobody changes reads as before, whatever its form, and nothing that is typed is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.payload import render_payload
from console.control.document_edit import GONE
from console.web.builder.fields import found_at
from console.web.builder.payload import MOST, Kept, Row, Shape, entries_of, kept_of, name_of, taken, whole_of
from console.web.builder.payload_form import Taken, designs_of, fields_for, sections, taken_from
from schemas.payload import DEFAULT, FROM, VALUE
from streams.channels.mapping import Attributes
from streams.channels.payload import PayloadReader
from streams.channels.tables import CHANNEL_RULES

WITHIN = "channels_0_webhook_payload"
ID, AMOUNT = {FROM: "customer.id"}, {FROM: "order.amount"}
DRAWN: tuple[Any, ...] = (
    None, {}, {"id": ID}, {"id": ID, "n": 1, "ok": True, "none": None, "text": "007", "half": 0.5},
    {"customer": {"id": ID, "name": {FROM: "customer.name", DEFAULT: "there"}}, "amount": AMOUNT},
    {"a.b": ID, 'a"b': 1, "first name": 2, "$x": 3}, {"tags": ["a", {FROM: "customer.locale"}], "id": ID},
    {"mail": {VALUE: {FROM: "shop@example.com", "to": {FROM: "customer.email"}}}}, {"amount": {VALUE: {VALUE: AMOUNT}}},
    {"vip": {FROM: "customer.metadata.vip", DEFAULT: False}, "first": {FROM: "customer.x", DEFAULT: None}},
    {"a": {FROM: "x.y", DEFAULT: {"z": 1}}}, {"a": {FROM: "x.y", "odd": 1}}, {"a": {}, "b": []}, {"text": "two\nlines"},
    {"": 1}, {" a": 1}, {"a": " b "}, {"a": ""}, {"a": {FROM: "x.y", DEFAULT: ""}}, {"a": {FROM: "x.y", DEFAULT: "42"}},
    {FROM: "customer.id"}, {VALUE: 1}, {1: {"b": 2}}, {"a": {1: 2}}, ["customer.id"], "text", 5,
)  # fmt: skip
MAPPED: tuple[Any, ...] = (
    None, {}, {"code": "voucher.code"}, {"country": {FROM: "customer.metadata.country", DEFAULT: "PL"}},
    {"source": {VALUE: "spring"}, "visits": 1, "vip": False, "n": {VALUE: 5}}, {"tags": {VALUE: ["a", "b"]}},
    {"tags": {"$add": ["voucher.code"]}}, {"customer.id": "customer.id"}, {"a": None}, {"a": ["b"]},
    {"a": {VALUE: None}}, {1: "voucher.code"}, ["voucher.code"],
)  # fmt: skip
CHOSEN: tuple[Any, ...] = (["customer.id", "order.amount"], ["customer.id", 5, {"a": 1}], [], {"a": "b"})


def form_of(whole: Any, shape: Shape) -> dict[str, str]:
    """Every field of the rows as a browser sends it, and of the empty one."""
    entries = entries_of(whole, shape) or []
    fields: dict[str, str] = {}
    for number, one in enumerate((*entries, Row((), "from", ""))):
        if isinstance(one, Row):
            name = name_of(one, shape) if one.names else ""
            said = {"name": name, "how": one.how, "value": one.value, "otherwise": one.otherwise}
            fields |= {f"{WITHIN}_{number}_{key}": text for key, text in said.items()}
    return fields


def left(whole: Any, shape: Shape, **changed: str) -> Any:
    """The payload that the form leaves, and what is wrong with it."""
    form = form_of(whole, shape) | {f"{WITHIN}_{key[1:]}": text for key, text in changed.items() if key != "drop"}
    made, problems = taken(entries_of(whole, shape) or [], WITHIN, form, shape, changed.get("drop", ""))
    return {one.field.removeprefix(WITHIN): one.message for one in problems} or whole_of(made.values(), shape)


@pytest.mark.parametrize(
    ("shape", "whole"), [(shape, one) for shape, all_of in
                         (("drawn", DRAWN), ("mapped", MAPPED), ("chosen", CHOSEN)) for one in all_of],
    ids=lambda one: one if isinstance(one, str) else json.dumps(one, default=str),
)  # fmt: skip
def test_what_the_form_does_not_change_is_the_same(shape: Shape, whole: Any) -> None:
    _unchanged(whole, shape)


def _values() -> st.SearchStrategy[Any]:
    names = st.sampled_from(("a", "b", "a.b", "from", "value", "default", "", " ", "$add", 'x"y', "ü", "7"))
    plain = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(("42", "x.y"))
    )
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4))


@given(_values(), st.sampled_from(("drawn", "mapped", "chosen")))
@settings(deadline=None)
def test_a_payload_of_any_form_is_not_changed_by_showing_it(whole: Any, shape: Shape) -> None:
    _unchanged(whole, shape)


def _unchanged(whole: Any, shape: Shape) -> None:
    entries = entries_of(whole, shape)
    if not entries:
        return
    made, problems = taken(entries, WITHIN, form_of(whole, shape), shape)
    assert (list(made.values()), problems) == (entries, [])
    again = whole_of(made.values(), shape)
    assert json.dumps(again, default=str) == json.dumps(whole, default=str), "types and order too"


def test_a_row_is_changed_added_and_taken_out_and_the_rest_stays() -> None:
    whole = {"customer": {"id": ID, "tags": ["a"]}, "amount": AMOUNT}
    assert left(whole, "drawn", _0_value="customer.source_id") == {
        "customer": {"id": {FROM: "customer.source_id"}, "tags": ["a"]}, "amount": AMOUNT,
    }  # fmt: skip
    assert left(whole, "drawn", _3_name="shop.name", _3_how="text", _3_value="007") == whole | {"shop": {"name": "007"}}
    assert left(whole, "drawn", _3_name="n", _3_how="value", _3_value="7") == whole | {"n": 7}
    assert left(whole, "drawn", drop=f"{WITHIN}_0") == {"customer": {"tags": ["a"]}, "amount": AMOUNT}
    assert left({"a": 1}, "drawn", drop=f"{WITHIN}_0") is GONE
    assert left(whole, "drawn", _2_otherwise="0") == whole | {"amount": {**AMOUNT, DEFAULT: 0}}
    assert left({"code": "voucher.code"}, "mapped", _1_name="x.y", _1_value="customer.id", _1_otherwise="none") == {
        "code": "voucher.code", "x.y": {FROM: "customer.id", DEFAULT: "none"},
    }  # fmt: skip
    assert left({"a": "voucher.code"}, "mapped", _0_how="text", _0_value="spring") == {"a": {VALUE: "spring"}}
    assert left(["customer.id"], "chosen", _0_value="customer.name", _1_value="order.id") == [
        "customer.name",
        "order.id",
    ]
    assert left(None, "drawn", _0_name="from", _0_value="order.amount") == {VALUE: {FROM: AMOUNT}}


@pytest.mark.parametrize(
    ("given_", "wrong"),
    [
        ({"_1_name": "id", "_1_value": "a.b"}, {"_0_name": "id is there already", "_1_name": "id is there already"}),
        ({"_1_name": "id.x", "_1_value": "a.b"}, {"_0_name": "id is there", "_1_name": "id.x is there already"}),
        ({"_1_value": "order.id"}, {"_1_name": "is missing: what the value is called where it goes"}),
        ({"_0_name": ""}, {"_0_name": "is missing: what the value is called where it goes"}),
        ({"_0_name": "id[0]"}, {"_0_name": "must be a name"}), ({"_0_name": "a..b"}, {"_0_name": "must be a name"}),
        ({"_0_how": "value", "_0_value": "NaN"}, {"_0_value": "must be a number"}),
        ({"_0_how": "value", "_0_value": '"7"'}, {"_0_value": "must be a number"}),
        ({"_0_how": "value", "_0_value": "1e999"}, {"_0_value": "must be a number"}),
    ],
    ids=json.dumps,
)  # fmt: skip
def test_what_cannot_be_written_is_told_at_its_field(given_: dict[str, str], wrong: dict[str, str]) -> None:
    found = left({"id": ID}, "drawn", **given_)
    assert found.keys() == wrong.keys()
    assert all(found[name].startswith(said) for name, said in wrong.items())


def test_rows_that_cannot_be_written_keep_their_numbers_and_come_again() -> None:
    """Reported elsewhere: a row that was taken out comes back, or its neighbour's values are in it."""
    before = entries_of({"a": 1, "kept": [1], "b": 2}, "drawn") or []
    form = form_of({"a": 1, "kept": [1], "b": 2}, "drawn") | {f"{WITHIN}_3_value": "order.id"}
    made, problems = taken(before, WITHIN, form, "drawn", f"{WITHIN}_0")
    assert ([one.field for one in problems], list(made)) == ([f"{WITHIN}_3_name"], [1, 2, 3])
    form = {name: text for name, text in form.items() if not name.startswith(f"{WITHIN}_0_")}
    form |= {f"{WITHIN}_3_name": "c", f"{WITHIN}_4_name": "d", f"{WITHIN}_4_value": "order.amount"}
    made, problems = taken(before, WITHIN, form, "drawn")
    assert problems == []
    assert whole_of(made.values(), "drawn") == {"kept": [1], "b": 2, "c": {FROM: "order.id"}, "d": AMOUNT}


def test_a_form_without_the_rows_changes_none() -> None:
    before = entries_of({"a": 1, "b": ID}, "drawn") or []
    assert list(taken(before, WITHIN, {f"{WITHIN}x_0_value": ""}, "drawn")[0].values()) == before


def test_what_has_no_row_is_shown_as_it_is_written() -> None:
    whole = {"id": ID, "customer": {"tags": ["a"], "id": ID}, "a": {FROM: "x.y", DEFAULT: [1]}}
    assert kept_of(entries_of(whole, "drawn") or [], "drawn") == {"customer": {"tags": ["a"]}, "a": whole["a"]}
    assert kept_of([], "drawn") is None
    many = entries_of({f"n{number}": number for number in range(MOST + 5)}, "drawn") or []
    assert (len(many), sum(isinstance(one, Kept) for one in many)) == (MOST + 5, 5)


EVENT = {"customer": {"id": "cust_1"}, "order": {"amount": 120}}


@pytest.mark.parametrize(
    ("name", "said"),
    [("id", {"id": "cust_1"}), ("from", {"from": "cust_1"}), ("value", {"value": "cust_1"}),
     ("a.value", {"a": {"value": "cust_1"}}), ("a.from.b", {"a": {"from": {"b": "cust_1"}}}),
     ('"a.b"', {"a.b": "cust_1"})],
)  # fmt: skip
def test_a_name_of_the_language_is_a_name_in_the_body_all_the_same(name: str, said: Any) -> None:
    whole = left(None, "drawn", _0_name=name, _0_value="customer.id")
    reader = PayloadReader(None)
    payload = reader.payload(whole, "payload")
    assert (reader.problems, payload and render_payload(payload, EVENT)) == ([], said)


def test_rows_of_a_transfer_are_what_its_reader_takes() -> None:
    whole = left(None, "mapped", _0_name="code", _0_how="text", _0_value="{{ x }}")
    told: list[Any] = []
    payload = Attributes().drawn(whole, None, "attributes", lambda at, message: told.append((at, message)))
    assert (told, render_payload(payload, EVENT)) == ([], {"code": "{{ x }}"})


TRANSFERS = {"braze": 2, "klaviyo": 2, "batch": 2, "intercom": 2, "mailchimp": 1, "activecampaign": 1}


@pytest.mark.parametrize("channel", CHANNEL_RULES)
def test_each_channel_has_rows_for_what_it_is_told(channel: str) -> None:
    body = {"attributes": {"CODE": "voucher.code"}, "event": {"name": "seen", "properties": {"n": 1}}}
    channels = [{channel: {} if channel == "webhook" else body}]
    values: dict[str, Any] = {"trigger": "customer.order.paid", "channels": channels}
    designs = designs_of(values, 0, channel)
    assert len(designs) == TRANSFERS.get(channel, channel == "webhook")
    form = dict[str, str]()
    for design in designs:
        entries = dict(enumerate(design.entries(values) or []))
        for part in sections(design, entries, fields_for(values, channel), ()):
            form |= {one.name: one.value or (one.choices[0][0] if one.choices else "") for one in part.fields}
    assert taken_from(values, designs, form, "stay") == Taken(values["channels"], {}, ())
    if channel in TRANSFERS:
        last = designs[-1]
        new = f"{last.name}_1"
        after = taken_from(values, designs, form | {f"{new}_name": "MORE", f"{new}_value": "order.id"}, "stay")
        assert found_at({"channels": after.channels}, last.at)["MORE"] == "order.id"
        gone = taken_from(values, designs, form, f"drop:{last.name}_0")
        assert found_at({"channels": gone.channels}, last.at) is None, "with the last row it goes as a whole"
