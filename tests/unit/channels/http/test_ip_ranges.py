"""IP addresses in every spelling, and those that are public."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from channels.http.ip_ranges import PRIVATE, ip_of, is_opened, is_public_ip, looks_numeric

PUBLIC = (
    "8.8.8.8", "1.0.0.1", "11.0.0.1", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "168.63.129.15",
    "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2001:200::1",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
)  # fmt: skip
CLOSED = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255",
    "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1", "100::1",
    "2001::1", "2001:0:4136:e378::1", "2001:2::1", "2001:10::1", "2001:db8::1", "3fff::1", "4000::1", "64:ff9b:1::1",
    "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::ffff:0:127.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "::ffff:168.63.129.16",
)  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_public(text: str) -> None:
    assert is_public_ip(ip_address(text))


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_not_of_the_internet_is_not_public_nor_is_what_leads_there(text: str) -> None:
    assert not is_public_ip(ip_address(text))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("127.65535", "127.0.255.255"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0x7f.0x0.0.0X1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0xA9FEA9FE", "169.254.169.254"),
        ("169.254.43518", "169.254.169.254"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("::FFFF:127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_an_address_is_known_in_every_spelling_of_a_client(text: str, address: str) -> None:
    assert ip_of(text) == ip_address(address)


@pytest.mark.parametrize("text", ["256.1.1.1", "1.2.3.4.5", "08.1", "4294967296", "1..2", "0x7g", "\u0661.1"])
def test_what_is_not_an_address_is_none(text: str) -> None:
    assert ip_of(text) is None


@pytest.mark.parametrize(
    ("host", "numeric"), [("1.2.3.256", True), ("a.0x7f", True), ("08.", True), ("x1.example", False), ("1a", False)]
)
def test_a_host_that_ends_in_a_number_can_only_be_an_address(host: str, numeric: bool) -> None:
    assert looks_numeric(host) is numeric


@pytest.mark.parametrize(
    ("text", "networks", "opened"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("11.0.0.1", ["10.0.0.0/8"], False),
        ("fd00::1", ["fd00::/8"], True),
        ("fd00:ec2::254", ["fd00::/8"], False),
        ("fd00:ec2::254", ["fd00:ec2::254/128"], True),
        ("168.63.129.16", ["168.0.0.0/8"], False),
        ("169.254.169.254", ["169.254.169.254/32"], True),
        ("169.254.1.1", ["10.0.0.0/8"], False),
    ],
)
def test_a_network_opens_its_addresses_but_not_the_metadata_of_a_cloud(
    text: str, networks: list[str], opened: bool
) -> None:
    assert is_opened(ip_address(text), [ip_network(one) for one in networks]) is opened


@pytest.mark.parametrize("text", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "224.0.0.1"])
def test_the_networks_of_ones_own_hold_no_metadata(text: str) -> None:
    assert not is_opened(ip_address(text), PRIVATE)
