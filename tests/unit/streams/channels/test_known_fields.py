"""Attributes beside what a provider has: names, kinds and lengths."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events.triggers import TRIGGERS
from schemas.known_fields import KnownField, KnownFields
from streams.channels.known_fields import kind_at, misfits
from streams.channels.payload import transfer_fields

FIELDS = transfer_fields(TRIGGERS["customer.order.paid"], "publish")
KNOWN = KnownFields(
    (
        KnownField("TEXT", "text", longest=5),
        KnownField("NUMBER", "number"),
        KnownField("DATE", "date"),
        KnownField("MOMENT", "moment"),
        KnownField("TRUTH", "boolean"),
        KnownField("LIST", "list"),
        KnownField("ANY"),
    ),
    "merge tag",
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("order.id", "text"),
        ("order.amount", "number"),
        ("voucher.value", "number"),
        ("order.items", "list"),
        ("order.items[0]", "any"),
        ("order.items[0].quantity", "number"),
        ("customer.metadata.plan", "any"),
        ("customer", "object"),
        ("event.created_at", "text"),
    ],
)
def test_the_kind_of_a_path_is_that_of_its_end(path: str, kind: str) -> None:
    assert kind_at(path, FIELDS) == kind


@pytest.mark.parametrize(
    ("name", "node", "said"),
    [
        ("TEXT", {"from": "order.id"}, ""),
        ("TEXT", {"from": "order.amount"}, ""),
        ("TEXT", {"from": "customer"}, "customer is an object; merge tag TEXT takes a text"),
        ("TEXT", {"value": {"from": 1}}, "what is written is an object; merge tag TEXT takes a text"),
        ("TEXT", "12345", ""),
        ("TEXT", "zażół", "has 8 bytes; merge tag TEXT takes at most 5"),
        ("TEXT", {"from": "order.id", "default": "123456"}, "has 6 bytes; merge tag TEXT takes at most 5"),
        ("NUMBER", {"from": "order.amount"}, ""),
        ("NUMBER", {"from": "customer.metadata.age"}, ""),
        ("NUMBER", 12, ""),
        ("NUMBER", {"from": "voucher.code"}, "voucher.code is a text; merge tag NUMBER takes a number"),
        ("NUMBER", "12", "what is written is a text; merge tag NUMBER takes a number"),
        (
            "NUMBER",
            {"from": "order.amount", "default": "-"},
            "what is written is a text; merge tag NUMBER takes a number",
        ),
        ("DATE", {"from": "event.created_at"}, ""),
        ("DATE", {"from": "order.amount"}, "order.amount is a number; merge tag DATE takes a date"),
        ("MOMENT", {"from": "order.amount"}, ""),
        ("MOMENT", {"from": "event.created_at"}, ""),
        ("MOMENT", {"from": "customer"}, "customer is an object; merge tag MOMENT takes a date"),
        ("TRUTH", True, ""),
        ("TRUTH", 1, "what is written is a number; merge tag TRUTH takes true or false"),
        ("LIST", ["a"], ""),
        ("LIST", "a", ""),
        ("LIST", {"from": "order"}, "order is an object; merge tag LIST takes a list"),
        ("ANY", {"a": 1}, ""),
        ("TEXTS", "a", 'there is no merge tag "TEXTS". Did you mean "TEXT"? There are: TEXT, NUMBER,'),
    ],
)
def test_what_a_provider_would_not_take_is_told(name: str, node: Any, said: str) -> None:
    found = dict(misfits({name: node, "ANY": 1}, KNOWN, FIELDS)).get(name, "")
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_an_attribute_may_be_called_as_a_form_is() -> None:
    known = KnownFields((KnownField("from"), KnownField("value")))
    assert list(misfits({"value": {"from": "a"}}, known, FIELDS)) == []
    assert [name for name, _ in misfits({"value": {"value": "a"}}, KNOWN, FIELDS)] == ["value"]
