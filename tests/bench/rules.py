"""The rules of the benchmark: each event of a tenth of the customers fits one."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.distribution import Distribution
from streams.definition import Surroundings, parse_definition

RULES = 1000
PLANS = 1000


def a_rule(number: int, url: str = "http://127.0.0.1:1/hook") -> Distribution:
    """Each asks for one plan, a country and an amount."""
    source = {
        "distribution": f"rule-{number}",
        "trigger": "customer.order.paid",
        "when": {
            "all": [
                {"customer.metadata.country": ["PL", "DE"]},
                {"customer.metadata.plan": f"plan-{number % PLANS}"},
                {"order.amount": {"at_least": 1000}},
            ]
        },
        "consent": "transactional",
        "channels": [{"webhook": {"url": url, "type": "bench"}}],
    }
    return parse_definition(source, Surroundings("shop", 1, datetime.now(UTC), (), {})).distribution
