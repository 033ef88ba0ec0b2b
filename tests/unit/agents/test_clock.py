"""The time that messages are signed and dated by, whatever this machine's clock says."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from agents.clock import DatabaseTime
from schemas.errors import TryLater
from tests.factory import NOW


class _World:
    """A steady clock, a wall clock, and a database that says a time after so many seconds, or is away."""

    def __init__(self, wall_is_off: timedelta) -> None:
        self.ticks, self.takes, self.is_away = 1000.0, 0.0, False
        self.wall_is_off = wall_is_off

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.ticks - 1000.0)

    async def ask(self) -> datetime:
        if self.is_away:
            raise TryLater("away")
        self.ticks += self.takes / 2
        moment = self.now
        self.ticks += self.takes / 2
        return moment


@pytest.mark.parametrize("minutes", [-10, 0, 10])
async def test_a_clock_that_is_off_or_jumps_changes_nothing(minutes: int) -> None:
    world = _World(timedelta(minutes=minutes))
    made = DatabaseTime(world.ask, wall=lambda: world.now + world.wall_is_off, ticks=lambda: world.ticks)
    assert made() == NOW + timedelta(minutes=minutes)
    world.takes = 4.0
    await made.look()
    assert world.now - timedelta(seconds=world.takes / 2) <= made() <= world.now
    world.takes = 0.0
    await made.look()
    assert made() == world.now
    world.wall_is_off, world.is_away = timedelta(minutes=-minutes), True
    with pytest.raises(TryLater):
        await made.look()
    world.ticks += 3600.0
    assert made() == world.now
