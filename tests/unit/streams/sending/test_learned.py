"""The rate that is learned from what was too much."""

from __future__ import annotations

import pytest

from schemas.limit import NO_LIMIT, Limit, Rate
from streams.sending.exchange import Report, Shared, exchanged
from streams.sending.grants import LASTS
from streams.sending.learned import Heard, Learned, learned

DAY = 1_800_000_000.0


def test_nothing_is_learned_while_nothing_is_too_much() -> None:
    assert learned(Learned(), Heard(accepted=1000), DAY) == Learned()


def test_it_begins_at_what_all_senders_got_through_before() -> None:
    first = learned(Learned(), Heard(accepted=40, throttled=9, measured=40.0), DAY)
    assert first.rate == 40.0
    assert learned(first, Heard(throttled=3, measured=25.0), DAY + 0.5).rate == 65.0
    assert learned(Learned(), Heard(throttled=1), DAY).rate == 1.0


@pytest.mark.parametrize(
    ("right", "accepted", "throttled", "rate"),
    [
        (100.0, 190, 0, 103.0),  # all went well
        (100.0, 20, 0, 100.0),  # it was not used
        (0.0, 190, 0, 200.0),  # none is known to be right
        (300.0, 190, 0, 150.0),  # back to half of what was right
        (100.0, 192, 1, 100.0),  # it may be chance
        (100.0, 188, 3, 98.0),
        (100.0, 150, 50, 75.0),
        (100.0, 20, 1, 95.24),  # little was sent: its share counts
        (100.0, 0, 200, 50.0),
    ],
)
def test_a_span_is_judged_by_its_share_of_too_much(right: float, accepted: int, throttled: int, rate: float) -> None:
    before = Learned(100.0, right, DAY, throttled_at=DAY - 30)
    after = learned(before, Heard(accepted, throttled), DAY + 2.0)
    assert after.rate == pytest.approx(rate, abs=0.01)
    assert (after.accepted, after.throttled) == (0, 0)


def test_what_comes_back_before_a_new_rate_counts_says_nothing() -> None:
    before = Learned(100.0, 100.0, DAY, throttled_at=DAY)
    after = learned(before, Heard(100, 100), DAY + 2.0)
    assert learned(after, Heard(100, 100), DAY + 2.0 + LASTS) == after.__class__(
        **{**{name: getattr(after, name) for name in after.__struct_fields__}, "throttled_at": DAY + 2.0 + LASTS}
    )


def test_it_never_ends_at_nothing_and_is_forgotten_after_a_while() -> None:
    now, state = DAY, learned(Learned(), Heard(throttled=1), DAY)
    for _ in range(200):
        now += 1.0
        state = learned(state, Heard(throttled=1), now)
    assert state.rate == pytest.approx(1 / 30)
    assert learned(state, Heard(accepted=1), now + 601.0) == Learned()
    assert learned(state, Heard(accepted=1), now - 900.0) == Learned()


def test_a_written_limit_is_reached_again_and_never_passed() -> None:
    now, state = DAY, learned(Learned(), Heard(90, 10), DAY, 100.0)
    assert (state.rate, state.right) == (100.0, 100.0)
    for _ in range(40):
        now += 1.0
        state = learned(state, Heard(97), now, 100.0)
    assert state == Learned()


class Provider:
    """A token bucket of so many a second, asked by senders that do as they are granted."""

    def __init__(self, rate: float, senders: int, limit: Limit = NO_LIMIT) -> None:
        self.rate, self.limit = rate, limit
        self.turns: dict[str, list[float]] = {f"s{number}": [] for number in range(senders)}
        self.heard: dict[str, list[bool]] = {name: [] for name in self.turns}
        self.shared, self.tokens, self.at = Shared(), 0.0, DAY
        self.taken: list[float] = []
        self.refused: list[float] = []

    def run(self, seconds: int) -> None:
        for second in range(seconds):
            for place, name in enumerate(self.turns):
                self._pass_until(DAY + second + place / 10)
                self._exchange(name, DAY + second + place / 10, is_first=second == 0)

    def _pass_until(self, now: float) -> None:
        for turn, name in sorted((turn, name) for name, turns in self.turns.items() for turn in turns if turn <= now):
            self.heard[name].append(self._takes(turn))
        self.turns = {name: [turn for turn in turns if turn > now] for name, turns in self.turns.items()}

    def _exchange(self, name: str, now: float, *, is_first: bool) -> None:
        results, self.heard[name] = self.heard[name], []
        throttled = results.count(False) + is_first
        report = Report(name, 1000, 0, self.limit, results.count(True), throttled, measured=10.0 * is_first)
        self.shared, answer = exchanged(self.shared, report, now)
        self.turns[name] += answer.grant.turns

    def _takes(self, turn: float) -> bool:
        self.tokens = min(self.rate / 10, self.tokens + (turn - self.at) * self.rate)
        self.at = turn
        is_taken = self.tokens >= 1
        self.tokens -= is_taken
        (self.taken if is_taken else self.refused).append(turn)
        return is_taken


@pytest.mark.parametrize("senders", [1, 3])
@pytest.mark.parametrize("rate", [30.0, 400.0])
def test_senders_find_the_rate_of_a_provider_and_stay_at_it(senders: int, rate: float) -> None:
    provider = Provider(rate, senders)
    provider.run(180)
    taken, refused = (
        sum(DAY + 90 <= turn < DAY + 180 for turn in turns) for turns in (provider.taken, provider.refused)
    )
    assert taken >= 0.93 * rate * 90
    assert refused <= 0.06 * taken


def test_a_limit_that_is_written_too_high_is_corrected() -> None:
    provider = Provider(50.0, 2, Limit(Rate(100, 1.0)))
    provider.run(90)
    taken, refused = (
        sum(DAY + 30 <= turn < DAY + 90 for turn in turns) for turns in (provider.taken, provider.refused)
    )
    assert taken >= 0.9 * 50 * 60
    assert refused <= 0.08 * taken
