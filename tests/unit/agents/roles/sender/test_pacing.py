"""The paces of many destinations."""

from __future__ import annotations

import pytest

from agents.roles.sender.pacing import Paces
from schemas.destination import Destination
from schemas.receipt import Accepted


class Ticks:
    """A steady clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_many_destinations_are_looked_through_seldom_and_those_at_rest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked, forget = 0, Paces._forget

    def counted(paces: Paces) -> None:
        nonlocal looked
        looked += 1
        forget(paces)

    monkeypatch.setattr(Paces, "_forget", counted)
    ticks = Ticks()
    paces = Paces(ticks=ticks)
    for number in range(5000):
        left_at = await paces.turn(Destination("shop", "webhook", f"host-{number}"))
        paces.heard(Destination("shop", "webhook", f"host-{number}"), left_at or 0.0, Accepted("HTTP 200"))
    assert looked < 5
    ticks.now += 100
    for number in range(5000):
        await paces.turn(Destination("shop", "webhook", f"other-{number}"))
    assert len(paces._paces) < 9000


def test_destinations_at_rest_are_forgotten_once_they_are_many() -> None:
    ticks = Ticks()
    paces = Paces(ticks=ticks)
    for number in range(5000):
        ticks.now += 1.0
        paces.heard(Destination("shop", "webhook", str(number)), ticks.now, Accepted("HTTP 200"))
    assert len(paces._paces) <= 1100
