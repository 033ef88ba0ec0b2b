"""The rules of repetition, as a sender remembers them."""

from __future__ import annotations

from agents.roles.sender.repeats import AgainCache
from schemas.distribution import Again
from store.sending.ledger import VersionKey

ONCE = Again(mode="once_per_customer")


async def test_a_version_is_asked_for_once_also_where_it_is_not_to_be_found() -> None:
    first, second, third = ("shop", "x", 1), ("shop", "x", 2), ("other", "x", 1)
    asked: list[set[VersionKey]] = []

    async def load(versions: set[VersionKey]) -> dict[VersionKey, Again]:
        asked.append(versions)
        return dict.fromkeys(versions - {second}, ONCE)

    cache = AgainCache(load, most=2)
    for versions in ({first}, {first, second}, {second}, {third}, {third}):
        known = await cache.of(versions)
        assert {one: known[one] for one in versions} == {one: None if one == second else ONCE for one in versions}
    assert asked == [{first}, {second}, {third}]
