"""Addresses that are one network."""

from __future__ import annotations

import pytest

from schemas.formats.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_attempts_are_counted_for_the_network_that_one_household_has(address: str, network: str) -> None:
    assert network_of(address) == network
