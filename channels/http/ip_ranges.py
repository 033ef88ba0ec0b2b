"""IP addresses as clients read them, those that are public, and those of private networks that may be opened.

Sources: the IANA special-purpose registries (RFC 6890 and what was added since), RFC 4291 and 3879 (site-local),
RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), `inet_aton(3)` for the spellings of IPv4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_MOST_PARTS = 4
_V4_CLOSED = tuple(
    IPv4Network(one)
    for one in (
        "0.0.0.0/8",  # this network; Linux connects it to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # relays of 6to4, which are no more
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast
        "168.63.129.16/32",  # the host's own agent in Azure, though it looks public
    )
)
_V6_OPEN = IPv6Network("2000::/3")
"""All that is assigned for unicast to the world; whatever is outside stays closed (ULA, link-local, site-local …)."""
_V6_CLOSED = tuple(
    IPv6Network(one)
    for one in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_V6_OF_V4 = tuple(IPv6Network(one) for one in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
"""An IPv4 address in the last 32 bits: compatible, mapped, translated, NAT64."""
_6TO4 = IPv6Network("2002::/16")
_LOOPBACK = IPv6Address("::1")
PRIVATE: tuple[Network, ...] = (
    *map(IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    *map(IPv6Network, ("::1/128", "fc00::/7")),
)
"""Networks in which people run receivers of their own."""
_METADATA: tuple[Address, ...] = (
    *map(IPv4Address, ("100.100.100.200", "168.63.129.16")),  # Alibaba, Azure
    *map(IPv6Address, ("fd00:ec2::254", "fd00:ec2::23", "fd00:ec2::253", "fd20:ce::254")),  # AWS, Google
)
"""Services inside those networks, or outside, that give a cloud's credentials to whoever asks from there."""


def ip_of(host: str) -> Address | None:
    """The address that a host of a URL is, in any spelling that some client reads as one; None for a name.

    Brackets and a zone do not matter. Not looked at: a name that only leads to an address.
    """
    text = host.strip("[]").partition("%")[0].rstrip(".")
    try:
        return ip_address(text)
    except ValueError:
        return _loose_v4(text)


def _loose_v4(text: str) -> IPv4Address | None:
    """As `inet_aton` reads it: one to four numbers, decimal, octal or hex; the last one takes the bytes left over."""
    parts = text.split(".")
    if len(parts) > _MOST_PARTS or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        *leading, last = [_number(part) for part in parts]
    except ValueError:
        return None
    if any(one > 255 for one in leading) or last >= 256 ** (5 - len(parts)):
        return None
    return IPv4Address(sum(one << (24 - 8 * place) for place, one in enumerate(leading)) + last)


def _number(text: str) -> int:
    if text[:2] in ("0x", "0X"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if len(text) > 1 and text.startswith("0") else 10)


def looks_numeric(host: str) -> bool:
    """Tell whether a host ends in a number: by the URL standard it can then be an IPv4 address alone, valid or not."""
    return bool(_NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]))


def is_public_ip(ip: Address) -> bool:
    """Tell whether an address belongs to the public Internet, and so does one that is inside it."""
    ip = reached(ip)
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _V4_CLOSED)
    return ip in _V6_OPEN and not any(ip in network for network in _V6_CLOSED)


def is_opened(ip: Address, networks: Iterable[Network]) -> bool:
    """Tell whether an address stands in one of the networks; a cloud's metadata only where just that is one."""
    ip = reached(ip)
    if ip in _METADATA:
        return ip_network(ip) in networks
    return any(ip in network for network in networks)


def reached(ip: Address) -> Address:
    """The address that packets arrive at: the IPv4 one where a translator or a tunnel leads there, else the same."""
    if isinstance(ip, IPv6Address) and ip != _LOOPBACK:
        number = int(ip)
        if ip in _6TO4:
            return IPv4Address((number >> 80) & 0xFFFFFFFF)
        if any(ip in network for network in _V6_OF_V4):
            return IPv4Address(number & 0xFFFFFFFF)
    return ip
