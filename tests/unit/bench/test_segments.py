"""Segments are measured between transactions: what came before the first one was there is not counted."""

from __future__ import annotations

from tests.bench.segments import Step, rate_between


def test_customers_of_the_first_transaction_took_time_that_was_not_seen() -> None:
    assert rate_between([Step(10.0, 2000), Step(11.0, 6000), Step(12.0, 12_000)]) == 5000.0


def test_one_transaction_has_no_rate() -> None:
    assert rate_between([Step(10.0, 2000)]) == 0.0
