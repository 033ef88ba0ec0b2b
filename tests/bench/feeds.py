"""Records of the benchmarks for whole matchers: rules, profiles, paid orders."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from agents.broker.records import Output
from agents.wiring import Wiring
from tests.bench.rules import order, profile

TENTH = range(100, 2_200)
"""Amounts of which about one order in thirteen fits a rule of `rules.realistic`."""
EACH = range(500, 60_000)
"""Amounts of which an order fits about one rule."""


def rule_records(wiring: Wiring, rules: Iterable[Any]) -> Iterator[Output]:
    """Rules as `tidings apply` puts them on the topic of distributions."""
    topic, codec = wiring.topic("distributions"), wiring.codec("distributions")
    return (Output(topic, rule.id.encode(), codec.encode(rule)) for rule in rules)


def customer_records(wiring: Wiring, count: int, rules: int) -> Iterator[Output]:
    """Profiles of customers of the shops that so many rules are for."""
    topic = wiring.topic("customers")
    made = (profile(number, rules) for number in range(count))
    return (Output(topic, one["id"].encode(), msgspec.json.encode(one)) for one in made)


def order_records(
    wiring: Wiring, count: int, customers: int, now: datetime, *, rules: int, amounts: range = TENTH
) -> Iterator[Output]:
    """Orders of those customers, in no order."""
    topic, rng = wiring.topic("events.orders"), random.Random(5)
    for number in range(count):
        one = profile(rng.randrange(customers), rules)
        raw = order(number, one, amount=rng.randrange(amounts.start, amounts.stop), now=now)
        yield Output(topic, one["id"].encode(), raw)
