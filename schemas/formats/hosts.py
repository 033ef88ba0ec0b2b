"""Host names as DNS has them: IDNA 2008 (RFC 5891), prepared as in UTS 46 without its transitional mappings.

IDNA 2003, which Python's own codec and some clients use, makes `fass.example` of `faß.example`: somebody else's name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import quote, urlsplit, urlunsplit

import idna


class HostRefused(ValueError):
    """A name that DNS cannot have; says why."""


_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.I)
"""A last label that some clients read as an address: 127.1, 2130706433, 0x7f000001 (RFC 6943, 3.1.1)."""


def server_host(host: str) -> str:
    """The name or the IP address of a server, in ASCII. Raises HostRefused, which shows no user and no password."""
    shown = f'"{host[:100]}" is not valid: ' if host.isprintable() and "@" not in host else ""
    right = "must be a host such as smtp.example.com or 203.0.113.5"
    try:
        return str(ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host))
    except ValueError:
        pass
    if not host.isprintable() or any(mark in host for mark in " /@:"):
        raise HostRefused(f"{shown}{right}, without scheme, user and blanks; without port, which is another field")
    name = ascii_host(host)
    if not is_name(name):
        raise HostRefused(f"{shown}{right}, of labels of 1 to 63 letters, digits and dashes")
    if _NUMBER.fullmatch(name):
        raise HostRefused(f"{shown}{right}, its four numbers from 0 to 255")
    return name


def is_name(host: str) -> bool:
    """True for a name that DNS can have, in ASCII; some that it has hold an underscore."""
    return _NAME.fullmatch(host) is not None


@lru_cache(maxsize=10_000)
def ascii_host(host: str) -> str:
    """A host in ASCII. One that is ASCII already stays as it is. Raises HostRefused."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True, transitional=False).decode()
    except idna.IDNAError as error:
        raise HostRefused(f'"{host}" is not valid: no host has this name by IDNA 2008 ({error})') from None


def ascii_url(url: str) -> str:
    """An address in ASCII: its host by IDNA 2008, other letters percent-encoded (RFC 3987, 3.1). Raises HostRefused."""
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise HostRefused(f'"{url}" is not valid: {error}') from None
    before, at, name = parts.netloc.rpartition("@")
    if not host.isascii():
        _, colon, port = name.rpartition(":") if ":" in name else (name, "", "")
        name = f"{ascii_host(host)}{colon}{port}"
    netloc, *rest = (_percent_encoded(part) for part in (f"{before}{at}{name}", *parts[2:]))
    return urlunsplit((parts.scheme, netloc, *rest))


def _percent_encoded(text: str) -> str:
    return "".join(letter if letter.isascii() else quote(letter) for letter in text)
