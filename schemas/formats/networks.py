"""Networks that attempts are counted for."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """The network that attempts are counted for: of IPv6 the 64 bits that one household has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
