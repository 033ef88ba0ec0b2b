"""The pages for people who sign in: where they are, and how long a session lasts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from schemas.errors import CannotStart


@dataclass(frozen=True, slots=True)
class Web:
    """The pages' own address; port 0 takes a free one.

    `url` is how browsers reach them: https://, or http:// on this machine alone, where cookies go without TLS. Passkeys
    are for the name in it. A session ends after `idle` without a request, and after `longest` in any case. `proxies`
    are networks: whom those there name in x-forwarded-for is who asks.
    """

    host: str = "127.0.0.1"
    port: int = 0
    url: str = ""
    idle: timedelta = timedelta(hours=2)
    longest: timedelta = timedelta(hours=12)
    proxies: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises CannotStart for an address that passwords must not be sent to, and for times that cannot be."""
        if self.port > 65_535:
            raise CannotStart(f"web.port must be at most {65_535}, or 0 for a free one")
        if self.url:
            _check_url(self.url)
        if not timedelta(minutes=1) <= self.idle <= self.longest:
            raise CannotStart("web.idle must be at least 1m, and at most web.longest")
        for index, network in enumerate(self.proxies):
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise CannotStart(f"web.proxies[{index}] must be a network such as 10.0.0.0/8: {error}") from None

    @property
    def is_plain(self) -> bool:
        """True where browsers come without TLS: to this machine alone."""
        return self.url.startswith("http://") if self.url else is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """True of a name or an address that leads to this machine alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    is_plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or is_plain):
        raise CannotStart("web.url must begin with https://, or with http:// on this machine, as http://localhost:8080")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise CannotStart("web.url must be a host alone, as in https://tidings.shop.example")
