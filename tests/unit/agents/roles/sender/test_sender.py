"""A sender that stops."""

from __future__ import annotations

from typing import Any, cast

from agents.roles.sender.accepted import Accepted
from agents.roles.sender.calls import SenderCalls
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.reputation import Reputation
from agents.roles.sender.sender import Sender
from store.sending.ledger import Settlement
from streams.sending.reputation import Bounds
from tests.unit.agents.roles.sender.doubles import Started, World


async def test_it_tells_what_it_has_sent_before_it_gives_back_leases() -> None:
    log: list[Any] = []
    world, made = World(log), cast(Any, Sender.__new__(Sender))
    nothing = cast(Any, None)
    made._ledger, made._owner, made._channels = world, "o", {}
    made._leases, made._attempts = world.claimant.leases, Started(log)
    made._outcomes = Outcomes(
        cast(Any, world), nothing, "t", nothing, nothing, Accepted(None),
        owner="o", default_project="shop", on_refused=nothing,
    )  # fmt: skip
    made._exchanging = cast(Any, world)
    made._calls = SenderCalls(nothing)
    made._reputation = Reputation(nothing, Bounds(), nothing)
    made._outcomes.put(Settlement(world.good.delivery_id, "sent", "HTTP 200"), world.good)
    await made.drain(0.0)
    await made.close()
    assert made._leases.are_over
    assert log == [("sent", world.good.delivery_id), "free", "leave"]
