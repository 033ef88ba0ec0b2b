"""The guard before each call: schemes, ports and addresses that may be reached.

A URL is judged twice: as it is written (`Reach.problem`, also when a distribution is saved), and by the addresses that
its host leads to (`Reach.admitted`, at each connection, which then goes to just these). So a name that changes its mind
in between is of no use. Of a name with public and private addresses the public ones are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from channels.http.ip_ranges import PRIVATE, Address, Network, ip_of, is_opened, is_public_ip, looks_numeric
from schemas.formats.hosts import is_name

PORTS = (80, 443, 8080, 8443)
_DEFAULT_PORT = {"https": 443, "http": 80}
_NOT_VALID = "the address is not valid: must be one such as https://hooks.example.com/tidings"


class PlaceRefused(OSError):
    """A place that may not be called; says why, and what would be right."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL that a connection is made of."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Reach:
    """The places that a deployment lets be called.

    Public addresses over https at one of `ports`, with `http` over http as well; and whatever stands in one of
    `networks`, over both and at any port.
    """

    http: bool = False
    ports: tuple[int, ...] = PORTS
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, *, private: bool, networks: Iterable[str], http: bool, ports: Iterable[int]) -> Reach:
        """As the settings write it: `private` opens all networks that people run receivers of their own in."""
        opened = tuple(ip_network(one.strip()) for one in networks)
        return cls(http, tuple(ports), (*opened, *(PRIVATE if private else ())))

    def problem(self, url: str) -> str | None:
        """The reason for which a URL is never called, as far as it can be known without asking for its host."""
        try:
            target = target_of(url)
        except PlaceRefused as error:
            return str(error)
        ip = ip_of(target.host)
        if ip is not None:
            return self.refusal(target, ip)
        if looks_numeric(target.host):
            return f"{target.host} is not an address: must be a name, or an IPv4 address of four numbers up to 255"
        if self.networks:
            return None  # where the name leads decides
        return _closed(target) if _is_local(target.host) else self._refusal_of_public(target)

    def refusal(self, target: Target, ip: Address) -> str | None:
        """The reason for which an address that a target leads to is not connected to."""
        if is_opened(ip, self.networks):
            return None
        return self._refusal_of_public(target) if is_public_ip(ip) else _closed(target)

    def admitted(self, target: Target, addresses: Iterable[str]) -> frozenset[str]:
        """Those of the addresses that a target leads to that may be connected to. Raises PlaceRefused for none."""
        reasons = {address: self.refusal(target, address_of(address)) for address in addresses}
        admitted = frozenset(address for address, reason in reasons.items() if reason is None)
        if not admitted:
            raise PlaceRefused(next(iter(reasons.values()), f"{target.host} leads nowhere"))
        return admitted

    def _refusal_of_public(self, target: Target) -> str | None:
        if target.scheme != "https" and not self.http:
            return "http is not allowed: must be https, unless sender.webhook_allow_http is set"
        if target.port not in self.ports:
            allowed = ", ".join(map(str, self.ports))
            return f"port {target.port} is not allowed: must be one of {allowed} (sender.webhook_ports)"
        return None


OWN_NETWORKS = Reach(networks=PRIVATE)
"""Also the private networks in which people run receivers of their own."""


def _closed(target: Target) -> str:
    leads = "is" if ip_of(target.host) else "leads to"
    return (
        f"{target.host} {leads} an address that is not public: must be a public one, or of a network in"
        " sender.webhook_private_networks"
    )


def _is_local(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")  # RFC 6761, 6.3


@lru_cache(maxsize=4096)
def target_of(url: str) -> Target:
    """The scheme, host and port of a URL in ASCII. Raises PlaceRefused for one that is not called; shows none of it."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise PlaceRefused(_NOT_VALID)  # clients disagree on what such a URL means
    try:
        parts = urlsplit(url)
        return _target(parts, parts.port)
    except ValueError:
        raise PlaceRefused(_NOT_VALID) from None


def _target(parts: SplitResult, port: int | None) -> Target:
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _DEFAULT_PORT or not host or port == 0:
        raise PlaceRefused(_NOT_VALID)
    if "@" in parts.netloc:
        raise PlaceRefused("the address holds a user name or password: receivers know us by the signature instead")
    if not (ip_of(host) if "[" in parts.netloc else is_name(host)):
        raise PlaceRefused(_NOT_VALID)  # a percent sign, mostly: some clients decode it, some do not
    return Target(parts.scheme, host, port or _DEFAULT_PORT[parts.scheme])


def address_of(text: str) -> Address:
    """An address as a resolver writes it, without the zone of a link-local one."""
    return ip_address(text.partition("%")[0])
