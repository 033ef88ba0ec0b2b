"""A sender's claims, by its steady clock."""

from __future__ import annotations

import time

from tests.unit.agents.roles.sender.doubles import World


async def test_leases_that_have_ended_are_forgotten_also_where_nothing_is_held() -> None:
    claimant = World([]).claimant
    claimant.leases.taken(["a", "b"], time.monotonic() - 100)
    await claimant.renew(())
    assert not claimant.leases._until


async def test_what_is_claimed_is_ours_from_then_on() -> None:
    world = World([])
    claimed = await world.claimant.claim_new([])
    assert claimed == {world.good.delivery_id: None}
    assert world.claimant.leases.is_ours(world.good.delivery_id)
