"""The state that senders share of one destination."""

from __future__ import annotations

import pytest

from schemas.limit import NO_LIMIT, Limit, Rate
from streams.sending.exchange import Report, Shared, exchanged

DAY = 1_800_000_000.0
LIMIT = Limit(Rate(10, 1.0), 4)


def test_it_is_read_as_it_was_written() -> None:
    shared, _ = exchanged(Shared(), Report("a", 9, 1, LIMIT, throttled=1, closed_for=5.0, measured=3.0), DAY)
    assert Shared.read(shared.written) == shared


@pytest.mark.parametrize("text", ["{}", "", "nonsense", '{"schedule": 7}', '{"of_a_later_release": 1}'])
def test_what_another_release_wrote_ends_no_sender(text: str) -> None:
    assert Shared.read(text) == Shared()


def test_the_later_of_two_moments_counts_until_somebody_hurries() -> None:
    shared, answer = exchanged(Shared(), Report("a", 1, closed_for=60.0), DAY)
    shared, answer = exchanged(shared, Report("b", 1, closed_for=5.0), DAY + 1)
    assert answer.closed_until == DAY + 60
    shared, answer = exchanged(shared, Report("b", 1, throttled=9, is_hurried=True), DAY + 2)
    assert (answer.closed_until, shared.learned.rate) == (0.0, 0.0)


def test_a_destination_without_a_limit_is_paced_once_it_said_that_it_is_too_much() -> None:
    shared, answer = exchanged(Shared(), Report("a", 1, limit=NO_LIMIT), DAY)
    assert (answer.grant.rate, answer.grant.at_once) == (None, None)
    shared, answer = exchanged(shared, Report("a", 1, throttled=1, measured=20.0), DAY + 1)
    assert answer.grant.rate == 20.0
    _, answer = exchanged(shared, Report("b", 1, limit=Limit(Rate(5, 1.0))), DAY + 2)
    assert answer.grant.rate == 5.0
