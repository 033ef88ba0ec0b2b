"""Failover: the other accounts of a channel that messages go through while their own account takes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from schemas.names import ROUGHLY_LIKE, did_you_mean

MOST = 5


@dataclass(frozen=True, slots=True)
class Failover:
    """Accounts in order. `takes_ambiguous`: also what the first may have accepted, which may then arrive twice."""

    accounts: tuple[str, ...] = ()
    takes_ambiguous: bool = False


NO_FAILOVER = Failover()


def failover_problems(orders: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The accounts of a channel whose order cannot be, each with what is wrong. `orders` has all that there are."""
    return {name: problem for name in orders if (problem := _problem(name, orders))}


def _problem(name: str, orders: Mapping[str, Collection[str]]) -> str:
    order, others = orders[name], sorted(orders.keys() - {name})
    allowed = f"must be one of {', '.join(others)}" if others else "there is no other account of its channel"
    for other in order:
        if other == name:
            return f'"{other}" is the account itself; {allowed}'
        if other not in orders:
            return f'"{other}" is not an account: {allowed}.{did_you_mean(other, others, ROUGHLY_LIKE)}'.rstrip(".")
    if len(set(order)) < len(order):
        return "names an account twice: each has one place in the order"
    if len(order) > MOST:
        return f"must be at most {MOST} accounts"
    if way := _way_back(name, orders):
        return f"comes back to where it began: {' → '.join(way)}; one of them must not name the next"
    return ""


def _way_back(name: str, orders: Mapping[str, Collection[str]]) -> list[str]:
    """The way by which an account leads to itself; empty where it does not."""
    ways, seen = [[name]], set[str]()
    while ways:
        way = ways.pop()
        for other in orders.get(way[-1], ()):
            if other == name:
                return [*way, other]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []
