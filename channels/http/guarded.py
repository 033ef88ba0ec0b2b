"""The guard on the connections of aiohttp: each goes to an address that was checked, whatever a name says next.

The name itself stays in the `Host` header and in TLS, so that receivers and certificates are those of the name.
"""

from __future__ import annotations

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from channels.http.names import Names
from channels.http.ssrf import Reach, Target


class GuardedResolver(AbstractResolver):
    """Addresses of names for calls by one scheme: those that may be connected to."""

    def __init__(self, reach: Reach, names: Names, scheme: str) -> None:
        self._reach, self._names, self._scheme = reach, names, scheme

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See aiohttp. Raises PlaceRefused where none is left."""
        found = await self._names.addresses(host)
        admitted = self._reach.admitted(Target(self._scheme, host.rstrip("."), port), found)
        return [_result(host, port, address) for address in found if address in admitted]

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one of them; also what never was a name is looked at here. Raises PlaceRefused."""
        family, kind, protocol, _, (host, port, *_) = info
        self._reach.admitted(Target(self._scheme, host, port), [host])
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """See aiohttp. What is known of names is not its own."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=numeric)
