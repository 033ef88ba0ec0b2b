"""Network addresses that may be reached: public ones, unless the operator allows others.

The check is made on the address that is connected to, so that a name that changes its mind in between is of no use.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver


class PrivateAddress(OSError):
    """The name leads to an address that webhooks must not reach."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is public: not loopback, private, link-local, multicast or reserved."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


def literal_address(host: str) -> str | None:
    """The host itself where it is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return host


class PublicResolver(AbstractResolver):
    """Resolves names and keeps the public addresses only."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See aiohttp. Raises PrivateAddress where none is left."""
        found = [result for result in await self._resolver.resolve(host, port, family) if is_public(result["host"])]
        if not found:
            raise PrivateAddress(f"{host} leads to a private address")
        return found

    async def close(self) -> None:
        """See aiohttp."""
        await self._resolver.close()


def connector_options(*, allow_private: bool) -> dict[str, Any]:
    """Options of aiohttp's connector for that."""
    return {} if allow_private else {"resolver": PublicResolver()}
