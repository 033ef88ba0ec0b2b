"""The gate: how often a key may ask."""

from __future__ import annotations

import pytest

from console.api.gate import WINDOW_SECONDS, Gate
from console.api.problems import Refused
from store.api_keys import KeyHolder

HOLDER = KeyHolder("shop", "key_1", "ci", "live", "viewer")


def test_a_key_may_ask_so_often_within_a_minute_and_then_again() -> None:
    now = [100.0]
    gate = Gate(2, ticks=lambda: now[0])
    left = [gate.count(HOLDER)["ratelimit"] for _ in range(2)]
    assert left == ['"key";r=1;t=60', '"key";r=0;t=60']
    now[0] += WINDOW_SECONDS - 0.5
    with pytest.raises(Refused) as caught:
        gate.count(HOLDER)
    assert caught.value.refusal.headers["retry-after"] == "1"
    now[0] += 0.5
    assert gate.count(HOLDER)["ratelimit"] == '"key";r=1;t=60'
    other = KeyHolder("shop", "key_2", "cd", "live", "viewer")
    assert gate.count(other)["ratelimit"] == '"key";r=1;t=60'
