"""Networks that attempts are counted for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence


def network_of(address: str) -> str:
    """The network that attempts are counted for: of IPv6 the 64 bits that one household has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def address_behind(peer: str, forwarded: Sequence[str], proxies: Sequence[str]) -> str:
    """The address of whoever asks: the peer's, or what proxies of ours say of it (`x-forwarded-for`).

    Read from the end, as long as the one who said it is a proxy of ours: what stands before, anybody may have written.
    """
    known = [ipaddress.ip_network(one) for one in proxies]
    said = [one.strip() for line in forwarded for one in line.split(",")]
    address = peer
    while said and _is_within(address, known):
        address = said.pop()
    return address


def _is_within(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return any(ip in network for network in networks if network.version == ip.version)
