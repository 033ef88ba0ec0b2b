"""Addresses that are one network."""

from __future__ import annotations

import pytest

from schemas.formats.networks import address_behind, network_of


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


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.2", [], "10.0.0.2"),
        ("10.0.0.2", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.2", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.2", ["192.0.2.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.2", ["192.0.2.1", "198.51.100.1, 10.0.0.3"], "198.51.100.1"),
        ("10.0.0.2", ["10.0.0.9, 10.0.0.3"], "10.0.0.9"),
        ("10.0.0.2", ["x"], "x"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
    ],
)
def test_who_asks_is_whom_the_nearest_stranger_to_us_is(peer: str, forwarded: list[str], address: str) -> None:
    assert address_behind(peer, forwarded, ["10.0.0.0/8", "fd00::/8"]) == address
    assert address_behind(peer, forwarded, []) == peer
