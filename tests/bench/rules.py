"""The rules and events of the benchmarks, made from numbers so that every run has the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.distribution import Distribution
from streams.documents.distribution import DefinitionContext, parse_definition

PER_SHOP = 25
"""Distributions of one shop: however many there are in all, an event meets those of its own shop."""

COUNTRIES = ("PL", "DE", "FR", "IT", "ES", "NL", "SE", "CZ")
TIERS = ("bronze", "silver", "gold", "platinum")
HOOK = "http://127.0.0.1:1/hook"


LIMITS: dict[str, Any] = {
    "cap": {"at_most": 100, "in": "30d", "of": "category"},
    "window": {"from": "00:00", "to": "24:00"},
    "again": {"once_per": "order.id"},
}
"""All that is looked at before a message leaves; they let each go."""


def a_rule(number: int, when: dict[str, Any] | None, *, consent: str = "marketing", **changes: Any) -> Distribution:
    """A distribution on paid orders."""
    source: dict[str, Any] = {
        "distribution": f"rule-{number}",
        "trigger": "customer.order.paid",
        "consent": consent,
        "channels": [{"webhook": {"url": HOOK, "type": "bench"}}],
        **changes,
    }
    if when is not None:
        source["when"] = when
    return parse_definition(source, DefinitionContext("shop", 1, datetime.now(UTC), {}, {})).distribution


def trivial(count: int) -> list[Distribution]:
    """One look-up and three tests."""
    return [
        a_rule(
            number,
            {
                "customer.metadata.plan": f"plan-{number}",
                "customer.metadata.country": ["PL", "DE"],
                "order.amount": {"at_least": 1000},
            },
        )
        for number in range(count)
    ]


def realistic(count: int, **changes: Any) -> list[Distribution]:
    """Conditions as shops write them: by country, tier, amount, items, dates, text; some with `any` and `not`."""
    rng = random.Random(7)
    return [a_rule(number, _realistic(number, rng), **changes) for number in range(count)]


def _realistic(number: int, rng: random.Random) -> dict[str, Any]:
    shop = {"customer.metadata.shop": f"shop-{number // PER_SHOP}"}
    country = {"customer.metadata.country": rng.sample(COUNTRIES, 2)}
    tier = {"customer.metadata.tier": rng.choice(TIERS)}
    amount = {"order.amount": {"at_least": rng.randrange(1000, 100_000, 500)}}
    item = {"order.items": {"any_item": {"sku_id": {"starts_with": f"{rng.choice('ABCDEFGH')}-{rng.randrange(4)}"}}}}
    recent = {"customer.metadata.joined": {"within_last": f"{rng.randrange(10, 400)}d"}}
    vip = {"any": [tier, {"order.amount": {"at_least": 90_000}}]}
    not_mail = {"not": {"customer.email": {"ends_with": "@example.org"}}}
    kinds: list[list[dict[str, Any]]] = [
        [shop, country, amount],
        [shop, tier, amount],
        [shop, country, tier, item],
        [shop, country, recent, amount],
        [shop, vip, not_mail, country, {"order.metadata.channel": "app"}],
    ]
    return {"all": kinds[number % len(kinds)]}


def profile(number: int, rules: int) -> dict[str, Any]:
    """A customer of one of the shops."""
    rng = random.Random(number)
    return {
        "id": f"c{number}",
        "name": f"Customer {number}",
        "email": f"c{number}@example.{'org' if number % 7 == 0 else 'com'}",
        "locale": "pl-PL",
        "consents": {"marketing": number % 10 != 0},
        "metadata": {
            "shop": f"shop-{rng.randrange(max(1, rules // PER_SHOP))}",
            "country": rng.choice(COUNTRIES),
            "tier": rng.choice(TIERS),
            "joined": f"2026-{rng.randrange(1, 11):02}-01",
            "plan": f"plan-{number % 1000}",
        },
    }


def order(number: int, customer: dict[str, Any], *, amount: int, now: datetime) -> bytes:
    """A paid order as JSON."""
    rng = random.Random(number)
    items = [
        {"sku_id": f"{rng.choice('ABCDEFGH')}-{rng.randrange(1000)}", "quantity": 1, "price": 100}
        for _ in range(rng.randrange(1, 4))
    ]
    data = {
        "customer": customer,
        "order": {
            "id": f"o{number}",
            "amount": amount,
            "items": items,
            "metadata": {"channel": rng.choice(("app", "web", "shop", "kiosk"))},
        },
    }
    return msgspec.json.encode(
        {"id": f"e{number}", "project_id": "shop", "type": "customer.order.paid", "created_at": now, "data": data}
    )


def small_order(number: int, plans: int, now: datetime) -> tuple[str, bytes]:
    """The customer's id and a paid order of about 230 bytes; every tenth fits one of the trivial rules."""
    country = "PL" if number % 10 == 0 else "FR"
    customer = f"c{number % 5000}"
    metadata = {"country": country, "plan": f"plan-{number * 7919 % plans}"}
    data = {"customer": {"id": customer, "metadata": metadata}, "order": {"id": f"o{number}", "amount": 5000}}
    event = {"id": f"e{number}", "project_id": "shop", "type": "customer.order.paid", "created_at": now, "data": data}
    return customer, msgspec.json.encode(event)
