"""Customers and events as a shop has them, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.events.triggers import TRIGGERS

_COUNTRIES = ("PL", "DE", "CZ", "FR", "US")
_LOCALES = ("pl-PL", "de-DE", "cs-CZ", "fr-FR", "en-US")
_FIRST = ("Ada", "Bartek", "Chloé", "Dörte", "Emil", "Franziska", "Grażyna", "Hugo", "Iris", "Jürgen")
_LAST = ("Nowak", "Müller", "Svoboda", "Dubois", "Smith", "Wiśniewska", "Schäfer", "O'Neill")
MALFORMED = 0.005


@dataclass(frozen=True, slots=True)
class Sent:
    """One record to publish. `event` is None where it is malformed and has to be dead-lettered."""

    topic: str
    key: bytes | None
    event: dict[str, Any] | None
    raw: bytes | None = None


def customers(count: int, seed: int) -> list[dict[str, Any]]:
    """Profiles: several locales, some without consent, some without an address."""
    rng = random.Random(seed)
    return [_customer(rng, number) for number in range(count)]


def _customer(rng: random.Random, number: int) -> dict[str, Any]:
    country = rng.randrange(len(_COUNTRIES))
    name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
    staff = "staff." if rng.random() < 0.02 else ""
    profile: dict[str, Any] = {
        "id": f"cust_{number}",
        "source_id": f"shop-{number}",
        "name": name,
        "email": f"customer{number}@{staff}example.com",
        "phone": f"+48 600 {number // 1000:03} {number % 1000:03}",
        "locale": _LOCALES[country],
        "timezone": "Europe/Warsaw",
        "consents": {
            kind: rng.random() < share for kind, share in (("marketing", 0.8), ("loyalty", 0.9), ("surveys", 0.5))
        },
        "metadata": {
            "country": _COUNTRIES[country],
            "lifetime_value": rng.randrange(0, 100_000),
            "plan": rng.choice(("basic", "silver", "gold")),
        },
        "favourite_colour": rng.choice(("red", "green", "blue")),
    }
    if rng.random() < 0.06:
        del profile["email"]
    if rng.random() < 0.05:
        del profile["name"]
    if rng.random() < 0.1:
        del profile["phone"]
    return profile


def events(count: int, people: list[dict[str, Any]], seed: int, project: str) -> Iterator[Sent]:
    """Events of the five families, without `created_at`: that is set when one is published."""
    rng = random.Random(seed + 1)
    for number in range(count):
        customer = rng.choice(people)["id"]
        made = rng.choices(_FAMILIES, weights=(20, 35, 15, 20, 10))[0](rng, number)
        body = {"id": f"ev_{seed}_{number}", "project_id": project, **made}
        body["data"] = {"customer": {"id": customer}, **body["data"]}
        topic = TRIGGERS[body["type"]].topic
        if rng.random() < MALFORMED:
            yield _malformed(rng, topic, customer, body)
        else:
            yield Sent(topic, customer.encode(), body)


def _segment(rng: random.Random, _: int) -> dict[str, Any]:
    kind = rng.choice(("entered", "entered", "left"))
    segment = rng.choice(("lapsed-90-days", "lapsed-90-days", "vip", "newcomers"))
    return {"type": f"customer.segment.{kind}", "data": {"segment": {"id": segment, "name": segment.title()}}}


def _order(rng: random.Random, number: int) -> dict[str, Any]:
    items = [
        {
            "sku": f"{rng.choice(('GIFT', 'SHOE', 'BOOK'))}-{rng.randrange(100)}",
            "quantity": rng.randrange(1, 4),
            "price": 1999,
        }
        for _ in range(rng.randrange(1, 4))
    ]
    kind = rng.choice(("created", "updated", "paid", "paid", "canceled"))
    order = {"id": f"ord_{number}", "status": kind.upper(), "amount": rng.randrange(500, 20_000), "items": items}
    return {"type": f"customer.order.{kind}", "data": {"order": order}}


def _redemption(rng: random.Random, number: int) -> dict[str, Any]:
    campaign = rng.choice(("camp_spring", "camp_summer"))
    return {
        "type": "customer.redemption.succeeded",
        "data": {
            "redemption": {"id": f"r_{number}", "result": "SUCCESS", "amount": rng.randrange(100, 2000)},
            "voucher": {"code": f"SPRING-{number}", "type": "DISCOUNT_VOUCHER"},
            "campaign": {"id": campaign, "name": campaign},
        },
    }


def _points(rng: random.Random, number: int) -> dict[str, Any]:
    points = rng.randrange(10, 300)
    return {
        "type": "customer.voucher.loyalty_card.points_added",
        "data": {
            "voucher": {"code": f"LOYAL-{number}", "type": "LOYALTY_CARD"},
            "campaign": {"id": "camp_loyalty", "name": "Loyalty"},
            "balance": {"type": "loyalty_card", "points": points, "total": points + 500, "balance": points + 500},
            "transaction": {"id": f"vtx_{number}", "type": "POINTS_ADDITION"},
        },
    }


def _publication(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "type": "customer.publication.succeeded",
        "data": {
            "publication": {"id": f"pub_{number}", "result": "SUCCESS", "channel": "API"},
            "voucher": {
                "code": f"CODE-{number:06}",
                "type": "DISCOUNT_VOUCHER",
                "discount": {"type": "PERCENT", "percent_off": 15},
            },
            "campaign": {"id": rng.choice(("camp_spring", "camp_summer")), "name": "Codes"},
        },
    }


_FAMILIES = (_segment, _order, _redemption, _points, _publication)


def _malformed(rng: random.Random, topic: str, customer: str, body: dict[str, Any]) -> Sent:
    """One of the ways in which upstream gets it wrong."""
    stamped = {**body, "created_at": "2026-01-01T00:00:00Z"}
    key, whole = customer.encode(), msgspec.json.encode(stamped)
    ways: list[tuple[bytes | None, bytes]] = [
        (key, whole[: len(whole) // 2]),
        (key, b"\xff\xfe" + whole),
        (key, whole.replace(b'"customer"', b'"custom\xff"')),
        (None, whole),
        (key, msgspec.json.encode({**stamped, "type": "customer.unknown"})),
        (key, msgspec.json.encode({**stamped, "data": {"customer": {"id": 7}}})),
        (key, msgspec.json.encode({**stamped, "data": {}})),
        (key, msgspec.json.encode({**stamped, "created_at": "2999-01-01T00:00:00Z"})),
        (key, b'{"a":' * 200 + b"1" + b"}" * 200),
    ]
    chosen_key, raw = rng.choice(ways)
    return Sent(topic, chosen_key, None, raw)
