"""Fields that distributions use, wherever they are named, and what an event has there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.formats.paths import path_text
from streams.used_fields import WatchedFields, used_fields, users_of
from tests.factory import context, rule

PAID = "customer.order.paid"


def used(**changes: Any) -> set[str]:
    return {f"{ref.event} {path_text(path)}" for ref, path in used_fields(rule(**{"when": None, **changes}))}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        (
            {"when": {"any": [{"order.amount": 5}, {"not": {"customer.metadata.tier": "gold"}}]}},
            {f"{PAID} order.amount", f"{PAID} customer.metadata.tier"},
        ),
        ({"when": {"order.items": {"any_item": {"sku": "x"}}}}, {f"{PAID} order.items"}),
        ({"when": {"customer.segments": {"contains": "vip"}, "event.id": {"is_set": True}}}, set()),
        ({"again": {"once_per": "order.id"}}, {f"{PAID} order.id"}),
        ({"delay": {"until": "order.metadata.due"}}, {f"{PAID} order.metadata.due"}),
        ({"digest": {"for": "1h", "by": "order.metadata.shop"}}, {f"{PAID} order.metadata.shop"}),
        (
            {
                "delay": "1h",
                "unless": {"trigger": "customer.order.canceled", "same": "order.id", "when": {"order.status": "X"}},
            },
            {f"{PAID} order.id", "customer.order.canceled order.id", "customer.order.canceled order.status"},
        ),
        (
            {
                "channels": [
                    {
                        "webhook": {
                            "url": "https://x.example",
                            "type": "t",
                            "payload": {"a": [{"from": "order.amount"}], "b": {"from": "customer.name", "default": ""}},
                        }
                    }
                ]
            },
            {f"{PAID} order.amount", f"{PAID} customer.name"},
        ),
    ],
)
def test_a_distribution_uses_the_fields_that_it_names(changes: dict[str, Any], expected: set[str]) -> None:
    assert used(**changes) == expected


def test_fields_that_templates_show_are_used() -> None:
    one = msgspec.structs.replace(rule(when=None), template_fields=["customer.name", "voucher.code"])
    assert [path_text(path) for _, path in used_fields(one)] == ["customer.name"]


def test_live_distributions_are_watched_by_what_they_are_about() -> None:
    guards = {"when": {"event.metadata.price": {"at_least": 5}}}
    wishes = {"trigger": {"event": "customer.custom_event", "event_schema": "wishes"}, **guards}
    rules = [rule(**wishes), rule(distribution="b", **wishes), rule(distribution="c", when={"order.amount": 5})]
    rules.append(msgspec.structs.replace(rule(distribution="d", when={"order.status": "X"}), status="PAUSED"))
    about = "customer.custom_event (event_schema wishes)"
    assert users_of(rules) == {
        ("shop", about, "event.metadata.price"): ("b", "thanks"),
        ("shop", PAID, "order.amount"): ("c",),
    }


def test_what_is_watched_follows_the_distributions() -> None:
    first, second = rule(when={"order.amount": 5}), rule(distribution="b", when={"order.amount": 5, "order.id": "x"})
    paused = msgspec.structs.replace(rule(distribution="c", when={"order.status": "X"}), status="PAUSED")
    watched, seen = WatchedFields(), []
    for change, one in (("add", first), ("add", second), ("add", paused), ("discard", first), ("discard", second)):
        getattr(watched, change)(one)
        seen.append([path for _, path, _ in watched.seen_in(context())])
    watched.discard(paused)
    both = ["order.amount", "order.id"]
    assert seen == [["order.amount"], both, both, both, []]


@pytest.mark.parametrize(
    ("value", "kind"),
    [("x", "text"), (5, "number"), (5.5, "number"), (True, "boolean"), ([1], "list"), ({"a": 1}, "object"),
     (None, ""), ("", ""), (" ", "")],
)  # fmt: skip
def test_a_sample_has_the_kind_of_each_watched_field(value: Any, kind: str) -> None:
    watched = WatchedFields()
    watched.add(rule(when={"order.metadata.channel": "web", "order.amount": 5}))
    data = {"customer": {"id": "c1"}, "order": {"id": "o1", "amount": 5, "metadata": {"channel": value}}}
    seen = {path: found for _, path, found in watched.seen_in(context(data=data))}
    assert seen == {"order.metadata.channel": kind, "order.amount": "number"}
