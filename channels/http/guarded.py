"""The guard on the connections of aiohttp: each goes to an address that was checked, whatever a name says next.

The name itself stays in the `Host` header and in TLS, so that receivers and certificates are those of the name.
"""

from __future__ import annotations

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from channels.http.ssrf import Reach, Target


class GuardedResolver(AbstractResolver):
    """Resolves names for calls by one scheme, and keeps the addresses that may be connected to."""

    def __init__(self, reach: Reach, scheme: str) -> None:
        self._reach, self._scheme = reach, scheme
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See aiohttp. Raises PlaceRefused where none is left."""
        found = await self._resolver.resolve(host, port, family)
        target = Target(self._scheme, host.rstrip("."), port)
        admitted = self._reach.admitted(target, [one["host"] for one in found])
        return [one for one in found if one["host"] in admitted]

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one of them; also what never was a name is looked at here. Raises PlaceRefused."""
        family, kind, protocol, _, (host, port, *_) = info
        self._reach.admitted(Target(self._scheme, host, port), [host])
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """See aiohttp."""
        await self._resolver.close()
